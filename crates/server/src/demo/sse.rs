//! Server-sent events into JSON values: only what a client of the session stream needs.

use anyhow::{Context, bail};
use serde_json::Value;

/// A longer event means that something else than an event stream is at the other end.
const EVENT_BYTES_MAX: usize = 32 << 20;

pub(super) struct EventStream {
    response: reqwest::Response,
    pending: Frames,
}

impl EventStream {
    pub(super) fn new(response: reqwest::Response) -> Self {
        Self {
            response,
            pending: Frames::default(),
        }
    }

    /// The next event; none at the end of the stream.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        loop {
            if let Some(data) = self.pending.next() {
                let event: Value = serde_json::from_str(&data).context("an event is not JSON")?;
                // Pings keep the connection open and are no events of the session.
                if event["type"] != "ping" {
                    return Ok(Some(event));
                }
                continue;
            }
            match self.response.chunk().await? {
                Some(bytes) => self.pending.push(&bytes)?,
                None => return Ok(None),
            }
        }
    }
}

/// Bytes that have come, cut at empty lines.
#[derive(Default)]
struct Frames(Vec<u8>);

impl Frames {
    fn push(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.0.extend(bytes.iter().filter(|byte| **byte != b'\r'));
        if self.0.len() > EVENT_BYTES_MAX {
            bail!("an event is longer than {EVENT_BYTES_MAX} bytes");
        }
        Ok(())
    }

    /// The data of the next complete frame that has any.
    fn next(&mut self) -> Option<String> {
        while let Some(end) = self.0.windows(2).position(|two| two == b"\n\n") {
            let frame: Vec<u8> = self.0.drain(..end + 2).collect();
            let frame = String::from_utf8_lossy(&frame);
            let data: Vec<&str> = frame
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .map(|data| data.strip_prefix(' ').unwrap_or(data))
                .collect();
            if !data.is_empty() {
                return Some(data.join("\n"));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_wherever_the_bytes_are_cut() {
        let text = ": hello\n\nevent: message\nid: 1\ndata: {\"a\":\ndata: 1}\n\ndata:x\r\n\r\nda";
        for cut in 0..text.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for part in [&text[..cut], &text[cut..]] {
                frames.push(part.as_bytes()).unwrap();
                found.extend(std::iter::from_fn(|| frames.next()));
            }
            assert_eq!(found, ["{\"a\":\n1}", "x"], "cut at {cut}");
        }
    }
}

//! Bytes of an event stream into frames. Comments and `retry:` are skipped; nothing is interpreted.

use anyhow::ensure;

/// A longer frame means that something else than an event stream is at the other end.
const FRAME_BYTES_MAX: usize = 32 << 20;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Durable events have one, previews and pings have none.
    pub(crate) id: Option<String>,
    pub(crate) event: String,
    pub(crate) data: String,
}

/// Takes bytes as they come and gives the frames that are complete.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// Up to here no frame ends.
    searched: usize,
}

impl Frames {
    pub(crate) fn push(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        ensure!(
            self.bytes.len() + bytes.len() <= FRAME_BYTES_MAX,
            "a frame is longer than {FRAME_BYTES_MAX} bytes"
        );
        self.bytes
            .extend(bytes.iter().filter(|byte| **byte != b'\r'));
        Ok(())
    }

    /// The next complete frame that says something.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let from = self.searched.saturating_sub(1);
            let Some(found) = self.bytes[from..].windows(2).position(|two| two == b"\n\n") else {
                self.searched = self.bytes.len();
                return None;
            };
            let text: Vec<u8> = self.bytes.drain(..from + found + 2).collect();
            self.searched = 0;
            let frame = read(&String::from_utf8_lossy(&text));
            if frame != Frame::default() {
                return Some(frame);
            }
        }
    }
}

fn read(text: &str) -> Frame {
    let mut frame = Frame::default();
    let mut has_data = false;
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => frame.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut frame.event),
            "data" => {
                if has_data {
                    frame.data.push('\n');
                }
                frame.data.push_str(value);
                has_data = true;
            }
            _other => {}
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of(pieces: &[&str]) -> Vec<(Option<String>, String, String)> {
        let mut frames = Frames::default();
        let mut all = Vec::new();
        for piece in pieces {
            frames.push(piece.as_bytes()).unwrap();
            while let Some(frame) = frames.next() {
                all.push((frame.id, frame.event, frame.data));
            }
        }
        all
    }

    #[test]
    fn a_frame_is_the_same_however_it_is_cut() {
        let text =
            "event: ping\ndata: {}\n\n: a comment\n\nid: 7\nevent: x\ndata: 1\ndata: 2\r\n\r\n";
        let whole = frames_of(&[text]);
        let expected = vec![
            (None, "ping".to_owned(), "{}".to_owned()),
            (Some("7".to_owned()), "x".to_owned(), "1\n2".to_owned()),
        ];
        assert_eq!(whole, expected);
        for cut in 1..text.len() {
            assert_eq!(
                frames_of(&[&text[..cut], &text[cut..]]),
                expected,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn what_has_not_ended_is_no_frame() {
        assert_eq!(frames_of(&["event: x\ndata: 1\n"]), []);
    }
}

//! The transport for a server that somebody else has started: a message a line, over its standard streams.
//!
//! Such a server may be any program that an agent was given, so nothing that it writes is believed to be a message, or to
//! end. Lines that are none are passed over, as programs print what they should not; too much that nobody asked for
//! ends the connection. A server that does not read is given up when it keeps a message waiting.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use rmcp::model::JsonRpcMessage;
use rmcp::service::{RoleClient, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::limits::{EVENT_BYTES_MAX, UNASKED_BYTES_MAX, UNASKED_LINE_BYTES, WRITE_TIMEOUT};

/// The standard input of a server.
pub trait StdioInput: Send {
    /// Waits as long as the server does not read.
    fn write(&mut self, bytes: Vec<u8>) -> BoxFuture<'_, io::Result<()>>;
}

/// The standard streams of a server. Dropping them ends it.
pub struct Streams {
    pub input: Box<dyn StdioInput>,
    /// What it writes, cut anywhere. The last word, if there is one, is a sentence that says how it ended.
    pub output: BoxStream<'static, Result<Vec<u8>, String>>,
}

/// Why a connection is over; empty while it is not.
pub(crate) type End = Arc<OnceLock<String>>;

pub(crate) struct StdioTransport {
    /// `None` once a message could not be written whole.
    input: Arc<Mutex<Option<Box<dyn StdioInput>>>>,
    output: BoxStream<'static, Result<Vec<u8>, String>>,
    lines: Lines,
    end: End,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StdioError {
    #[error("the message could not be written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the server takes no messages any more")]
    Closed,
}

impl StdioTransport {
    pub(crate) fn new(streams: Streams, end: &End) -> Self {
        Self {
            input: Arc::new(Mutex::new(Some(streams.input))),
            output: streams.output,
            lines: Lines::default(),
            end: Arc::clone(end),
        }
    }

    fn ends(&self, why: &str) {
        // What came first is the cause of the rest.
        _ = self.end.set(why.to_owned());
    }
}

impl Transport<RoleClient> for StdioTransport {
    type Error = StdioError;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), StdioError>> + Send + 'static {
        let (input, end) = (Arc::clone(&self.input), Arc::clone(&self.end));
        let asked = Arc::clone(&self.lines.asked);
        async move {
            if let JsonRpcMessage::Request(_) = &message {
                asked.fetch_add(1, Ordering::AcqRel);
            }
            let mut line = serde_json::to_vec(&message)?;
            line.push(b'\n');
            let mut input = input.lock().await;
            // Taken out, so that a message that is given up halfway is followed by no other.
            let mut open = input.take().ok_or(StdioError::Closed)?;
            match timeout(WRITE_TIMEOUT, open.write(line)).await {
                Ok(Ok(())) => {
                    *input = Some(open);
                    Ok(())
                }
                Ok(Err(_)) => Err(StdioError::Closed),
                Err(_elapsed) => {
                    let seconds = WRITE_TIMEOUT.as_secs();
                    _ = end.set(format!("it did not read its input for {seconds} s"));
                    Err(StdioError::Closed)
                }
            }
        }
    }

    /// Cancel-safe: what has come is kept in `lines`.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            while let Some(line) = self.lines.next() {
                if let Some(message) = self.lines.message(&line) {
                    return Some(message);
                }
            }
            if let Some(why) = self.lines.excess() {
                self.ends(&why);
                return None;
            }
            match self.output.next().await {
                Some(Ok(bytes)) => self.lines.push(&bytes),
                Some(Err(why)) => {
                    self.ends(&why);
                    return None;
                }
                None => {
                    self.ends("it closed its output");
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), StdioError> {
        self.output = futures::stream::empty().boxed();
        // A message that is being written ends with the streams.
        if let Ok(mut input) = self.input.try_lock() {
            *input = None;
        }
        Ok(())
    }
}

/// Lines out of pieces, within bounds.
#[derive(Default)]
struct Lines {
    /// What has come. Before `start` it was given already.
    bytes: Vec<u8>,
    start: usize,
    /// Up to here there is no end of a line.
    searched: usize,
    /// What has come since the last answer, the answer not counted.
    unasked: usize,
    /// Requests that have no answer yet.
    asked: Arc<AtomicUsize>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let found = self.bytes[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n');
        match found {
            Some(found) => {
                let end = self.searched + found + 1;
                let line = self.bytes[self.start..end].to_vec();
                self.start = end;
                self.searched = end;
                Some(line)
            }
            None => {
                self.searched = self.bytes.len();
                None
            }
        }
    }

    /// The message that a line is, and whether anybody waited for it.
    fn message(&mut self, line: &[u8]) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = serde_json::from_slice::<RxJsonRpcMessage<RoleClient>>(line);
        let answers = match &message {
            Ok(JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_)) => self.was_asked(),
            Ok(JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_)) | Err(_) => false,
        };
        match answers {
            true => self.unasked = 0,
            false => self.unasked += line.len().max(UNASKED_LINE_BYTES),
        }
        match message {
            Ok(message) => Some(message),
            Err(error) => {
                tracing::debug!(%error, "an MCP server wrote what is no message");
                None
            }
        }
    }

    /// Answers to nothing are counted as what they are.
    fn was_asked(&self) -> bool {
        let one_less = |asked: usize| asked.checked_sub(1);
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        self.asked.fetch_update(set, fetch, one_less).is_ok()
    }

    /// Too much of what nobody waits for.
    fn excess(&self) -> Option<String> {
        const MIB: usize = 1 << 20;
        if self.bytes.len() - self.start > EVENT_BYTES_MAX {
            let most = EVENT_BYTES_MAX / MIB;
            return Some(format!("it wrote a line of over {most} MiB"));
        }
        (self.unasked > UNASKED_BYTES_MAX).then(|| {
            let most = UNASKED_BYTES_MAX / MIB;
            format!("it wrote over {most} MiB that were no answer")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_however_they_are_cut() {
        let text = b"one\n\ntwo\nthree";
        for piece in 1..text.len() {
            let (mut lines, mut heard) = (Lines::default(), Vec::new());
            for part in text.chunks(piece) {
                lines.push(part);
                while let Some(line) = lines.next() {
                    heard.push(line);
                }
            }
            assert_eq!(
                heard,
                [&b"one\n"[..], b"\n", b"two\n"],
                "in pieces of {piece}"
            );
        }
    }
}

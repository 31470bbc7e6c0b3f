//! Servers that run in a session's sandbox: started like any program there, and spoken to over its streams.
//!
//! One lives as long as somebody has its connection. Whatever it writes to its standard error is thrown away but for the
//! last of it, which is told when it ends.

use std::io;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use hostler_mcp::{StdioInput, Streams};
use hostler_protocol::agent::StdioServer;
use hostler_protocol::id::SessionId;
use hostler_sandbox::{Exec, ExecEnd, ExecEvent, ExecInput, ExecOutput, SandboxError, ServeOrder};

use crate::limits::{MCP_LAST_WORDS_BYTES, MCP_LAST_WORDS_CHARS};
use crate::options::Parts;
use crate::session_sandbox;

/// Starts one in the session's sandbox, which is made if it is not there.
pub(super) async fn start(
    parts: &Parts,
    session: SessionId,
    server: StdioServer,
) -> Result<Streams, SandboxError> {
    // What there is to tell about the sandbox is for a call that uses it.
    let opened = session_sandbox::prepare(parts, session).await?;
    let words = [server.program].into_iter().chain(server.arguments);
    let order = ServeOrder {
        words: words.collect(),
        variables: server.variables,
    };
    let Exec { input, output } = opened.sandbox.serve(order).await?;
    Ok(Streams {
        input: Box::new(Input(input)),
        output: outputs(output),
    })
}

struct Input(ExecInput);

impl StdioInput for Input {
    fn write(&mut self, bytes: Vec<u8>) -> BoxFuture<'_, io::Result<()>> {
        async move { self.0.write(&bytes).await }.boxed()
    }
}

/// Its standard output, and how it ended.
fn outputs(output: ExecOutput) -> BoxStream<'static, Result<Vec<u8>, String>> {
    let begin = Some((output, LastWords::default()));
    // The future that waits for a piece is kept by the stream, so that none is lost if nobody waits for it any more.
    futures::stream::unfold(begin, async |going_on| {
        let (mut output, mut words) = going_on?;
        loop {
            match output.next().await {
                Ok(ExecEvent::Output(bytes)) => {
                    return Some((Ok(bytes), Some((output, words))));
                }
                Ok(ExecEvent::Error(bytes)) => words.hear(&bytes),
                Ok(ExecEvent::Ended(end)) => return Some((Err(words.of_end(end)), None)),
                Err(_) => {
                    let why = "it ended with its sandbox".to_owned();
                    return Some((Err(why), None));
                }
            }
        }
    })
    .boxed()
}

/// The end of what a program has written to its standard error.
#[derive(Default)]
struct LastWords(Vec<u8>);

impl LastWords {
    fn hear(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let too_much = self.0.len().saturating_sub(MCP_LAST_WORDS_BYTES);
        self.0.drain(..too_much);
    }

    fn of_end(&self, end: ExecEnd) -> String {
        let how = match end {
            ExecEnd::Exit(code) => format!("it ended with the exit code {code}"),
            ExecEnd::Signal(number) => format!("it was ended by the signal {number}"),
        };
        let text = String::from_utf8_lossy(&self.0);
        let plain = text.split(|c: char| c.is_whitespace() || c.is_control());
        let plain: Vec<_> = plain.filter(|word| !word.is_empty()).collect();
        let plain = plain.join(" ");
        let chars = plain.chars().count();
        let last: String = plain
            .chars()
            .skip(chars.saturating_sub(MCP_LAST_WORDS_CHARS))
            .collect();
        match last.is_empty() {
            true => how,
            false => format!("{how} and said: {last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_one_line_and_bounded() {
        let mut words = LastWords::default();
        assert_eq!(
            words.of_end(ExecEnd::Exit(3)),
            "it ended with the exit code 3"
        );
        words.hear("noise ".repeat(10_000).as_bytes());
        words.hear(b"\x1b[31mno such\n\n  module\xff\n");
        let told = words.of_end(ExecEnd::Signal(9));
        assert!(
            told.starts_with("it was ended by the signal 9 and said: "),
            "{told}"
        );
        assert!(told.ends_with("[31mno such module\u{fffd}"), "{told}");
        assert!(told.chars().count() < MCP_LAST_WORDS_CHARS + 50);
    }
}

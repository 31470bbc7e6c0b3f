//! A server over standard streams is any program: what it writes is bounded, and what it does not read ends it.

use std::io;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use hostler_mcp::{CallError, ConnectError, Connection, StdioInput, Streams};
use serde_json::{Map, Value, json};

use crate::server::{client, client_with};

/// What a program writes when it is said something.
type Program = dyn FnMut(&Value) -> Vec<Result<Vec<u8>, String>> + Send;

struct Input {
    program: Box<Program>,
    output: mpsc::UnboundedSender<Result<Vec<u8>, String>>,
}

impl StdioInput for Input {
    fn write(&mut self, bytes: Vec<u8>) -> BoxFuture<'_, io::Result<()>> {
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        let message = serde_json::from_slice(&bytes).unwrap();
        for piece in (self.program)(&message) {
            // Somebody who has hung up does not listen.
            _ = self.output.unbounded_send(piece);
        }
        async { Ok(()) }.boxed()
    }
}

fn line(value: &Value) -> Result<Vec<u8>, String> {
    Ok(format!("{value}\n").into_bytes())
}

/// A program that answers what it must, and calls with what `called` gives.
fn program(
    mut called: impl FnMut(&Value) -> Vec<Result<Vec<u8>, String>> + Send + 'static,
) -> (Input, mpsc::UnboundedReceiver<Result<Vec<u8>, String>>) {
    let (output, heard) = mpsc::unbounded();
    let program = move |message: &Value| {
        let answer =
            |result: Value| json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
        match message["method"].as_str() {
            Some("initialize") => vec![line(&answer(json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"},
            })))],
            Some("tools/call") => called(&answer(
                json!({"content": [{"type": "text", "text": "done"}]}),
            )),
            Some(_) | None => Vec::new(),
        }
    };
    let input = Input {
        program: Box::new(program),
        output,
    };
    (input, heard)
}

async fn connected(
    called: impl FnMut(&Value) -> Vec<Result<Vec<u8>, String>> + Send + 'static,
) -> Result<Connection, ConnectError> {
    let (input, heard) = program(called);
    let streams = Streams {
        input: Box::new(input),
        output: heard.boxed(),
    };
    client().connect_to_streams(streams).await
}

/// It reads no more once one of its tools is called.
struct Deaf(Input);

impl StdioInput for Deaf {
    fn write(&mut self, bytes: Vec<u8>) -> BoxFuture<'_, io::Result<()>> {
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        match message["method"] == "tools/call" {
            true => std::future::pending().boxed(),
            false => self.0.write(bytes),
        }
    }
}

async fn lost(
    called: impl FnMut(&Value) -> Vec<Result<Vec<u8>, String>> + Send + 'static,
) -> String {
    let connection = connected(called).await.unwrap();
    let error = connection.call("t", Map::new()).await.unwrap_err();
    assert!(connection.is_closed());
    let CallError::Lost(why) = error else {
        panic!("{error:?}");
    };
    why
}

#[tokio::test]
async fn messages_may_be_cut_anywhere_and_have_noise_between_them() {
    let connection = connected(|answer| {
        let text = format!("Listening\n\n[1]\n{{\"half\":\n\u{0}\r\n{answer}\n");
        text.bytes().map(|byte| Ok(vec![byte])).collect()
    });
    let connection = connection.await.unwrap();
    for _ in 0..2 {
        let outcome = connection.call("t", Map::new()).await.unwrap();
        assert!(!outcome.is_error);
    }
}

#[tokio::test]
async fn a_line_without_an_end_ends_it() {
    let why = lost(|_| vec![Ok(vec![b'x'; 1 << 20]); 17]).await;
    assert_eq!(why, "it wrote a line of over 16 MiB");
}

#[tokio::test]
async fn answers_to_nothing_and_empty_lines_are_bounded() {
    let nothing = b"{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}\n".repeat(100_000);
    for flood in [nothing, vec![b'\n'; 100_000]] {
        let flood = move |_: &Value| vec![Ok(flood.clone())];
        assert_eq!(
            lost(flood).await,
            "it wrote over 16 MiB that were no answer"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_left_unread_ends_it() {
    let (input, heard) = program(|_| Vec::new());
    let streams = Streams {
        input: Box::new(Deaf(input)),
        output: heard.boxed(),
    };
    // Else the call would be given up first.
    let client = client_with(Duration::from_secs(3_600));
    let connection = client.connect_to_streams(streams).await.unwrap();
    let error = connection.call("t", Map::new()).await.unwrap_err();
    assert!(connection.is_closed());
    let CallError::Lost(why) = error else {
        panic!("{error:?}");
    };
    assert_eq!(why, "it did not read its input for 30 s");
}

#[tokio::test]
async fn how_it_ended_is_told() {
    let why = lost(|_| vec![Err("it ended with the exit code 3".to_owned())]).await;
    assert_eq!(why, "it ended with the exit code 3");
    let never = connected_to(vec![Err("it ended with the exit code 127".to_owned())]).await;
    assert_eq!(
        never.unwrap_err(),
        ConnectError::Failed("it ended with the exit code 127".to_owned())
    );
}

async fn connected_to(said: Vec<Result<Vec<u8>, String>>) -> Result<Connection, ConnectError> {
    let (output, _) = mpsc::unbounded();
    let input = Input {
        program: Box::new(|_| Vec::new()),
        output,
    };
    let streams = Streams {
        input: Box::new(input),
        output: futures::stream::iter(said).boxed(),
    };
    client().connect_to_streams(streams).await
}

//! HTTP with server-sent events, as servers of 2024 speak it.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use hostler_mcp::{Block, ConnectError, Outcome};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::server::{IntoStatus as _, Seen, Server, client, initialized, input};

type Events = Arc<Mutex<Option<mpsc::UnboundedSender<Result<Bytes, std::io::Error>>>>>;

/// Answers in the stream what is posted to the address that the stream names.
async fn older_server(endpoint: &'static str) -> Server {
    let events: Events = Arc::default();
    Server::start(move |seen| answer(&events, endpoint, seen)).await
}

fn answer(events: &Events, endpoint: &str, seen: &Seen) -> Response {
    if seen.method == "GET" {
        let (sender, receiver) = mpsc::unbounded_channel();
        let named = format!("event: endpoint\ndata: {endpoint}\n\n");
        sender.send(Ok(Bytes::from(named))).unwrap();
        *events.lock().unwrap() = Some(sender);
        let body = futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let kind = [("content-type", "text/event-stream")];
        return (kind, Body::from_stream(body)).into_response();
    }
    if seen.path != "/messages" {
        return 405.into_status();
    }
    let message = seen.message();
    let result = match seen.rpc_method().as_str() {
        "initialize" => initialized(),
        "tools/list" => json!({"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}),
        "tools/call" => json!({"content": [{"type": "text", "text": "from the stream"}]}),
        _ => return 202.into_status(),
    };
    let reply: Value = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    let event = format!("event: message\ndata: {reply}\n\n");
    let events = events.lock().unwrap();
    events
        .as_ref()
        .unwrap()
        .send(Ok(Bytes::from(event)))
        .unwrap();
    202.into_status()
}

#[tokio::test]
async fn a_server_that_refuses_the_newer_transport_is_spoken_to_in_the_older_one() {
    let server = older_server("/messages?session=1").await;
    let connection = client().connect(&server.endpoint("tok-1")).await.unwrap();
    assert_eq!(connection.tools().await.unwrap().tools.len(), 1);
    let called = connection.call("echo", input(json!({}))).await;
    let expected = Outcome {
        blocks: vec![Block::Text("from the stream".to_owned())],
        is_error: false,
    };
    assert_eq!(called, Ok(expected));
    for request in server.seen() {
        assert_eq!(request.authorization.as_deref(), Some("Bearer tok-1"));
    }
}

#[tokio::test]
async fn the_token_is_not_sent_where_another_server_is_named() {
    let server = older_server("http://other.test/messages").await;
    let refused = client().connect(&server.endpoint("tok-1")).await;
    let words = "it wants messages at another server".to_owned();
    assert_eq!(refused.unwrap_err(), ConnectError::Failed(words));
}

#[tokio::test]
async fn a_server_that_speaks_neither_is_told_by_its_first_answer() {
    let server = Server::start(|_| 404.into_status()).await;
    let refused = client().connect(&server.endpoint("t")).await.unwrap_err();
    assert!(refused.to_string().contains("404"), "{refused}");
}

//! The transport of today.

use std::sync::atomic::{AtomicUsize, Ordering};

use hostler_mcp::{Block, CallError, ConnectError, Outcome, Probe};
use serde_json::json;

use crate::server::{IntoStatus as _, Server, client, echo_server, initialized, input, reply};

#[tokio::test]
async fn a_tool_is_listed_and_called_with_the_token() {
    let server = Server::start(echo_server).await;
    let connection = client().connect(&server.endpoint("tok-1")).await.unwrap();
    let tools = connection.tools().await.unwrap().tools;
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["echo"]);
    let called = connection.call("echo", input(json!({"text": "hi"}))).await;
    let expected = Outcome {
        blocks: vec![Block::Text("hi".to_owned())],
        is_error: false,
    };
    assert_eq!(called, Ok(expected));
    connection.close().await;
    for request in server.seen() {
        assert_eq!(request.authorization.as_deref(), Some("Bearer tok-1"));
    }
}

#[tokio::test]
async fn a_refused_token_is_its_own_error() {
    for status in [401, 403] {
        let server = Server::start(move |_| status.into_status()).await;
        let refused = client().connect(&server.endpoint("old")).await.unwrap_err();
        assert!(
            matches!(refused, ConnectError::Unauthorized { .. }),
            "{status}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_of_a_call_is_told_in_the_servers_words() {
    let server = Server::start(|seen| match seen.rpc_method().as_str() {
        "tools/call" => {
            let error = json!({"code": -32602, "message": "there is no such tool"});
            let id = &seen.message()["id"];
            axum::response::IntoResponse::into_response(axum::Json(
                json!({"jsonrpc": "2.0", "id": id, "error": error}),
            ))
        }
        _ => echo_server(seen),
    })
    .await;
    let connection = client().connect(&server.endpoint("t")).await.unwrap();
    let refused = connection.call("other", input(json!({}))).await;
    let words = "there is no such tool".to_owned();
    assert_eq!(refused, Err(CallError::Refused(words)));
}

#[tokio::test]
async fn a_list_without_end_is_cut_off() {
    let pages = AtomicUsize::new(0);
    let server = Server::start(move |seen| match seen.rpc_method().as_str() {
        "initialize" => reply(&seen.message(), &initialized()),
        "tools/list" => {
            let name = format!("tool-{}", pages.fetch_add(1, Ordering::Relaxed));
            let tool = json!({"name": name, "inputSchema": {"type": "object"}});
            reply(
                &seen.message(),
                &json!({"tools": [tool], "nextCursor": name}),
            )
        }
        _ => 202.into_status(),
    })
    .await;
    let connection = client().connect(&server.endpoint("t")).await.unwrap();
    let tools = connection.tools().await.unwrap();
    assert_eq!((tools.tools.len(), tools.left_out), (64, 0));
}

#[tokio::test]
async fn a_probe_shows_what_the_server_said_without_the_token() {
    let server = Server::start(|seen| {
        let said = format!(
            "bad token: {}",
            seen.authorization.clone().unwrap_or_default()
        );
        axum::response::IntoResponse::into_response((axum::http::StatusCode::UNAUTHORIZED, said))
    })
    .await;
    let Probe { method, response } = client().probe(&server.endpoint("tok-9")).await.unwrap_err();
    let response = response.unwrap();
    assert_eq!((method, response.status_code), ("initialize", 401));
    assert_eq!(response.body, "bad token: Bearer ***");
}

#[tokio::test]
async fn a_probe_of_a_good_token_passes() {
    let server = Server::start(echo_server).await;
    assert_eq!(client().probe(&server.endpoint("t")).await, Ok(()));
}

//! Bodies that are not what they should be, through the whole service.

use serde_json::json;

use crate::harness::{Service, options};
use crate::world::World;

#[tokio::test]
async fn a_body_that_is_no_json_names_what_is_wrong() {
    let service = Service::start().await;
    for (content_type, body, status, text) in [
        (
            "application/json",
            &b"{\"a\": }"[..],
            400,
            "line 1 column 7",
        ),
        ("application/json", b"", 400, "needs a JSON body"),
        ("application/json", b"{\"a\": \"\xff\"}", 400, "UTF-8"),
        (
            "application/json",
            b"{\"k\": 1, \"k\": 2}",
            400,
            "'k' is given twice",
        ),
        ("application/json", b"[]", 400, "Input should be an object"),
        ("application/json; charset=utf-16", b"{}", 400, "charset"),
        ("text/plain", b"{}", 415, "content-type"),
    ] {
        let call = service.request("POST /v1/sessions");
        let answer = call.bytes(content_type, body.to_vec()).send().await;
        let (got, kind, message) = answer.failure();
        assert_eq!((got, &*kind), (status, "invalid_request_error"));
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let service = Service::with(hostler_http::HttpOptions {
        body_bytes_max: 1_000,
        ..options()
    })
    .await;
    let call = service.request("POST /v1/sessions");
    let answer = call
        .bytes("application/json", vec![b' '; 1_001])
        .send()
        .await;
    let (status, kind, _) = answer.failure();
    assert_eq!((status, &*kind), (413, "request_too_large"));
}

#[tokio::test]
async fn operations_without_a_body_take_an_empty_one() {
    let world = World::new().await;
    let id = world.session().await;
    let archive = format!("POST /v1/sessions/{id}/archive");
    world.request(&archive).ok().await;
    world.request(&archive).json(json!({})).ok().await;
    world
        .request(&archive)
        .bytes("application/json", Vec::new())
        .ok()
        .await;
    let extra = world.request(&archive).json(json!({"force": true}));
    let message = extra.send().await.failure().2;
    assert_eq!(message, "force: Extra inputs are not permitted");
}

//! What operators ask without a key.

use std::sync::Arc;

use hostler_http::HttpOptions;
use tokio_util::sync::CancellationToken;

use crate::harness::{Service, options};

#[tokio::test]
async fn health_needs_no_key() {
    let service = Service::with(HttpOptions {
        metrics: Arc::new(|| "up 1\n".to_owned()),
        ..options()
    })
    .await;
    for (line, text) in [
        ("GET /healthz", "ok\n"),
        ("GET /readyz", "ready\n"),
        ("GET /metrics", "up 1\n"),
    ] {
        let answer = service.request(line).without("authorization").send().await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.text),
            (200, text),
            "{line}"
        );
        assert!(answer.header("request-id").unwrap().starts_with("req_"));
    }
}

#[tokio::test]
async fn answers_about_sessions_name_the_tier_of_isolation() {
    let service = Service::with(HttpOptions {
        isolation_tier: Some("user"),
        ..options()
    })
    .await;
    for (line, tier) in [
        ("GET /v1/sessions", Some("user")),
        ("GET /v1/sessions/sesn_unknown", Some("user")),
        ("GET /v1/agents", None),
    ] {
        let answer = service.request(line).send().await;
        assert_eq!(answer.header("x-hostler-isolation"), tier, "{line}");
    }
}

#[tokio::test]
async fn a_draining_server_is_not_ready_but_alive() {
    let draining = CancellationToken::new();
    let service = Service::with(HttpOptions {
        draining: draining.clone(),
        ..options()
    })
    .await;
    draining.cancel();
    assert_eq!(service.request("GET /readyz").send().await.status, 503);
    assert_eq!(service.request("GET /healthz").send().await.status, 200);
}

/// Run with `HOSTLER_UPDATE=1` to write the document after a change of routes or types.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a person who runs the test says so in the environment"
)]
async fn the_openapi_document_is_committed() {
    let service = Service::start().await;
    let served = service.request("GET /openapi.json").send().await.text;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    if std::env::var_os("HOSTLER_UPDATE").is_some() {
        std::fs::write(path, &served).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        served == committed,
        "docs/openapi.json is out of date: run this test with HOSTLER_UPDATE=1"
    );
}

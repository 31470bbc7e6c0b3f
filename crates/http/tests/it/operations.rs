//! Every operation of the protocol is known: served, or refused by name.

use crate::harness::Service;

/// The list that the SDK tests walk, too: method, path and name of all 120 operations.
const OPERATIONS: &str = include_str!("../../../../tests/sdk/operations.txt");
const BETAS: &str = "managed-agents-2026-04-01,dreaming-2026-04-21,mcp-tunnels-2026-06-22,\
                     webhooks-2026-10-07";

#[tokio::test]
async fn no_operation_is_forgotten() {
    let service = Service::start().await;
    let mut seen = 0;
    for line in OPERATIONS.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (method, template) = (words.next().unwrap(), words.next().unwrap());
        let path: Vec<&str> = template
            .split('/')
            .map(|part| if part.starts_with('{') { "x" } else { part })
            .collect();
        let call = service.request(&format!("{method} {}", path.join("/")));
        let answer = call.header("anthropic-beta", BETAS).send().await;
        assert!(!answer.status.is_server_error(), "{line}: {answer:?}");
        if !answer.status.is_success() {
            let (status, _, message) = answer.failure();
            assert_ne!(message, "Not found", "{line}");
            assert_ne!(status, 405, "{line}");
        }
        seen += 1;
    }
    assert_eq!(seen, 120);
}

#[tokio::test]
async fn a_later_feature_is_refused_with_its_code() {
    let service = Service::start().await;
    let answer = service.request("POST /v1/deployments").send().await;
    let body = answer.json();
    assert_eq!(answer.status, 400);
    assert_eq!(body["error"]["type"], "invalid_request_error");
    assert_eq!(
        body["error"]["details"]["error_code"],
        "feature_not_supported"
    );
}

#[tokio::test]
async fn another_method_is_405_and_a_wrong_path_404() {
    let service = Service::start().await;
    let (status, kind, _) = service
        .request("PUT /v1/deployments")
        .send()
        .await
        .failure();
    assert_eq!((status, &*kind), (405, "invalid_request_error"));
    for line in [
        "GET /v1/deployments/",
        "GET /",
        "GET /v1",
        "POST /healthz/x",
    ] {
        assert_eq!(
            service.request(line).send().await.failure().0,
            404,
            "{line}"
        );
    }
}

//! Who gets in: the checks before any handler, and their order.

use std::num::NonZeroU32;
use std::time::Duration;

use hostler_http::{HttpOptions, RateLimits};

use crate::harness::{Answer, Service, add_key, add_workspace, options};

/// A route that is refused with 400 by its handler, so that passing the checks shows.
const ROUTE: &str = "GET /v1/deployments";

fn admitted(answer: &Answer) -> bool {
    answer.failure().2 == "deployments are not supported by this version of Hostler"
}

#[tokio::test]
async fn the_checks_come_in_the_observed_order() {
    let service = Service::start().await;
    let bare = |line| {
        let call = service.request(line).without("authorization");
        call.without("anthropic-beta").without("anthropic-version")
    };
    let unknown = bare("GET /v1/nothing").send().await.failure();
    assert_eq!(unknown.0, 404);
    assert_eq!(unknown.2, "Not found");

    let keyless = bare(ROUTE).send().await;
    let expected = (
        401,
        "authentication_error".to_owned(),
        "Authentication failed".to_owned(),
    );
    assert_eq!(keyless.failure(), expected);
    assert_eq!(keyless.header("anthropic-workspace-id"), None);
    let invalid = bare(ROUTE).header("authorization", "Bearer sk-hostler-x");
    assert_eq!(invalid.send().await.failure(), expected);

    let key = format!("Bearer {}", service.key_text);
    let no_beta = bare(ROUTE).header("authorization", &key).send().await;
    let (status, kind, message) = no_beta.failure();
    assert_eq!((status, &*kind), (404, "not_found_error"));
    assert!(message.starts_with("not found"), "{message}");

    let no_version = service.request(ROUTE).without("anthropic-version");
    let (status, kind, message) = no_version.send().await.failure();
    assert_eq!((status, &*kind), (400, "invalid_request_error"));
    assert_eq!(message, "anthropic-version: header is required");

    let admitted_answer = service.request(ROUTE).send().await;
    assert!(admitted(&admitted_answer));
    let workspace = service.workspace.to_string();
    assert_eq!(
        admitted_answer.header("anthropic-workspace-id"),
        Some(&*workspace)
    );
}

#[tokio::test]
async fn versions_and_betas_are_read_leniently_where_the_hosted_service_does() {
    let service = Service::start().await;
    for version in ["2023-06-01", "2026-10-21", "2031-01-31"] {
        let call = service.request(ROUTE).header("anthropic-version", version);
        assert!(admitted(&call.send().await), "{version}");
    }
    let latest = service.request(ROUTE).header("anthropic-version", "latest");
    assert_eq!(latest.send().await.failure().0, 400);

    let odd = "made-up-2026-01-01, managed-agents-2026-04-01";
    let threads = "GET /v1/sessions/sesn_1/threads";
    let on_sessions = service.request(threads).header("anthropic-beta", odd);
    let message = on_sessions.send().await.failure().2;
    assert!(message.starts_with("session threads are not supported"));
    let work = "GET /v1/environments/env_1/work";
    let on_environments = service.request(work).header("anthropic-beta", odd);
    let (status, _, message) = on_environments.send().await.failure();
    assert_eq!(status, 400);
    assert_eq!(
        message,
        "unexpected value 'made-up-2026-01-01' for the header anthropic-beta"
    );
}

#[tokio::test]
async fn the_beta_gate_can_be_switched_off() {
    let service = Service::with(HttpOptions {
        require_beta_header: false,
        ..options()
    })
    .await;
    let call = service.request(ROUTE).without("anthropic-beta");
    assert!(admitted(&call.send().await));
}

#[tokio::test]
async fn a_key_opens_its_own_workspace_only() {
    let service = Service::start().await;
    let own = service.workspace.to_string();
    let call = service
        .request(ROUTE)
        .header("anthropic-workspace-id", &own);
    assert!(admitted(&call.send().await));
    let other = add_workspace(&service.store, &service.env).await;
    for named in [other.to_string(), "nonsense".to_owned()] {
        let call = service.request(ROUTE);
        let call = call.header("anthropic-workspace-id", &named);
        let (status, kind, _) = call.send().await.failure();
        assert_eq!((status, &*kind), (403, "permission_error"));
    }
    let (_, other_text) = add_key(&service.store, &service.env, other).await;
    let both = service.request(ROUTE).header("x-api-key", &other_text);
    assert_eq!(both.send().await.failure().0, 401);
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_a_second() {
    let service = Service::start().await;
    assert!(admitted(&service.request(ROUTE).send().await));
    let (workspace, key) = (service.workspace, service.key.id);
    let revoked = service
        .store
        .revoke_api_key(workspace, key, service.env.now())
        .await;
    revoked.unwrap();
    service.env.advance(Duration::from_secs(1));
    assert_eq!(service.request(ROUTE).send().await.failure().0, 401);
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let rate_limits = RateLimits {
        reads_per_minute: NonZeroU32::new(3),
        ..RateLimits::OFF
    };
    let service = Service::with(HttpOptions {
        rate_limits,
        ..options()
    })
    .await;
    for _ in 0..3 {
        assert!(admitted(&service.request(ROUTE).send().await));
    }
    let limited = service.request(ROUTE).send().await;
    let (status, kind, _) = limited.failure();
    assert_eq!((status, &*kind), (429, "rate_limit_error"));
    let wait: u32 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert!(admitted(
        &service.request("POST /v1/deployments").send().await
    ));
}

#[tokio::test]
async fn an_overloaded_server_says_so() {
    let service = Service::with(HttpOptions {
        requests_max: 0,
        ..options()
    })
    .await;
    let answer = service.request(ROUTE).send().await;
    let (status, kind, _) = answer.failure();
    assert_eq!((status, &*kind), (529, "overloaded_error"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(service.request("GET /healthz").send().await.text, "ok\n");
}

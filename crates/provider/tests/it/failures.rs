//! Failures of a provider, as statuses and in mid-stream.

use std::time::Duration;

use hostler_provider::{
    Anthropic, AnthropicOptions, ApiKey, Auth, ModelErrorKind, Provider, Usage,
};
use hostler_testkit::{ModelScript, Reply};
use serde_json::json;

use crate::fixture::*;

#[tokio::test]
async fn statuses_become_kinds_with_the_wait_that_was_asked_for() {
    let limited = Reply::error(429, "rate_limit_error", "slow down").header("retry-after", "12");
    let error = failure_of(limited).await;
    assert_eq!(error.kind, ModelErrorKind::RateLimited);
    assert_eq!(error.retry_after, Some(Duration::from_secs(12)));
    assert_eq!(
        error.message,
        "the model provider answered HTTP 429: rate_limit_error: slow down"
    );

    let overloaded = failure_of(Reply::error(529, "overloaded_error", "Overloaded")).await;
    assert_eq!(
        (overloaded.kind, overloaded.retry_after),
        (ModelErrorKind::Overloaded, None)
    );
    let too_long = Reply::error(
        400,
        "invalid_request_error",
        "prompt is too long: 9 tokens > 8",
    );
    assert_eq!(
        failure_of(too_long).await.kind,
        ModelErrorKind::ContextTooLong
    );
    let moved = Reply::raw_error(307, "").header("location", "http://169.254.169.254/");
    assert_eq!(failure_of(moved).await.kind, ModelErrorKind::NotConfigured);
}

#[tokio::test]
async fn no_message_shows_a_key_or_grows_without_bound() {
    let quoting = format!(
        "bad \u{7} key {KEY} or sk-ant-secret {}",
        "x".repeat(10_000)
    );
    let error = failure_of(Reply::error(400, "invalid_request_error", &quoting)).await;
    assert!(
        error.message.contains("bad   key *** or *** xxx"),
        "{error}"
    );
    assert!(error.message.chars().count() <= 501);
    let endless = format!("key {KEY} {}", "x".repeat(1_000_000));
    let error = failure_of(Reply::error(400, "invalid_request_error", &endless)).await;
    assert!(
        error.message.contains("key *** xxx") && error.message.len() < 600,
        "{error}"
    );
    let error = failure_of(Reply::error(401, "authentication_error", &quoting)).await;
    assert_eq!(
        error.message,
        "the model provider refused the credentials (HTTP 401)"
    );
}

#[tokio::test]
async fn a_configured_header_is_a_secret_too() {
    let model = ModelScript::start().await;
    model.reply(Reply::error(
        400,
        "invalid_request_error",
        "bad token gateway-token-1",
    ));
    let headers = vec![("x-gateway".to_owned(), ApiKey::new("gateway-token-1"))];
    let options = AnthropicOptions {
        headers,
        ..anthropic_options(&model)
    };
    assert!(!format!("{options:?}").contains("gateway-token"));
    let provider = Provider::Anthropic(Anthropic::new(options).expect("the options are good"));
    assert!(!format!("{provider:?}").contains("gateway-token"));
    let error = failure(&provider, hello()).await;
    assert!(error.message.ends_with("bad token ***"), "{error}");
}

#[tokio::test]
async fn an_error_in_mid_stream_keeps_what_was_counted() {
    let reply = Reply::text("half of")
        .and_error("overloaded_error", "Overloaded")
        .usage(json!({ "input_tokens": 40, "output_tokens": 9 }));
    let error = failure_of(reply).await;
    assert_eq!(error.kind, ModelErrorKind::Overloaded);
    let usage = Usage {
        input_tokens: 40,
        output_tokens: 1,
        ..Usage::default()
    };
    assert_eq!(error.usage, Some(usage));

    let quoting = Reply::new().and_error("new_error", &format!("key {KEY}"));
    let error = failure_of(quoting).await;
    assert_eq!(error.kind, ModelErrorKind::Server);
    assert_eq!(
        error.message,
        "the model provider reported an error: new_error: key ***"
    );
}

#[tokio::test]
async fn answers_against_the_protocol_are_malformed() {
    let delta =
        r#"{"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":"x"}}"#;
    let start =
        r#"{"type":"content_block_start","index":4,"content_block":{"type":"text","text":""}}"#;
    let nameless =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a"}}"#;
    let stop = r#"{"type":"content_block_stop","index":0}"#;
    let many_fields: String = (0..100).map(|number| format!(",\"f{number}\":1")).collect();
    let wide = format!(
        r#"{{"type":"content_block_start","index":0,"content_block":{{"type":"x"{many_fields}}}}}"#
    );
    for reply in [
        Reply::new().and_event("{\"type\":"),
        Reply::new().and_event(delta),
        Reply::new().and_event(start).and_event(start),
        Reply::new().and_event(start),
        Reply::new().and_event(nameless).and_event(stop),
        Reply::new().and_event(&wide),
        Reply::new()
            .and_tool_use_as("same", "a", "{}")
            .and_tool_use_as("same", "b", "{}"),
        Reply::raw_error(200, "{}").header("content-type", "application/json"),
        Reply::raw_error(200, "<html>").header("content-type", "text/html"),
    ] {
        let error = failure_of(reply).await;
        assert_eq!(error.kind, ModelErrorKind::Malformed, "{error}");
    }
    // A gateway that wraps a failure into a success says so in its body.
    let wrapped = Reply::raw_error(
        200,
        r#"{"error":{"type":"overloaded_error","message":"x"}}"#,
    )
    .header("content-type", "application/json");
    assert_eq!(failure_of(wrapped).await.kind, ModelErrorKind::Overloaded);
}

#[tokio::test]
async fn an_answer_that_ends_too_early_is_a_broken_connection() {
    let error = failure_of(Reply::text("half").and_disconnect()).await;
    assert_eq!(error.kind, ModelErrorKind::Connection);
    assert!(error.usage.is_some());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_connection_failure() {
    let address = ModelScript::start().await.anthropic_url();
    let options = AnthropicOptions::new(address, Auth::None);
    let provider = Provider::Anthropic(Anthropic::new(options).expect("the options are good"));
    let error = failure(&provider, hello()).await;
    assert_eq!(error.kind, ModelErrorKind::Connection);
    assert!(!error.message.contains("http://"), "{error}");
}

#[test]
fn only_what_may_pass_by_itself_is_transient() {
    assert!(ModelErrorKind::Overloaded.is_transient() && ModelErrorKind::Stalled.is_transient());
    assert!(!ModelErrorKind::Billing.is_transient());
    assert!(!ModelErrorKind::ContextTooLong.is_transient());
}

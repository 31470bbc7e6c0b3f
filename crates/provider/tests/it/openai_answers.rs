//! From chat-completion chunks to canonical chunks, quirks included.

use hostler_provider::{Chunk, ModelErrorKind, StopReason, Usage};
use hostler_testkit::{ModelScript, Reply};
use serde_json::{Value, json};

use crate::fixture::*;

async fn answer_of(reply: Reply) -> Vec<Chunk> {
    let model = ModelScript::start().await;
    model.reply(reply);
    answer(&openai(&model), hello()).await
}

fn delta(delta: Value) -> String {
    json!({ "choices": [{ "delta": delta }] }).to_string()
}

#[tokio::test]
async fn gives_reasoning_text_and_parallel_calls() {
    let reply = Reply::new()
        .and_thinking("Let me see.", "")
        .and_text("Hello you")
        .and_tool_use("bash", json!({ "command": "ls" }))
        .and_tool_use("read", json!({}))
        .usage(json!({ "input_tokens": 30, "output_tokens": 4, "cache_read_input_tokens": 70 }))
        .chunk_size(5);
    let chunks = answer_of(reply).await;
    assert_eq!(
        outline(&chunks),
        [
            "started",
            "0 thinking start",
            "0 block thinking",
            "1 text start",
            "1 text \"Hello\"",
            "1 text \" you\"",
            "1 block text \"Hello you\"",
            "2 block bash {\"command\":\"ls\"}",
            "3 block read {}",
            "finished ToolUse",
        ]
    );
    assert_eq!(
        blocks_json(&chunks)[0],
        json!({ "type": "thinking", "thinking": "Let me see.", "signature": "" })
    );
    assert_eq!(
        blocks_json(&chunks)[2],
        json!({ "type": "tool_use", "id": "toolu_script_1", "name": "bash",
                "input": { "command": "ls" } })
    );
    let end = finished(&chunks);
    let usage = Usage {
        input_tokens: 30,
        output_tokens: 4,
        cache_read: 70,
        ..Usage::default()
    };
    assert_eq!(
        (end.usage, end.model.as_deref()),
        (usage, Some("scripted-model"))
    );
}

#[tokio::test]
async fn calls_without_ids_or_numbers_stay_apart() {
    let call = |name: &str, arguments: &str| json!({ "function": { "name": name, "arguments": arguments } });
    let numberless = Reply::new()
        .and_event(&delta(
            json!({ "tool_calls": [call("a", "{\"x\":"), call("b", "{}")] }),
        ))
        .and_event(&delta(
            json!({ "tool_calls": [{ "function": { "arguments": " " } }] }),
        ));
    let calls = tool_uses(&answer_of(numberless.stop_reason("tool_use")).await);
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.name.as_str(), call.id.as_str()))
        .collect();
    assert_eq!(seen, [("a", "call_1_0"), ("b", "call_1_1")]);
    assert!(calls[0].invalid_input.is_some() && calls[1].invalid_input.is_none());

    // One server gives the number 0 to every call, another one id to all of them.
    let all_zero = Reply::new().and_event(&delta(json!({ "tool_calls": [
        { "index": 0, "id": "p", "function": { "name": "a", "arguments": "{}" } },
        { "index": 0, "id": "q", "function": { "name": "b", "arguments": "{}" } },
    ]})));
    let calls = tool_uses(&answer_of(all_zero.stop_reason("tool_use")).await);
    assert_eq!(
        calls
            .iter()
            .map(|call| call.id.as_str())
            .collect::<Vec<_>>(),
        ["p", "q"]
    );
    let same_id = Reply::new().and_event(&delta(json!({ "tool_calls": [
        { "index": 0, "id": "p", "function": { "name": "a", "arguments": "{}" } },
        { "index": 1, "id": "p", "function": { "name": "b", "arguments": "{}" } },
    ]})));
    let calls = tool_uses(&answer_of(same_id.stop_reason("tool_use")).await);
    assert_eq!(
        calls
            .iter()
            .map(|call| call.id.as_str())
            .collect::<Vec<_>>(),
        ["p", "call_1_1"]
    );
}

#[tokio::test]
async fn the_calls_decide_why_it_stopped() {
    let call = Reply::tool_use("bash", json!({}));
    assert_eq!(
        finished(&answer_of(call.stop_reason("end_turn")).await).stop,
        StopReason::ToolUse
    );
    for (word, expected) in [
        ("end_turn", StopReason::EndTurn),
        ("tool_use", StopReason::EndTurn),
        ("max_tokens", StopReason::MaxTokens),
        (
            "refusal",
            StopReason::Refusal {
                category: None,
                explanation: None,
            },
        ),
        ("odd", StopReason::Other("odd".into())),
    ] {
        let chunks = answer_of(Reply::text("x").stop_reason(word)).await;
        assert_eq!(finished(&chunks).stop, expected);
    }
    let refused = Reply::new().and_event(&delta(json!({ "refusal": "I won't." })));
    assert_eq!(
        finished(&answer_of(refused).await).stop,
        StopReason::Refusal {
            category: None,
            explanation: Some("I won't.".into())
        }
    );
}

#[tokio::test]
async fn a_stream_may_end_without_its_last_words() {
    let reply = Reply::new()
        .and_event(&delta(json!({ "content": "hi", "reasoning": null })))
        .and_event(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#)
        .and_event("[DONE]");
    assert_eq!(
        outline(&answer_of(reply).await).last().map(String::as_str),
        Some("finished EndTurn")
    );
}

#[tokio::test]
async fn failures_are_mapped_in_this_dialect_too() {
    for (reply, expected) in [
        (
            Reply::text("x").and_error("server_error", "boom"),
            ModelErrorKind::Server,
        ),
        (
            Reply::text("x").and_disconnect(),
            ModelErrorKind::Connection,
        ),
        (Reply::text("x").and_event("{"), ModelErrorKind::Malformed),
        (
            Reply::text("x").and_event("[DONE]"),
            ModelErrorKind::Connection,
        ),
        (
            Reply::raw_error(400, r#"{"error":{"code":"context_length_exceeded"}}"#),
            ModelErrorKind::ContextTooLong,
        ),
        (
            Reply::raw_error(404, r#"{"error":"model \"x\" not found"}"#),
            ModelErrorKind::NotFound,
        ),
    ] {
        let model = ModelScript::start().await;
        model.reply(reply);
        assert_eq!(failure(&openai(&model), hello()).await.kind, expected);
    }
}

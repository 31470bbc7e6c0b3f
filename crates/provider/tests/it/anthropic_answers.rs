//! From a Messages stream to chunks.

use hostler_provider::{INVALID_INPUT_FIELD, Speed, StopReason, Usage};
use hostler_testkit::{ModelScript, Reply};
use serde_json::json;

use crate::fixture::*;

async fn answer_of(reply: Reply) -> Vec<hostler_provider::Chunk> {
    let model = ModelScript::start().await;
    model.reply(reply);
    answer(&anthropic(&model), hello()).await
}

#[tokio::test]
async fn gives_every_kind_of_chunk_in_order() {
    let reply = Reply::new()
        .and_thinking("Let me see.", "c2ln+/=")
        .and_text("Hello you")
        .and_tool_use("bash", json!({ "command": "ls" }))
        .chunk_size(5);
    assert_eq!(
        outline(&answer_of(reply).await),
        [
            "started",
            "0 thinking start",
            "0 block thinking",
            "1 text start",
            "1 text \"Hello\"",
            "1 text \" you\"",
            "1 block text \"Hello you\"",
            "2 block bash {\"command\":\"ls\"}",
            "finished ToolUse",
        ]
    );
}

#[tokio::test]
async fn blocks_are_canonical_and_keep_what_is_unknown() {
    let unknown = json!({ "type": "new_thing", "data": { "b": 1.50, "a": [null] } });
    let redacted = json!({ "type": "redacted_thinking", "data": "opaque==" });
    let reply = Reply::new()
        .and_thinking("hm \"ü\"\n", "sig/+==")
        .and_block(redacted.clone())
        .and_block(unknown.clone())
        .and_tool_use_as("toolu_7", "bash", r#"{"n": 1.0, "deep": {"k": "\u00e4"}}"#);
    let chunks = answer_of(reply).await;
    assert_eq!(
        blocks_json(&chunks),
        [
            json!({ "type": "thinking", "thinking": "hm \"ü\"\n", "signature": "sig/+==" }),
            redacted,
            unknown,
            json!({ "type": "tool_use", "id": "toolu_7", "name": "bash",
                    "input": { "n": 1.0, "deep": { "k": "ä" } } }),
        ]
    );
    // The arguments keep their bytes.
    let call = &tool_uses(&chunks)[0];
    assert_eq!(call.input.get(), r#"{"n": 1.0, "deep": {"k": "\u00e4"}}"#);
    assert!(blocks(&chunks)[3].json.get().contains(call.input.get()));
}

#[tokio::test]
async fn arguments_that_are_no_object_are_reported_and_do_not_fail_the_answer() {
    let depth = 500;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    for broken in [
        r#"{"command": "ls"#,
        "[1]",
        r#""text""#,
        r#"{"a":1} x"#,
        r#"{"a":"\ud800"}"#,
        &deep,
    ] {
        let reply = Reply::new()
            .and_tool_use_as("toolu_1", "bash", broken)
            .chunk_size(100);
        let call = tool_uses(&answer_of(reply).await).remove(0);
        assert!(call.invalid_input.is_some(), "{broken}");
        let input: serde_json::Value = serde_json::from_str(call.input.get()).expect("is JSON");
        assert_eq!(input, json!({ INVALID_INPUT_FIELD: broken }));
    }
}

#[tokio::test]
async fn no_arguments_are_an_empty_object() {
    let call = tool_uses(&answer_of(Reply::new().and_tool_use_as("a", "now", "")).await).remove(0);
    assert_eq!((call.input.get(), call.invalid_input), ("{}", None));
}

#[tokio::test]
async fn counts_usage_and_names_model_and_speed() {
    let usage = json!({
        "input_tokens": 11, "output_tokens": 7, "cache_read_input_tokens": 300,
        "cache_creation_input_tokens": 50, "speed": "fast",
        "cache_creation": { "ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30 },
    });
    let chunks = answer_of(Reply::text("hi").usage(usage).model("claude-opus-5-5")).await;
    let end = finished(&chunks);
    let expected = Usage {
        input_tokens: 11,
        output_tokens: 7,
        cache_creation_5m: 20,
        cache_creation_1h: 30,
        cache_read: 300,
    };
    assert_eq!(end.usage, expected);
    assert_eq!(
        (end.model.as_deref(), end.speed),
        (Some("claude-opus-5-5"), Some(Speed::Fast))
    );

    let without_split =
        json!({ "input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 50 });
    let end = finished(&answer_of(Reply::text("hi").usage(without_split)).await);
    assert_eq!(end.usage.cache_creation_5m, 50);
}

#[tokio::test]
async fn knows_the_stop_reasons() {
    let refusal = json!({ "type": "refusal", "category": "cyber", "explanation": "No." });
    let refused = Reply::new().stop_reason("refusal").stop_details(refusal);
    assert_eq!(
        finished(&answer_of(refused).await).stop,
        StopReason::Refusal {
            category: Some("cyber".into()),
            explanation: Some("No.".into())
        }
    );
    for (word, expected) in [
        ("end_turn", StopReason::EndTurn),
        ("max_tokens", StopReason::MaxTokens),
        ("stop_sequence", StopReason::StopSequence),
        ("pause_turn", StopReason::PauseTurn),
        (
            "model_context_window_exceeded",
            StopReason::ContextWindowExceeded,
        ),
        (
            "refusal",
            StopReason::Refusal {
                category: None,
                explanation: None,
            },
        ),
        ("new\nreason", StopReason::Other("new reason".into())),
    ] {
        let chunks = answer_of(Reply::text("x").stop_reason(word)).await;
        assert_eq!(finished(&chunks).stop, expected);
    }
}

#[tokio::test]
async fn skips_unknown_events_and_shows_no_block_of_white_space() {
    let reply = Reply::new()
        .and_event(r#"{"type":"brand_new_event","payload":[1]}"#)
        .and_text("\n\n")
        .and_event(r#"{"type":"ping"}"#)
        .and_text("  a")
        .chunk_size(1);
    assert_eq!(
        outline(&answer_of(reply).await),
        [
            "started",
            "1 text start",
            "1 text \"  a\"",
            "1 block text \"  a\"",
            "finished EndTurn",
        ]
    );
}

#[tokio::test]
async fn citations_stay_with_their_text() {
    let reply = Reply::new()
        .and_event(r#"{"type":"content_block_start","index":9,"content_block":{"type":"text","text":"","citations":[]}}"#)
        .and_event(r#"{"type":"content_block_delta","index":9,"delta":{"type":"text_delta","text":"so"}}"#)
        .and_event(r#"{"type":"content_block_delta","index":9,"delta":{"type":"citations_delta","citation":{"type":"page","n":1}}}"#)
        .and_event(r#"{"type":"content_block_stop","index":9}"#);
    let expected =
        json!({ "type": "text", "text": "so", "citations": [{ "type": "page", "n": 1 }] });
    assert_eq!(blocks_json(&answer_of(reply).await), [expected]);
}

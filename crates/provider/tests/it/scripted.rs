//! The scripted model: which turn answers, and what scripts are refused.

use hostler_provider::{
    ModelErrorKind, ModelRequest, Provider, Script, Scripted, StopReason, Usage,
};
use serde_json::json;

use crate::fixture::*;

fn scripted(script: &str) -> Provider {
    Provider::Scripted(Scripted::new(
        Script::parse(script).expect("the script is good"),
    ))
}

fn asking(text: &str) -> ModelRequest {
    let block = json!({ "type": "text", "text": text }).to_string();
    ModelRequest {
        messages: vec![user(&[&block])],
        ..hello()
    }
}

/// Answers calls of tools until the model calls none, as the engine does.
async fn whole_turn(provider: &Provider, mut request: ModelRequest) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        let chunks = answer(provider, request.clone()).await;
        let again = answer(provider, request.clone()).await;
        assert_eq!(
            outline(&chunks),
            outline(&again),
            "equal requests have equal answers"
        );
        assert_eq!(blocks_json(&chunks), blocks_json(&again));
        said.extend(
            outline(&chunks)
                .into_iter()
                .filter(|line| line.contains(" block ")),
        );
        let calls = tool_uses(&chunks);
        if calls.is_empty() {
            return said;
        }
        let texts: Vec<String> = blocks(&chunks)
            .iter()
            .map(|block| block.json.get().to_owned())
            .collect();
        request.messages.push(assistant(
            &texts.iter().map(String::as_str).collect::<Vec<_>>(),
        ));
        let results: Vec<String> = calls
            .iter()
            .map(|call| json!({ "type": "tool_result", "tool_use_id": call.id }).to_string())
            .collect();
        request.messages.push(user(
            &results.iter().map(String::as_str).collect::<Vec<_>>(),
        ));
    }
}

#[tokio::test]
async fn the_demo_writes_runs_and_closes() {
    let demo = Provider::Scripted(Scripted::fibonacci());
    let said = whole_turn(
        &demo,
        asking("Create a Python script for Fibonacci numbers"),
    )
    .await;
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[1].contains("/workspace/fibonacci.py"));
    assert!(
        said[2].contains("python3 /workspace/fibonacci.py > /mnt/session/outputs/fibonacci.txt")
    );
    assert!(said[3].contains("fibonacci.txt"));

    let said = whole_turn(&demo, asking("What is the weather?")).await;
    assert!(
        said.len() == 1 && said[0].contains("scripted demo model"),
        "{said:?}"
    );
}

#[tokio::test]
async fn plays_what_the_script_says() {
    let provider = scripted(
        r#"{"turns":[
            {"when":{"user_contains":"FAIL"},"blocks":[{"type":"text","text":"half"}],
             "error":{"kind":"overloaded","message":"later","retry_after_seconds":3},
             "usage":{"input_tokens":5}},
            {"blocks":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Grüße"}],
             "stop":"max_tokens","chunk_size":3,"usage":{"input_tokens":1,"output_tokens":2}}
        ]}"#,
    );
    let chunks = answer(&provider, asking("hi")).await;
    assert_eq!(
        outline(&chunks),
        [
            "started",
            "0 thinking start",
            "0 block thinking",
            "1 text start",
            "1 text \"Grü\"",
            "1 text \"ße\"",
            "1 block text \"Grüße\"",
            "finished MaxTokens",
        ]
    );
    let usage = Usage {
        input_tokens: 1,
        output_tokens: 2,
        ..Usage::default()
    };
    assert_eq!(finished(&chunks).usage, usage);

    let error = failure(&provider, asking("please fail")).await;
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ModelErrorKind::Overloaded, "later")
    );
    assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(3)));
    assert_eq!(error.usage.map(|usage| usage.input_tokens), Some(5));
}

#[tokio::test]
async fn a_script_that_is_over_says_so_and_calls_nothing() {
    let provider = scripted(
        r#"{"turns":[{"blocks":[{"type":"tool_use","name":"bash","input":{"command":"ls"}}]}]}"#,
    );
    let said = whole_turn(&provider, asking("go")).await;
    assert_eq!(said[0], "0 block bash {\"command\":\"ls\"}");
    assert!(said[1].contains("no turn left"), "{said:?}");
}

#[tokio::test]
async fn a_new_text_of_the_user_begins_again() {
    let provider = scripted(
        r#"{"turns":[{"blocks":[{"type":"text","text":"one"}]},{"blocks":[{"type":"text","text":"two"}]}]}"#,
    );
    let mut request = asking("a");
    request
        .messages
        .push(assistant(&[r#"{"type":"text","text":"one"}"#]));
    request
        .messages
        .push(user(&[r#"{"type":"text","text":"b"}"#]));
    let chunks = answer(&provider, request).await;
    assert_eq!(finished(&chunks).stop, StopReason::EndTurn);
    assert_eq!(
        blocks_json(&chunks),
        [json!({ "type": "text", "text": "one" })]
    );
}

#[test]
fn a_wrong_script_is_refused_with_its_place() {
    let text = r#"{"type":"text","text":"x"}"#;
    for (script, place) in [
        (
            "{\n \"turns\": [{\"block\": []}]\n}",
            "unknown field `block`",
        ),
        ("{\n \"turns\": [{\"block\": []}]\n}", "line 2 column"),
        (r#"{"turns":[]}"#, "turns: a script needs"),
        (r#"{"turns":[{"blocks":[]}]}"#, "turns[0].blocks: "),
        (
            &format!(r#"{{"turns":[{{"blocks":[{text}],"chunk_size":0}}]}}"#),
            "turns[0].chunk_size",
        ),
        (
            &format!(r#"{{"turns":[{{"blocks":[{text}],"stop":"tool_use"}}]}}"#),
            "turns[0].stop",
        ),
        (
            &format!(r#"{{"turns":[{{"blocks":[{text},{{"type":"text","text":""}}]}}]}}"#),
            "turns[0].blocks[1].text: must not be empty",
        ),
        (
            r#"{"turns":[{"blocks":[{"type":"tool_use","name":"a","input":[]}]}]}"#,
            "line 1 column",
        ),
    ] {
        let error = Script::parse(script).expect_err("is wrong").to_string();
        assert!(error.contains(place), "{error} does not name {place}");
    }
}

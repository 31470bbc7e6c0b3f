//! What a Messages request carries, byte for byte where it matters.

use hostler_provider::{
    Anthropic, ApiKey, Auth, Earlier, Effort, FastMode, ModelCapabilities, ModelErrorKind,
    ModelRequest, PromptCache, Provider, SealedMessages, Speed, Thinking,
};
use hostler_testkit::{ModelScript, RecordedRequest, Reply};
use serde_json::json;

use crate::fixture::*;

const MARK: &str = r#","cache_control":{"type":"ephemeral"}"#;

async fn request_of(request: ModelRequest) -> RecordedRequest {
    let model = ModelScript::start().await;
    model.reply(Reply::text("ok"));
    answer(&anthropic(&model), request).await;
    model.request(0).await
}

#[tokio::test]
async fn writes_one_fixed_body() {
    let sent = request_of(hello()).await;
    let schema = r#"{ "type":"object", "properties":{"n":{"type":"number","minimum":1.0}}}"#;
    let expected = [
        r#"{"model":"claude-opus-5-5","max_tokens":1000,"stream":true"#,
        r#","thinking":{"type":"adaptive"},"output_config":{"effort":"high"}"#,
        r#","system":[{"type":"text","text":"You are \"helpful\"."},"#,
        r#"{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}]"#,
        r#","tools":[{"name":"bash","description":"Runs a command.","input_schema":"#,
        schema,
        r#"},{"name":"read","input_schema":"#,
        schema,
        r#","cache_control":{"type":"ephemeral"}}]"#,
        r#","messages":[{"role":"user","content":["#,
        r#"{"type":"text","text":"hello","cache_control":{"type":"ephemeral"}}]}]}"#,
    ];
    assert_eq!(sent.text(), expected.concat());
    assert_eq!(sent.header("x-api-key"), KEY);
    assert_eq!(sent.header("anthropic-version"), "2023-06-01");
    assert_eq!(sent.header("anthropic-beta"), "");
    assert_eq!(sent.header("content-type"), "application/json");
}

#[tokio::test]
async fn the_prefix_of_a_conversation_never_changes() {
    let model = ModelScript::start().await;
    model.otherwise(|_| Reply::text("ok"));
    let provider = anthropic(&model);
    let mut request = hello();
    for turn in 0..6 {
        answer(&provider, request.clone()).await;
        let call =
            format!(r#"{{"type":"tool_use","id":"t{turn}","name":"bash","input":{{ "a":1.0 }}}}"#);
        let result =
            format!(r#"{{"type":"tool_result","tool_use_id":"t{turn}","content":"\u00fc"}}"#);
        request.messages.push(assistant(&[
            r#"{"type":"thinking","thinking":"","signature":"s=="}"#,
            &call,
        ]));
        request.messages.push(user(&[&result]));
    }
    let bodies: Vec<String> = model
        .requests()
        .iter()
        .map(|sent| sent.text().replace(MARK, ""))
        .collect();
    for pair in bodies.windows(2) {
        let earlier = pair[0].strip_suffix("]}").expect("the messages come last");
        assert!(pair[1].starts_with(earlier), "{}\n{}", pair[0], pair[1]);
    }
    assert!(bodies[5].contains(r#"{"type":"tool_result","tool_use_id":"t4","content":"\u00fc"}"#));
}

#[tokio::test]
async fn marks_the_ends_of_the_last_two_user_messages_and_never_more_than_four() {
    let mut request = hello();
    let thinking = r#"{"type":"thinking","thinking":"","signature":"s"}"#;
    request.messages = vec![
        user(&[r#"{"type":"text","text":"one"}"#]),
        assistant(&[thinking, r#"{"type":"text","text":"two"}"#]),
        user(&[r#"{"type":"tool_result","tool_use_id":"a","content":"x"}"#]),
        assistant(&[r#"{"type":"text","text":"three"}"#]),
        // What takes no mark is passed over.
        user(&[
            r#"{"type":"image","source":{"type":"url","url":"http://x"}}"#,
            r#"{"type":"text","text":" "}"#,
            r#"{"type":"other"}"#,
        ]),
    ];
    let sent = request_of(request.clone()).await;
    let marked: Vec<String> = sent.json()["messages"]
        .as_array()
        .expect("has messages")
        .iter()
        .flat_map(|message| message["content"].as_array().expect("has blocks"))
        .filter(|block| block.get("cache_control").is_some())
        .map(|block| block["type"].to_string())
        .collect();
    assert_eq!(marked, ["\"tool_result\"", "\"image\""]);
    assert_eq!(sent.text().matches("cache_control").count(), 4);

    // A block with a mark of its own is left as it is.
    let own = r#"{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}"#;
    request.messages = vec![user(&[own])];
    let sent = request_of(request).await;
    assert!(sent.text().contains(own));
    assert_eq!(sent.text().matches("cache_control").count(), 3);
}

#[tokio::test]
async fn the_cache_can_last_longer_or_be_off() {
    let model = ModelScript::start().await;
    model.otherwise(|_| Reply::text("ok"));
    for cache in [PromptCache::OneHour, PromptCache::Off] {
        let options = hostler_provider::AnthropicOptions {
            cache,
            ..anthropic_options(&model)
        };
        let provider = Provider::Anthropic(Anthropic::new(options).expect("the options are good"));
        answer(&provider, hello()).await;
    }
    let mark = r#""cache_control":{"type":"ephemeral","ttl":"1h"}"#;
    assert_eq!(model.request(0).await.text().matches(mark).count(), 3);
    assert!(!model.request(1).await.text().contains("cache_control"));
}

#[tokio::test]
async fn asks_a_model_only_for_what_it_can_do() {
    let mut request = hello();
    request.effort = Some(Effort::Xhigh);
    request.speed = Speed::Fast;
    let sent = request_of(request.clone()).await;
    let body = sent.json();
    assert_eq!(
        (&body["output_config"]["effort"], &body["speed"]),
        (&json!("xhigh"), &json!("fast"))
    );
    assert_eq!(sent.header("anthropic-beta"), "fast-mode-2026-02-01");

    request.model = "somebody-elses-model".to_owned();
    let sent = request_of(request.clone()).await;
    for field in ["output_config", "thinking", "speed"] {
        assert!(sent.json().get(field).is_none(), "{field}");
    }
    assert_eq!(sent.header("anthropic-beta"), "");

    request.model = "claude-opus-5-5".to_owned();
    request.thinking = Thinking::ModelDefault;
    request.effort = None;
    let sent = request_of(request).await;
    assert!(sent.json().get("thinking").is_none() && sent.json().get("output_config").is_none());
}

#[tokio::test]
async fn configuration_wins_over_what_is_built_in() {
    let model = ModelScript::start().await;
    model.reply(Reply::text("ok"));
    let mut options = anthropic_options(&model);
    options.auth = Auth::Bearer(ApiKey::new("token"));
    options.betas = vec!["one-2026".to_owned(), "two-2026".to_owned()];
    options.headers = vec![("x-gateway".to_owned(), ApiKey::new("yes"))];
    let capabilities = ModelCapabilities {
        efforts: vec![Effort::Low],
        fast: FastMode::Supported,
        ..ModelCapabilities::default()
    };
    options.capabilities.insert("mine".to_owned(), capabilities);
    let provider = Provider::Anthropic(Anthropic::new(options).expect("the options are good"));
    let request = ModelRequest {
        model: "mine".to_owned(),
        speed: Speed::Fast,
        ..hello()
    };
    answer(&provider, request).await;
    let sent = model.request(0).await;
    assert_eq!(sent.header("authorization"), "Bearer token");
    assert_eq!(sent.header("x-api-key"), "");
    assert_eq!(
        sent.header("anthropic-beta"),
        "one-2026,two-2026,fast-mode-2026-02-01"
    );
    assert_eq!(sent.header("x-gateway"), "yes");
    assert_eq!(sent.json()["output_config"]["effort"], "low");
    assert!(sent.json().get("thinking").is_none());
}

#[tokio::test]
async fn options_that_cannot_work_are_refused_when_they_are_made() {
    let model = ModelScript::start().await;
    let bad_address = |address: &str| hostler_provider::AnthropicOptions {
        base_url: address.to_owned(),
        ..anthropic_options(&model)
    };
    let mut bad_key = anthropic_options(&model);
    bad_key.auth = Auth::Header(ApiKey::new("line\nbreak"));
    let mut bad_header = anthropic_options(&model);
    bad_header.headers = vec![("no good".to_owned(), ApiKey::new(""))];
    for options in [
        bad_address("ftp://x"),
        bad_address("nonsense"),
        bad_key,
        bad_header,
    ] {
        let error = Anthropic::new(options).expect_err("cannot work");
        assert_eq!(error.kind, ModelErrorKind::NotConfigured);
        assert!(!error.message.contains("break"), "{error}");
    }
}

#[tokio::test]
async fn leaves_out_what_the_provider_would_refuse() {
    let mut request = hello();
    request.system = vec![" ".to_owned()];
    request.tools.clear();
    let foreign = r#"{"type":"thinking","thinking":"hm","signature":""}"#;
    request.messages.push(assistant(&[foreign]));
    request.messages.push(assistant(&[]));
    request
        .messages
        .push(assistant(&[foreign, r#"{"type":"text","text":"so"}"#]));
    request
        .messages
        .push(user(&[r#"{"type":"text","text":"go on"}"#]));
    let sent = request_of(request).await;
    let text = |text: &str| json!({ "type": "text", "text": text });
    let expected = [
        json!({ "role": "user", "content": [text("hello")] }),
        json!({ "role": "assistant", "content": [text("so")] }),
        json!({ "role": "user", "content": [text("go on")] }),
    ];
    assert_eq!(sent.messages(), expected);
    assert!(sent.json().get("system").is_none() && sent.json().get("tools").is_none());
}

/// The text that messages are sealed to.
fn sealed(messages: &[(&str, &str)], has_unsigned_thoughts: bool) -> Earlier {
    let message =
        |(role, block): &(&str, &str)| format!(r#"{{"role":"{role}","content":[{block}]}}"#);
    let texts: Vec<String> = messages.iter().map(message).collect();
    Earlier::Sealed(SealedMessages {
        json: texts.join(",").into(),
        count: messages.len(),
        has_unsigned_thoughts,
    })
}

#[tokio::test]
async fn a_sealed_conversation_is_sent_as_the_same_bytes() {
    let foreign = r#"{"type":"thinking","thinking":"hm","signature":""}"#;
    let (one, two) = (
        r#"{"type":"text","text":"one"}"#,
        r#"{"type":"text", "text":"two"}"#,
    );
    let mut open = hello();
    let newest = open.messages.clone();
    open.messages = vec![
        user(&[one]),
        assistant(&[two]),
        user(&[two]),
        assistant(&[foreign]),
    ];
    open.messages.extend(newest.clone());
    // Marks are for the newest messages, and these are sent as one request would send them.
    open.messages.insert(0, user(&[one]));
    let mut half = hello();
    half.earlier = vec![
        Earlier::Message(user(&[one])),
        sealed(&[("user", one), ("assistant", two)], false),
        sealed(&[("user", two), ("assistant", foreign)], true),
    ];
    assert_eq!(half.message_count(), open.messages.len());
    let (open, half) = (request_of(open).await, request_of(half).await);
    assert_eq!(open.text().replace(MARK, ""), half.text().replace(MARK, ""));
    assert!(!half.text().contains("hm"));
}

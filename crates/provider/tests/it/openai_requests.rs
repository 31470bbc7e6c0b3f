//! Canonical blocks as chat messages.

use hostler_provider::{
    Earlier, Effort, Message, ModelRequest, OpenAi, Provider, ReasoningBack, SealedMessages, Vendor,
};
use hostler_testkit::{ModelScript, RecordedRequest, Reply};
use serde_json::json;

use crate::fixture::*;

async fn request_of(request: ModelRequest) -> RecordedRequest {
    let model = ModelScript::start().await;
    model.reply(Reply::text("ok"));
    answer(&openai(&model), request).await;
    model.request(0).await
}

fn conversation() -> ModelRequest {
    let messages = vec![
        user(&[
            r#"{"type":"text","text":"look"}"#,
            r#"{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"QQ=="}}"#,
            r#"{"type":"image","source":{"type":"url","url":"https://x/y.png"}}"#,
        ]),
        assistant(&[
            r#"{"type":"thinking","thinking":"hm","signature":""}"#,
            r#"{"type":"text","text":"I look."}"#,
            r#"{"type":"tool_use","id":"a","name":"bash","input":{"n": 1.0}}"#,
            r#"{"type":"tool_use","id":"b","name":"read","input":{}}"#,
        ]),
        user(&[
            r#"{"type":"text","text":"and now"}"#,
            r#"{"type":"tool_result","tool_use_id":"a","content":"out","is_error":true}"#,
            r#"{"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"pic"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"Qg=="}}]}"#,
        ]),
    ];
    ModelRequest {
        messages,
        ..hello()
    }
}

#[tokio::test]
async fn translates_a_conversation() {
    let sent = request_of(conversation()).await;
    let expected = json!([
        { "role": "system", "content": "You are \"helpful\".\n\nBe brief." },
        { "role": "user", "content": [
            { "type": "text", "text": "look" },
            { "type": "image_url", "image_url": { "url": "data:image/jpeg;base64,QQ==" } },
            { "type": "image_url", "image_url": { "url": "https://x/y.png" } },
        ]},
        { "role": "assistant", "content": "I look.", "tool_calls": [
            { "id": "a", "type": "function",
              "function": { "name": "bash", "arguments": "{\"n\": 1.0}" } },
            { "id": "b", "type": "function", "function": { "name": "read", "arguments": "{}" } },
        ]},
        { "role": "tool", "tool_call_id": "a", "content": "[error] out" },
        { "role": "tool", "tool_call_id": "b", "content": "pic" },
        { "role": "user", "content": [
            { "type": "text", "text": "Images in the result of call b:" },
            { "type": "image_url", "image_url": { "url": "data:image/png;base64,Qg==" } },
            { "type": "text", "text": "and now" },
        ]},
    ]);
    assert_eq!(sent.json()["messages"], expected);
    assert_eq!(sent.header("authorization"), format!("Bearer {KEY}"));
}

#[tokio::test]
async fn a_plain_server_is_asked_for_nothing_special() {
    let body = request_of(hello()).await.json();
    assert_eq!(body["stream_options"], json!({ "include_usage": true }));
    assert_eq!(body["max_tokens"], 1000);
    for field in [
        "max_completion_tokens",
        "reasoning_effort",
        "thinking",
        "speed",
    ] {
        assert!(body.get(field).is_none(), "{field}");
    }
    let parameters =
        json!({ "type": "object", "properties": { "n": { "type": "number", "minimum": 1.0 } } });
    assert_eq!(
        body["tools"],
        json!([
            { "type": "function", "function":
                { "name": "bash", "description": "Runs a command.", "parameters": parameters } },
            { "type": "function", "function": { "name": "read", "parameters": parameters } },
        ])
    );
    assert_eq!(
        body["messages"][1],
        json!({ "role": "user", "content": "hello" })
    );
}

#[tokio::test]
async fn quirks_change_only_their_field() {
    let model = ModelScript::start().await;
    model.otherwise(|_| Reply::text("ok"));
    let mut options = openai_options(&model, Vendor::OpenAi);
    options.quirks.reasoning_back = ReasoningBack::ReasoningContent;
    let provider = Provider::OpenAi(OpenAi::new(options).expect("the options are good"));
    let request = ModelRequest {
        effort: Some(Effort::Max),
        ..conversation()
    };
    answer(&provider, request).await;
    let body = model.request(0).await.json();
    assert_eq!(body["max_completion_tokens"], 1000);
    assert!(body.get("max_tokens").is_none());
    assert_eq!(body["reasoning_effort"], "high");
    assert_eq!(body["messages"][2]["reasoning_content"], "hm");

    let options = openai_options(&model, Vendor::DeepSeek);
    let provider = Provider::OpenAi(OpenAi::new(options).expect("the options are good"));
    answer(&provider, conversation()).await;
    let sentence = "[an image that this model cannot be shown]";
    assert_eq!(
        model.request(1).await.json()["messages"][1]["content"],
        format!("look\n\n{sentence}\n\n{sentence}")
    );
}

#[tokio::test]
async fn what_the_dialect_cannot_carry_is_said() {
    let messages = vec![user(&[
        r#"{"type":"document","title":"notes","source":{"type":"text","media_type":"text/plain","data":"body"}}"#,
        r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"QQ=="}}"#,
    ])];
    let sent = request_of(ModelRequest {
        messages,
        ..hello()
    })
    .await;
    assert_eq!(
        sent.json()["messages"][1]["content"],
        "[notes]\nbody\n\n[a block of type document that this model cannot be shown]"
    );
}

#[tokio::test]
async fn a_sealed_conversation_is_translated_as_any_other() {
    let open = conversation();
    let mut half = conversation();
    let newest = half.messages.split_off(2);
    let text = |message: &Message| {
        let blocks: Vec<&str> = message.content.iter().map(|block| block.get()).collect();
        let (role, blocks) = (message.role.as_str(), blocks.join(","));
        format!(r#"{{"role":"{role}","content":[{blocks}]}}"#)
    };
    let texts: Vec<String> = half.messages.iter().map(text).collect();
    half.earlier = vec![Earlier::Sealed(SealedMessages {
        json: texts.join(",").into(),
        count: texts.len(),
        has_unsigned_thoughts: true,
    })];
    half.messages = newest;
    assert_eq!(request_of(open).await.text(), request_of(half).await.text());
}

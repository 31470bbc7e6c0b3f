//! Requests, providers and short names for chunks, for all tests.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hostler_provider::{
    Anthropic, AnthropicOptions, ApiKey, Auth, Block, BlockKind, Chunk, ChunkStream, Effort,
    Finished, HttpOptions, Message, ModelError, ModelRequest, OpenAi, OpenAiOptions, Provider,
    Role, Speed, Thinking, ToolDefinition, ToolUse, Vendor,
};
use hostler_testkit::{ModelScript, Reply};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) const KEY: &str = "test-key-1234";

pub(crate) fn key() -> Auth {
    Auth::Header(ApiKey::new(KEY))
}

pub(crate) fn anthropic_options(model: &ModelScript) -> AnthropicOptions {
    AnthropicOptions::new(model.anthropic_url(), key())
}

pub(crate) fn anthropic(model: &ModelScript) -> Provider {
    Provider::Anthropic(Anthropic::new(anthropic_options(model)).expect("the options are good"))
}

pub(crate) fn openai_options(model: &ModelScript, vendor: Vendor) -> OpenAiOptions {
    OpenAiOptions::new(model.openai_url(), Auth::Bearer(ApiKey::new(KEY)), vendor)
}

pub(crate) fn openai(model: &ModelScript) -> Provider {
    let options = openai_options(model, Vendor::Generic);
    Provider::OpenAi(OpenAi::new(options).expect("the options are good"))
}

pub(crate) fn impatient() -> HttpOptions {
    HttpOptions {
        stall_timeout: Duration::from_millis(50),
        ..HttpOptions::default()
    }
}

pub(crate) fn raw(json: &str) -> Arc<RawValue> {
    Arc::from(RawValue::from_string(json.to_owned()).expect("is JSON"))
}

pub(crate) fn user(blocks: &[&str]) -> Message {
    Message {
        role: Role::User,
        content: blocks.iter().map(|block| raw(block)).collect(),
    }
}

pub(crate) fn assistant(blocks: &[&str]) -> Message {
    Message {
        role: Role::Assistant,
        content: blocks.iter().map(|block| raw(block)).collect(),
    }
}

pub(crate) fn hello() -> ModelRequest {
    ModelRequest {
        model: "claude-opus-5-5".to_owned(),
        system: vec!["You are \"helpful\".".to_owned(), "Be brief.".to_owned()],
        tools: vec![tool("bash", "Runs a command."), tool("read", "")],
        earlier: Vec::new(),
        messages: vec![user(&[r#"{"type":"text","text":"hello"}"#])],
        max_tokens: 1000,
        effort: Some(Effort::High),
        speed: Speed::Standard,
        thinking: Thinking::Adaptive,
    }
}

fn tool(name: &str, description: &str) -> ToolDefinition {
    let input_schema =
        raw(r#"{ "type":"object", "properties":{"n":{"type":"number","minimum":1.0}}}"#);
    ToolDefinition {
        name: name.to_owned(),
        description: description.to_owned(),
        input_schema,
    }
}

pub(crate) async fn collect(stream: ChunkStream) -> (Vec<Chunk>, Option<ModelError>) {
    let mut chunks = Vec::new();
    let mut error = None;
    for item in stream.collect::<Vec<_>>().await {
        assert!(error.is_none(), "nothing follows an error");
        match item {
            Ok(chunk) => chunks.push(chunk),
            Err(failure) => error = Some(failure),
        }
    }
    (chunks, error)
}

/// One answer that must succeed.
pub(crate) async fn answer(provider: &Provider, request: ModelRequest) -> Vec<Chunk> {
    let (chunks, error) = collect(provider.stream(Arc::new(request))).await;
    assert!(error.is_none(), "{error:?} after {chunks:?}");
    chunks
}

/// One answer that must fail.
pub(crate) async fn failure(provider: &Provider, request: ModelRequest) -> ModelError {
    let (chunks, error) = collect(provider.stream(Arc::new(request))).await;
    error.unwrap_or_else(|| panic!("it did not fail: {chunks:?}"))
}

pub(crate) async fn failure_of(reply: Reply) -> ModelError {
    let model = ModelScript::start().await;
    model.reply(reply);
    failure(&anthropic(&model), hello()).await
}

pub(crate) fn blocks(chunks: &[Chunk]) -> Vec<Block> {
    chunks
        .iter()
        .filter_map(|chunk| {
            if let Chunk::Block(block) = chunk {
                Some(block.clone())
            } else {
                None
            }
        })
        .collect()
}

pub(crate) fn blocks_json(chunks: &[Chunk]) -> Vec<Value> {
    let json = |block: Block| serde_json::from_str(block.json.get()).expect("is JSON");
    blocks(chunks).into_iter().map(json).collect()
}

pub(crate) fn tool_uses(chunks: &[Chunk]) -> Vec<ToolUse> {
    blocks(chunks)
        .into_iter()
        .filter_map(|block| {
            if let BlockKind::ToolUse(call) = block.kind {
                Some(call)
            } else {
                None
            }
        })
        .collect()
}

pub(crate) fn finished(chunks: &[Chunk]) -> Finished {
    match chunks.last() {
        Some(Chunk::Finished(finished)) => finished.clone(),
        other => panic!("the last chunk is {other:?}"),
    }
}

/// Each chunk as a short line.
pub(crate) fn outline(chunks: &[Chunk]) -> Vec<String> {
    let line = |chunk: &Chunk| match chunk {
        Chunk::Started => "started".to_owned(),
        Chunk::TextStart { index } => format!("{index} text start"),
        Chunk::TextDelta { index, text } => format!("{index} text {text:?}"),
        Chunk::ThinkingStart { index } => format!("{index} thinking start"),
        Chunk::Block(block) => {
            let kind = match &block.kind {
                BlockKind::Text { text } => format!("text {text:?}"),
                BlockKind::Thinking => "thinking".to_owned(),
                BlockKind::RedactedThinking => "redacted thinking".to_owned(),
                BlockKind::ToolUse(call) => format!("{} {}", call.name, call.input),
                BlockKind::Other { block_type } => format!("other {block_type}"),
            };
            format!("{} block {kind}", block.index)
        }
        Chunk::Finished(finished) => format!("finished {:?}", finished.stop),
    };
    chunks.iter().map(line).collect()
}

//! LLM APIs: a request in, a stream of chunks out.
//!
//! [`Provider::stream`] is the one entry point. Each adapter turns one [`ModelRequest`] into its
//! provider's wire and the answer back into [`Chunk`]s, whose blocks are canonical Anthropic
//! Messages JSON. Dropping the stream aborts the request.
//!
//! This crate knows no session, keeps no state between calls and never tries a call again: the
//! engine decides that and records it. Everything that a provider sends is bounded (`limits.rs`).

mod address;
mod answer;
mod anthropic;
mod api_key;
mod assembly;
mod chunk;
mod client;
mod error;
mod failure;
mod fake;
mod limits;
mod openai;
mod raw_object;
mod request;
mod retry_after;
mod scripted;
mod sse;

use std::sync::Arc;

use futures::stream::BoxStream;

pub use anthropic::{
    Anthropic, AnthropicOptions, FastMode, ModelCapabilities, PromptCache, ThinkingSupport,
};
pub use api_key::{ApiKey, Auth};
pub use chunk::{
    Block, BlockKind, Chunk, Finished, INVALID_INPUT_FIELD, StopReason, ToolUse, Usage,
};
pub use client::HttpOptions;
pub use error::{ModelError, ModelErrorKind};
pub use fake::Fake;
pub use openai::{
    ContentForm, EffortField, MaxTokensField, OpenAi, OpenAiOptions, Quirks, ReasoningBack, Vendor,
};
pub use request::{
    Earlier, Effort, Message, ModelRequest, Role, SealedMessages, Speed, Thinking, ToolDefinition,
};
pub use scripted::{Script, ScriptError, Scripted};

/// The answer of a model. Dropping it aborts the request at once; nothing runs before it is polled.
pub type ChunkStream = BoxStream<'static, Result<Chunk, ModelError>>;

/// Who answers. A closed set, cheap to clone.
#[derive(Debug, Clone)]
pub enum Provider {
    Anthropic(Anthropic),
    OpenAi(OpenAi),
    Scripted(Scripted),
    Fake(Fake),
}

impl Provider {
    pub fn stream(&self, request: Arc<ModelRequest>) -> ChunkStream {
        match self {
            Self::Anthropic(anthropic) => anthropic.stream(&request),
            Self::OpenAi(openai) => openai.stream(&request),
            Self::Scripted(scripted) => scripted.stream(&request),
            Self::Fake(fake) => fake.stream(request),
        }
    }
}

//! What a model is asked: one request type for all providers. Content blocks are canonical
//! Anthropic Messages JSON and are never parsed into a tree here, because a prompt cache only
//! holds while the bytes of the history stay the same.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One call of a model.
#[derive(Debug, Clone)]
pub struct ModelRequest {
    /// The id that the upstream provider knows.
    pub model: String,
    /// Sections of the system prompt, in order. May be empty.
    pub system: Vec<String>,
    pub tools: Vec<ToolDefinition>,
    /// The conversation, oldest first. It begins with the user and ends with the user.
    pub messages: Vec<Message>,
    pub max_tokens: u32,
    /// `None` leaves the effort to the provider's default.
    pub effort: Option<Effort>,
    pub speed: Speed,
    pub thinking: Thinking,
}

#[derive(Debug, Clone)]
pub struct ToolDefinition {
    pub name: String,
    /// An empty description is left out of the request.
    pub description: String,
    /// A JSON Schema object.
    pub input_schema: Arc<RawValue>,
}

#[derive(Debug, Clone)]
pub struct Message {
    pub role: Role,
    /// Canonical Anthropic blocks, passed through byte for byte. A block that carries a
    /// `cache_control` keeps it and gets none from us.
    pub content: Vec<Arc<RawValue>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// How many tokens a model may spend on being thorough. Ordered: `Low < Max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Effort {
    pub const ALL: [Self; 5] = [Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speed {
    #[default]
    Standard,
    /// Asked for only of a model whose capabilities say that it has a fast mode.
    Fast,
}

/// Whether the request asks for thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Thinking {
    /// Adaptive thinking where the model's capabilities name it, otherwise nothing is asked for.
    #[default]
    Adaptive,
    /// The request says nothing about thinking, so that the model's own default holds.
    ModelDefault,
}

//! What a model is asked: one request type for all providers. Content blocks are canonical
//! Anthropic Messages JSON and are never parsed into a tree here, because a prompt cache only
//! holds while the bytes of the history stay the same.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{ModelError, ModelErrorKind};

/// One call of a model.
#[derive(Debug, Clone)]
pub struct ModelRequest {
    /// The id that the upstream provider knows.
    pub model: String,
    /// Sections of the system prompt, in order. May be empty.
    pub system: Vec<String>,
    pub tools: Vec<ToolDefinition>,
    /// The conversation before `messages`, oldest first, the same in every later request.
    pub earlier: Vec<Earlier>,
    /// The conversation, oldest first. With what is earlier it begins with the user and ends with
    /// the user. The last two messages of the user are here, since they get cache marks.
    pub messages: Vec<Message>,
    pub max_tokens: u32,
    /// `None` leaves the effort to the provider's default.
    pub effort: Option<Effort>,
    pub speed: Speed,
    pub thinking: Thinking,
}

/// A part of the conversation that no later request changes.
#[derive(Debug, Clone)]
pub enum Earlier {
    Sealed(SealedMessages),
    Message(Message),
}

/// Messages as text, so that a request of a long conversation is put together without looking at
/// each of them.
#[derive(Debug, Clone)]
pub struct SealedMessages {
    /// `{"role":"user","content":[…]}` for each, with commas between them. The blocks are those
    /// that [`Message`] would have.
    pub json: Arc<str>,
    pub count: usize,
    /// Whether an adapter that takes no thoughts without a signature has to look.
    pub has_unsigned_thoughts: bool,
}

impl ModelRequest {
    pub fn message_count(&self) -> usize {
        let earlier = self.earlier.iter().map(|earlier| match earlier {
            Earlier::Sealed(sealed) => sealed.count,
            Earlier::Message(_) => 1,
        });
        earlier.sum::<usize>() + self.messages.len()
    }

    /// The whole conversation, for adapters that translate each message.
    pub(crate) fn all_messages(&self) -> Result<Vec<Message>, ModelError> {
        let mut messages = Vec::new();
        for earlier in &self.earlier {
            match earlier {
                Earlier::Sealed(sealed) => messages.extend(sealed.messages()?),
                Earlier::Message(message) => messages.push(message.clone()),
            }
        }
        messages.extend(self.messages.iter().cloned());
        Ok(messages)
    }
}

impl SealedMessages {
    pub(crate) fn messages(&self) -> Result<Vec<Message>, ModelError> {
        serde_json::from_str(&format!("[{}]", self.json)).map_err(|error| {
            let message = format!("the conversation is not valid: {error}");
            ModelError::new(ModelErrorKind::InvalidRequest, message)
        })
    }
}

#[derive(Debug, Clone)]
pub struct ToolDefinition {
    pub name: String,
    /// An empty description is left out of the request.
    pub description: String,
    /// A JSON Schema object.
    pub input_schema: Arc<RawValue>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    pub role: Role,
    /// Canonical Anthropic blocks, passed through byte for byte. A block that carries a
    /// `cache_control` keeps it and gets none from us.
    pub content: Vec<Arc<RawValue>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
    /// What is added to the instructions in the middle of a conversation. Only for models whose
    /// entry says that they take it.
    System,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
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

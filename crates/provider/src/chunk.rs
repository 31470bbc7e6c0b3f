//! What a model answers: a stream of chunks that is the same for all providers. Text chunks are
//! previews; a finished block carries the whole content again, in canonical form.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::request::Speed;

/// A stream has at most one `Started`, then previews and blocks, then exactly one `Finished`
/// as its last item, unless it ends in an error.
#[derive(Debug, Clone)]
pub enum Chunk {
    /// The provider accepted the request and began to answer.
    Started,
    TextStart {
        index: usize,
    },
    TextDelta {
        index: usize,
        text: String,
    },
    ThinkingStart {
        index: usize,
    },
    Block(Block),
    Finished(Finished),
}

/// A finished content block.
#[derive(Debug, Clone)]
pub struct Block {
    /// The same number as in the previews of this block. Unique in one answer.
    pub index: usize,
    pub kind: BlockKind,
    /// The block as canonical Anthropic JSON: what belongs into the next request.
    pub json: Arc<RawValue>,
}

#[derive(Debug, Clone)]
pub enum BlockKind {
    Text {
        text: String,
    },
    /// The content stays in `Block::json`, with its signature byte for byte.
    Thinking,
    RedactedThinking,
    ToolUse(ToolUse),
    /// A block type that this version does not know. It survives in `Block::json`.
    Other {
        block_type: String,
    },
}

#[derive(Debug, Clone)]
pub struct ToolUse {
    pub id: String,
    pub name: String,
    /// **Invariant:** always a JSON object.
    pub input: Arc<RawValue>,
    /// Set where the model wrote something that is no JSON object. The tool must not run; the
    /// model is told this sentence instead.
    pub invalid_input: Option<String>,
}

/// The one field of a tool input that stands for arguments which are no JSON object. It holds
/// the text that the model wrote, so that the history stays valid for every provider and the
/// fact survives in the log.
pub const INVALID_INPUT_FIELD: &str = "__invalid_json";

#[derive(Debug, Clone)]
pub struct Finished {
    pub stop: StopReason,
    pub usage: Usage,
    /// The model that answered, when the provider names it.
    pub model: Option<String>,
    /// The speed that was billed, when the provider names it.
    pub speed: Option<Speed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    EndTurn,
    ToolUse,
    MaxTokens,
    StopSequence,
    Refusal {
        category: Option<String>,
        explanation: Option<String>,
    },
    PauseTurn,
    ContextWindowExceeded,
    /// A reason that this version does not know, as the provider wrote it (bounded).
    Other(String),
}

/// Tokens of one call. The input counts do not overlap: their sum is the whole prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_creation_5m: u64,
    pub cache_creation_1h: u64,
    pub cache_read: u64,
}

//! The format of a script, parsed strictly: an unknown field or an impossible turn is an error
//! that names its place.
//!
//! ```json
//! {
//!   "turns": [
//!     {
//!       "when": { "user_contains": "weather" },
//!       "blocks": [
//!         { "type": "thinking", "thinking": "I should look." },
//!         { "type": "text", "text": "Let me look." },
//!         { "type": "tool_use", "name": "bash", "input": { "command": "curl wttr.in" } }
//!       ]
//!     },
//!     { "when": { "user_contains": "weather" }, "blocks": [{ "type": "text", "text": "Rain." }] },
//!     { "blocks": [], "error": { "kind": "overloaded", "message": "come back later" } }
//!   ]
//! }
//! ```
//!
//! Which turn answers: of the turns whose `when` fits the last text of the user, the *n*-th,
//! where *n* is the number of assistant messages since that text. So turns with the same `when`
//! are the steps of one task, and a turn without `when` at the end answers everything else.

use serde::Deserialize;

use crate::chunk::{StopReason, Usage};
use crate::error::{ModelError, ModelErrorKind};
use crate::limits;

/// A parsed script.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    turns: Vec<ScriptTurn>,
}

/// Why a script was refused. The message names the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScriptError(String);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScriptTurn {
    /// Absent: the turn fits every text.
    #[serde(default)]
    when: Option<When>,
    #[serde(default)]
    pub(super) blocks: Vec<ScriptBlock>,
    /// Absent: `tool_use` where a block calls a tool, otherwise `end_turn`.
    #[serde(default)]
    stop: Option<ScriptStop>,
    /// The answer ends in this failure, after its blocks.
    #[serde(default)]
    pub(super) error: Option<ScriptFailure>,
    /// Absent: estimated from the lengths.
    #[serde(default)]
    pub(super) usage: Option<Usage>,
    /// Characters in one preview of text.
    #[serde(default)]
    chunk_size: Option<usize>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    /// Compared without regard to case.
    user_contains: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ScriptBlock {
    Thinking {
        thinking: String,
    },
    Text {
        text: String,
    },
    ToolUse {
        name: String,
        input: serde_json::Map<String, serde_json::Value>,
    },
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScriptStop {
    EndTurn,
    ToolUse,
    MaxTokens,
    StopSequence,
    Refusal,
    PauseTurn,
    ContextWindowExceeded,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScriptFailure {
    kind: ModelErrorKind,
    message: String,
    #[serde(default)]
    retry_after_seconds: Option<u32>,
}

impl Script {
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        if text.len() > limits::SCRIPT_BYTES_MAX {
            return Err(ScriptError(format!(
                "a script may have {} bytes, this one has {}",
                limits::SCRIPT_BYTES_MAX,
                text.len()
            )));
        }
        let script: Self =
            serde_json::from_str(text).map_err(|error| ScriptError(error.to_string()))?;
        script.check()?;
        Ok(script)
    }

    /// The hosted quickstart: write a Fibonacci script, run it, keep the output.
    #[expect(
        clippy::expect_used,
        reason = "the text is part of the binary and of the tests"
    )]
    pub fn fibonacci() -> Self {
        Self::parse(include_str!("fibonacci.json")).expect("the built-in script is valid")
    }

    /// The turn for the given step after the given text, or `None` past the end.
    pub(super) fn turn(&self, user_text: &str, step: usize) -> Option<&ScriptTurn> {
        let user_text = user_text.to_lowercase();
        self.turns
            .iter()
            .filter(|turn| turn.fits(&user_text))
            .nth(step)
    }

    fn check(&self) -> Result<(), ScriptError> {
        if self.turns.is_empty() {
            return Err(ScriptError(
                "turns: a script needs at least one turn".to_owned(),
            ));
        }
        if self.turns.len() > limits::SCRIPT_TURNS_MAX {
            return Err(ScriptError(format!(
                "turns: a script may have {} turns, this one has {}",
                limits::SCRIPT_TURNS_MAX,
                self.turns.len()
            )));
        }
        for (number, turn) in self.turns.iter().enumerate() {
            turn.check()
                .map_err(|problem| ScriptError(format!("turns[{number}].{problem}")))?;
        }
        Ok(())
    }
}

impl ScriptTurn {
    /// What is said when the script has ended: a text, so that a conversation never loops.
    pub(super) fn past_the_end() -> Self {
        let text = "The script has no turn left for this conversation.".to_owned();
        Self {
            blocks: vec![ScriptBlock::Text { text }],
            ..Self::default()
        }
    }

    pub(super) fn stop_reason(&self) -> StopReason {
        match self.stop {
            Some(stop) => stop.to_stop_reason(),
            None if self.calls_a_tool() => StopReason::ToolUse,
            None => StopReason::EndTurn,
        }
    }

    fn calls_a_tool(&self) -> bool {
        self.blocks
            .iter()
            .any(|block| matches!(block, ScriptBlock::ToolUse { .. }))
    }

    pub(super) fn chunk_size(&self) -> usize {
        self.chunk_size.unwrap_or(limits::SCRIPT_CHUNK_CHARS)
    }

    fn fits(&self, user_text_lowercase: &str) -> bool {
        self.when
            .as_ref()
            .is_none_or(|when| user_text_lowercase.contains(&when.user_contains.to_lowercase()))
    }

    fn check(&self) -> Result<(), String> {
        if self.chunk_size == Some(0) {
            return Err("chunk_size: must be at least 1".to_owned());
        }
        if self.error.is_some() && self.stop.is_some() {
            return Err("stop: a turn that ends in an error has no stop reason".to_owned());
        }
        if self.error.is_none() && self.blocks.is_empty() && self.stop.is_none() {
            return Err("blocks: a turn needs a block, a stop reason or an error".to_owned());
        }
        let says_tool_use = matches!(self.stop, Some(ScriptStop::ToolUse));
        if says_tool_use && !self.calls_a_tool() {
            return Err("stop: tool_use needs a block that calls a tool".to_owned());
        }
        for (number, block) in self.blocks.iter().enumerate() {
            block
                .check()
                .map_err(|problem| format!("blocks[{number}].{problem}"))?;
        }
        Ok(())
    }
}

impl ScriptBlock {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Text { text } if text.is_empty() => Err("text: must not be empty".to_owned()),
            Self::ToolUse { name, .. } if name.is_empty() => {
                Err("name: must not be empty".to_owned())
            }
            Self::Thinking { .. } | Self::Text { .. } | Self::ToolUse { .. } => Ok(()),
        }
    }
}

impl ScriptStop {
    fn to_stop_reason(self) -> StopReason {
        match self {
            Self::EndTurn => StopReason::EndTurn,
            Self::ToolUse => StopReason::ToolUse,
            Self::MaxTokens => StopReason::MaxTokens,
            Self::StopSequence => StopReason::StopSequence,
            Self::Refusal => StopReason::Refusal {
                category: None,
                explanation: None,
            },
            Self::PauseTurn => StopReason::PauseTurn,
            Self::ContextWindowExceeded => StopReason::ContextWindowExceeded,
        }
    }
}

impl ScriptFailure {
    pub(super) fn to_model_error(&self) -> ModelError {
        let retry_after = self
            .retry_after_seconds
            .map(|seconds| std::time::Duration::from_secs(seconds.into()))
            .map(|wait| wait.min(limits::RETRY_AFTER_MAX));
        ModelError {
            retry_after,
            ..ModelError::new(self.kind, &self.message)
        }
    }
}

//! Content blocks in the making, for all dialects: text that is previewed while it grows, and
//! tool calls whose arguments come as pieces of JSON.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::chunk::{Chunk, INVALID_INPUT_FIELD, ToolUse};
use crate::error::{ModelError, one_line};
use crate::limits;
use crate::raw_object::raw;

/// Text that grows. It is shown from its first visible character on: providers send blocks of
/// nothing but white space, which no provider takes back.
#[derive(Debug, Default)]
pub(crate) struct GrowingText {
    text: String,
    shown: bool,
}

impl GrowingText {
    pub(crate) fn push(&mut self, index: usize, piece: &str, chunks: &mut Vec<Chunk>) {
        self.text.push_str(piece);
        if self.shown {
            if !piece.is_empty() {
                chunks.push(Chunk::TextDelta {
                    index,
                    text: piece.to_owned(),
                });
            }
        } else if !self.text.trim_start().is_empty() {
            self.shown = true;
            chunks.push(Chunk::TextStart { index });
            chunks.push(Chunk::TextDelta {
                index,
                text: self.text.clone(),
            });
        }
    }

    /// `None` where nothing visible was said.
    pub(crate) fn finish(self) -> Option<String> {
        self.shown.then_some(self.text)
    }
}

/// A finished tool call. Arguments that are no JSON object never fail the answer: they become an
/// object with the one field [`INVALID_INPUT_FIELD`], and the call says why it must not run.
pub(crate) fn tool_use(id: String, name: String, arguments: &str) -> ToolUse {
    let arguments = arguments.trim();
    if arguments.is_empty() {
        return ToolUse {
            id,
            name,
            input: empty_object(),
            invalid_input: None,
        };
    }
    match checked_object(arguments) {
        Ok(input) => ToolUse {
            id,
            name,
            input,
            invalid_input: None,
        },
        Err(reason) => {
            let text: String = arguments
                .chars()
                .take(limits::INVALID_INPUT_CHARS_MAX)
                .collect();
            let field = std::collections::BTreeMap::from([(INVALID_INPUT_FIELD, text)]);
            let sentence = format!("the arguments are not a valid JSON object: {reason}");
            ToolUse {
                id,
                name,
                input: Arc::from(raw(&field)),
                invalid_input: Some(sentence),
            }
        }
    }
}

/// Reads the whole tree once and drops it, so that whoever parses the raw text later meets
/// neither broken strings nor a depth that no parser takes.
fn checked_object(text: &str) -> Result<Arc<RawValue>, serde_json::Error> {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)?;
    Ok(Arc::from(serde_json::from_str::<Box<RawValue>>(text)?))
}

fn empty_object() -> Arc<RawValue> {
    Arc::from(raw(&std::collections::BTreeMap::<&str, &str>::new()))
}

/// An id or a name that the provider chose.
pub(crate) fn foreign_name(name: String, what: &str) -> Result<String, ModelError> {
    let length = name.chars().count();
    if name.is_empty() || length > limits::FOREIGN_NAME_CHARS_MAX {
        let message = format!("the model called a tool with {what} of {length} characters");
        return Err(ModelError::malformed(message));
    }
    Ok(name)
}

/// A word of the provider that is only shown or recorded.
pub(crate) fn foreign_word(word: &str) -> String {
    one_line(word, limits::FOREIGN_NAME_CHARS_MAX)
}

pub(crate) fn tokens(count: Option<u64>) -> u64 {
    count.unwrap_or_default().min(limits::TOKENS_MAX)
}

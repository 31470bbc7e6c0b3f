//! Prompt-cache marks. A mark is spliced into the text of a JSON object, whose other bytes stay
//! as they are: a cache only holds while the prefix is the same, byte for byte.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::limits;
use crate::request::{Message, Role};

/// How long the provider keeps our prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PromptCache {
    Off,
    #[default]
    FiveMinutes,
    /// Costs more to write; for sessions with long pauses.
    OneHour,
}

impl PromptCache {
    /// The field to splice in, with no comma.
    pub(super) fn field(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::FiveMinutes => Some(r#""cache_control":{"type":"ephemeral"}"#),
            Self::OneHour => Some(r#""cache_control":{"type":"ephemeral","ttl":"1h"}"#),
        }
    }
}

/// Where in the messages marks belong: (message, block). The last markable block of each of the
/// last user messages, so that this request writes a prefix and the one before it can be read.
pub(super) fn places_in_messages(messages: &[Message]) -> Vec<(usize, usize)> {
    messages
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, message)| message.role == Role::User)
        .take(limits::CACHE_MARKED_MESSAGES)
        .filter_map(|(number, message)| {
            let block = message
                .content
                .iter()
                .rposition(|block| takes_mark(block))?;
            Some((number, block))
        })
        .collect()
}

/// Writes an object with the field as its last one.
pub(super) fn splice(object: &str, field: &str, out: &mut Vec<u8>) {
    match object.strip_suffix('}') {
        Some(open) => {
            out.extend_from_slice(open.as_bytes());
            out.push(b',');
            out.extend_from_slice(field.as_bytes());
            out.push(b'}');
        }
        None => out.extend_from_slice(object.as_bytes()),
    }
}

/// Thinking, empty text and unknown blocks take no mark; a block with a mark of its own keeps it.
fn takes_mark(block: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Candidate {
        r#type: String,
        text: Option<String>,
        cache_control: Option<serde::de::IgnoredAny>,
    }
    let Ok(block) = serde_json::from_str::<Candidate>(block.get()) else {
        return false;
    };
    let may = match block.r#type.as_str() {
        "text" => block.text.is_some_and(|text| !text.trim().is_empty()),
        "image" | "document" | "tool_use" | "tool_result" | "search_result" => true,
        _ => false,
    };
    may && block.cache_control.is_none()
}

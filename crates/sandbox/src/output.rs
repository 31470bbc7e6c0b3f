//! What a tool answers: blocks for the model, and whether it failed.
//!
//! A result always says something: an empty text block is refused by model APIs and
//! wedges the session that holds it, so none can be built here or taken from a sandbox.

use serde::{Deserialize, Serialize};

use crate::limits::{READ_DOCUMENT_BYTES_MAX, READ_IMAGE_BASE64_BYTES_MAX};

/// What is said where a tool succeeded silently.
const NO_OUTPUT: &str = "(no output)";
/// Preview, notes and the text of a sandbox never come near it.
const TEXT_BYTES_MAX: usize = 1 << 20;
const BLOCKS_MAX: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    pub blocks: Vec<Block>,
    pub is_error: bool,
}

/// `data` is base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Block {
    Text(String),
    Image { media_type: String, data: String },
    Document { media_type: String, data: String },
}

impl Output {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            blocks: vec![Block::Text(not_empty(text.into()))],
            is_error: false,
        }
    }

    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self {
            blocks: vec![Block::Text(not_empty(text.into()))],
            is_error: true,
        }
    }

    /// The text of all text blocks.
    pub fn joined_text(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Text(text) => Some(text.as_str()),
            Block::Image { .. } | Block::Document { .. } => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// Checks an answer that came from a sandbox, which may say anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.blocks.is_empty() || self.blocks.len() > BLOCKS_MAX {
            return Err(format!("{} blocks in one answer", self.blocks.len()));
        }
        self.blocks.iter().try_for_each(Block::check)
    }
}

impl Block {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Text(text) if text.is_empty() => Err("an empty text block".to_owned()),
            Self::Text(text) if text.len() > TEXT_BYTES_MAX => {
                Err(format!("a text block of {} bytes", text.len()))
            }
            Self::Text(_) => Ok(()),
            Self::Image { media_type, data } => {
                let known = ["image/png", "image/jpeg", "image/gif", "image/webp"];
                check_binary(&known, media_type, data, READ_IMAGE_BASE64_BYTES_MAX)
            }
            Self::Document { media_type, data } => {
                let bytes_max = READ_DOCUMENT_BYTES_MAX.div_ceil(3) * 4;
                check_binary(&["application/pdf"], media_type, data, bytes_max)
            }
        }
    }
}

fn check_binary(
    known: &[&str],
    media_type: &str,
    data: &str,
    bytes_max: u64,
) -> Result<(), String> {
    if !known.contains(&media_type) {
        return Err("a block of an unknown media type".to_owned());
    }
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    if data.is_empty() || data.len() as u64 > bytes_max || !data.bytes().all(base64) {
        return Err(format!(
            "a block of {} bytes that is not acceptable base64",
            data.len()
        ));
    }
    Ok(())
}

fn not_empty(text: String) -> String {
    if text.is_empty() {
        NO_OUTPUT.to_owned()
    } else {
        text
    }
}

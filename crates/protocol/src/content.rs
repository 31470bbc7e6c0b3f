//! Content blocks of messages and tool results, as clients send them and as events show them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{At, Invalid};

/// Longest text of one block, in characters.
const TEXT_CHARS_MAX: usize = 32 * 1024 * 1024;
const URL_CHARS_MAX: usize = 8_192;
/// What models can see. A type that no provider takes would fail every later turn too.
const IMAGE_TYPES: &[(&str, &str)] = &[
    ("image/jpeg", "image/jpeg"),
    ("image/png", "image/png"),
    ("image/gif", "image/gif"),
    ("image/webp", "image/webp"),
];
const DOCUMENT_TYPES: &[(&str, &str)] = &[("application/pdf", "application/pdf")];
const TITLE_CHARS_MAX: usize = 4_096;
/// Pieces of text in one search result.
const SEARCH_TEXTS_MAX: usize = 1_000;
const FILE_ID_CHARS: std::ops::RangeInclusive<usize> = 1..=128;

/// A block of a `user.message` or of a tool's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentBlock {
    Text {
        text: String,
    },
    Image {
        source: Source,
    },
    Document {
        source: Source,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<String>,
    },
    /// In results of tools only.
    SearchResult {
        source: String,
        title: String,
        content: Vec<SearchText>,
        citations: Citations,
    },
}

/// A piece of what a search has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SearchText {
    Text { text: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Citations {
    pub enabled: bool,
}

/// Where the bytes of an image or a document are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Source {
    Base64 {
        media_type: String,
        data: String,
    },
    /// Documents only.
    Text {
        media_type: String,
        data: String,
    },
    /// Fetched by the model's provider, never by Hostler.
    Url {
        url: String,
    },
    File {
        file_id: String,
    },
}

impl ContentBlock {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// The file that holds its bytes, if one does.
    pub fn file_id(&self) -> Option<&str> {
        match self {
            Self::Image { source } | Self::Document { source, .. } => match source {
                Source::File { file_id } => Some(file_id),
                Source::Base64 { .. } | Source::Text { .. } | Source::Url { .. } => None,
            },
            Self::Text { .. } | Self::SearchResult { .. } => None,
        }
    }

    /// A block of a `user.message`.
    pub fn decode_user(at: At<'_>) -> Result<Self, Invalid> {
        Self::decode(at, &["text", "image", "document"])
    }

    /// A block of the result of a tool that the client runs.
    pub fn decode_result(at: At<'_>) -> Result<Self, Invalid> {
        Self::decode(at, &["text", "image", "document", "search_result"])
    }

    /// A block of a `system.message`.
    pub fn decode_system(at: At<'_>) -> Result<Self, Invalid> {
        Self::decode(at, &["text"])
    }

    fn decode(at: At<'_>, kinds: &[&str]) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let kind = fields.tag()?;
        if kind == "redacted" {
            let message = "a redacted block is only ever sent by the server";
            return Err(fields.at().invalid(message));
        }
        if !kinds.contains(&kind) {
            return Err(fields.unknown_tag(kind, kinds));
        }
        let block = match kind {
            "text" => Self::Text {
                text: fields.required("text", |at| at.text(1..=TEXT_CHARS_MAX))?,
            },
            "image" => Self::Image {
                source: fields.required("source", Source::decode_image)?,
            },
            "document" => Self::Document {
                source: fields.required("source", Source::decode_document)?,
                title: fields.nullable("title", |at| at.text(0..=TITLE_CHARS_MAX))?,
                context: fields.nullable("context", |at| at.text(0..=TEXT_CHARS_MAX))?,
            },
            _ => Self::SearchResult {
                source: fields.required("source", |at| at.text(1..=URL_CHARS_MAX))?,
                title: fields.required("title", |at| at.text(1..=TITLE_CHARS_MAX))?,
                content: fields.required("content", |at| {
                    at.list(1..=SEARCH_TEXTS_MAX, SearchText::decode)
                })?,
                citations: fields.required("citations", Citations::decode)?,
            },
        };
        fields.finish()?;
        Ok(block)
    }
}

impl SearchText {
    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        match fields.tag()? {
            "text" => {}
            other => return Err(fields.unknown_tag(other, &["text"])),
        }
        let text = fields.required("text", |at| at.text(1..=TEXT_CHARS_MAX))?;
        fields.finish()?;
        Ok(Self::Text { text })
    }
}

impl Citations {
    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let enabled = fields.required("enabled", |at| at.boolean())?;
        fields.finish()?;
        Ok(Self { enabled })
    }
}

impl Source {
    fn decode_image(at: At<'_>) -> Result<Self, Invalid> {
        Self::decode(at, &["base64", "url", "file"], IMAGE_TYPES)
    }

    fn decode_document(at: At<'_>) -> Result<Self, Invalid> {
        Self::decode(at, &["base64", "text", "url", "file"], DOCUMENT_TYPES)
    }

    fn decode(
        at: At<'_>,
        kinds: &[&str],
        media_types: &[(&'static str, &'static str)],
    ) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let kind = fields.tag()?;
        if !kinds.contains(&kind) {
            return Err(fields.unknown_tag(kind, kinds));
        }
        let source = match kind {
            "base64" => Self::Base64 {
                media_type: fields
                    .required("media_type", |at| at.word(media_types))?
                    .to_owned(),
                data: fields.required("data", base64_text)?,
            },
            "text" => Self::Text {
                media_type: fields
                    .required("media_type", |at| at.word(&[("text/plain", "text/plain")]))?
                    .to_owned(),
                data: fields.required("data", |at| at.text(1..=TEXT_CHARS_MAX))?,
            },
            "url" => Self::Url {
                url: fields.required("url", web_address)?,
            },
            _ => Self::File {
                file_id: fields.required("file_id", |at| at.text(FILE_ID_CHARS))?,
            },
        };
        fields.finish()?;
        Ok(source)
    }
}

/// Text in the alphabet of base64, so that a model provider is not the first to notice.
fn base64_text(at: At<'_>) -> Result<String, Invalid> {
    let text = at.text(1..=TEXT_CHARS_MAX)?;
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let in_alphabet = body
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    if !in_alphabet || padding > 2 || !text.len().is_multiple_of(4) {
        return Err(at.invalid("Input should be valid base64"));
    }
    Ok(text)
}

fn web_address(at: At<'_>) -> Result<String, Invalid> {
    let url = at.text(1..=URL_CHARS_MAX)?;
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    if rest.is_none_or(|rest| rest.is_empty() || rest.contains(char::is_whitespace)) {
        return Err(at.invalid("Input should be a valid http or https URL"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(value: serde_json::Value) -> String {
        ContentBlock::decode_user(At::root(&value))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn blocks_are_read_strictly() {
        let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}});
        let block = ContentBlock::decode_user(At::root(&image)).unwrap();
        assert_eq!(serde_json::to_value(&block).unwrap(), image);
        assert_eq!(refusal(json!({"text": "x"})), "type: Field required");
        assert_eq!(
            refusal(json!({"type": "video"})),
            "type: 'video' is not one of 'text', 'image', 'document'"
        );
        assert_eq!(
            refusal(json!({"type": "redacted"})),
            "a redacted block is only ever sent by the server"
        );
        assert_eq!(
            refusal(
                json!({"type": "image", "source": {"type": "text", "media_type": "text/plain", "data": "x"}})
            ),
            "source.type: 'text' is not one of 'base64', 'url', 'file'"
        );
        assert_eq!(
            refusal(
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}})
            ),
            "source.data: Input should be valid base64"
        );
        assert_eq!(
            refusal(json!({"type": "document", "source": {"type": "url", "url": "ftp://x"}})),
            "source.url: Input should be a valid http or https URL"
        );
    }
}

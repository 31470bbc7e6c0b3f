//! What a call gave, in the kinds of content that a model can be shown.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub blocks: Vec<Block>,
    /// The tool itself says that it failed.
    pub is_error: bool,
}

/// One piece of a result. Data is base64, as the server sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    Text(String),
    Image { media_type: String, data: String },
    Document { media_type: String, data: String },
}

/// The pictures that models take.
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

const PDF: &str = "application/pdf";

impl From<CallToolResult> for Outcome {
    fn from(result: CallToolResult) -> Self {
        let is_error = result.is_error.unwrap_or_default();
        let mut blocks: Vec<_> = result.content.into_iter().map(block).collect();
        // Servers should repeat it as text, and most do.
        if let (true, Some(structured)) = (blocks.is_empty(), result.structured_content) {
            blocks.push(Block::Text(structured.to_string()));
        }
        Self { blocks, is_error }
    }
}

fn block(content: ContentBlock) -> Block {
    match content {
        ContentBlock::Text(text) => Block::Text(text.text),
        ContentBlock::Image(image) => data(image.mime_type, image.data, None),
        ContentBlock::Audio(audio) => data(audio.mime_type, audio.data, None),
        ContentBlock::Resource(embedded) => match embedded.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => {
                Block::Text(format!("[resource {uri}]\n{text}"))
            }
            ResourceContents::BlobResourceContents {
                uri,
                mime_type,
                blob,
                ..
            } => data(mime_type.unwrap_or_default(), blob, Some(&uri)),
            other => unknown(&other),
        },
        ContentBlock::ResourceLink(link) => {
            let kind = link.mime_type.map(|kind| format!(", {kind}"));
            let size = link.size.map(|size| format!(", {size} bytes"));
            let about = link.description.map(|about| format!(": {about}"));
            Block::Text(format!(
                "[link to the resource {} <{}>{}{}]{}",
                link.title.unwrap_or(link.name),
                link.uri,
                kind.unwrap_or_default(),
                size.unwrap_or_default(),
                about.unwrap_or_default()
            ))
        }
        other => unknown(&other),
    }
}

/// What a newer version of the protocol has invented.
fn unknown(content: &impl serde::Serialize) -> Block {
    let text = serde_json::to_string(content).unwrap_or_default();
    Block::Text(format!("[content of a kind that is not known here] {text}"))
}

/// Bytes of which a model takes some kinds only. Of the others it is told that they were there.
fn data(media_type: String, data: String, uri: Option<&str>) -> Block {
    if IMAGES.contains(&media_type.as_str()) {
        return Block::Image { media_type, data };
    }
    if media_type == PDF {
        return Block::Document { media_type, data };
    }
    let kind = if media_type.is_empty() {
        "an unknown type"
    } else {
        &media_type
    };
    let from = uri.map(|uri| format!(" of the resource {uri}"));
    Block::Text(format!(
        "[data of {kind}{}, {} bytes, which can't be shown to the model]",
        from.unwrap_or_default(),
        decoded_size(&data)
    ))
}

fn decoded_size(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn blocks(content: Value) -> Vec<Block> {
        let result = json!({"content": content});
        Outcome::from(serde_json::from_value::<CallToolResult>(result).unwrap()).blocks
    }

    #[test]
    fn each_kind_of_content_reaches_the_model() {
        let found = blocks(json!([
            {"type": "text", "text": "hello"},
            {"type": "image", "data": "aGk=", "mimeType": "image/png"},
            {"type": "image", "data": "aGk=", "mimeType": "image/tiff"},
            {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"},
            {"type": "resource", "resource": {"uri": "a://t", "mimeType": "text/plain", "text": "words"}},
            {"type": "resource", "resource": {"uri": "a://p", "mimeType": "application/pdf", "blob": "aGk="}},
            {"type": "resource", "resource": {"uri": "a://b", "blob": "aGk="}},
            {"type": "resource_link", "uri": "a://l", "name": "l", "description": "a link", "mimeType": "text/csv"},
        ]));
        let text = |text: &str| Block::Text(text.to_owned());
        let expected = [
            text("hello"),
            Block::Image {
                media_type: "image/png".into(),
                data: "aGk=".into(),
            },
            text("[data of image/tiff, 2 bytes, which can't be shown to the model]"),
            text("[data of audio/wav, 2 bytes, which can't be shown to the model]"),
            text("[resource a://t]\nwords"),
            Block::Document {
                media_type: PDF.into(),
                data: "aGk=".into(),
            },
            text(
                "[data of an unknown type of the resource a://b, 2 bytes, which can't be shown to the model]",
            ),
            text("[link to the resource l <a://l>, text/csv]: a link"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn structured_content_alone_is_shown_as_text() {
        let result = json!({"content": [], "structuredContent": {"a": 1}, "isError": true});
        let result: CallToolResult = serde_json::from_value(result).unwrap();
        let expected = Outcome {
            blocks: vec![Block::Text("{\"a\":1}".to_owned())],
            is_error: true,
        };
        assert_eq!(Outcome::from(result), expected);
    }
}

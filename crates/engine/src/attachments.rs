//! Files that users attach by id: their bytes, as blocks that a model can be shown.
//!
//! The log names the file; the bytes are read anew for each request, and are the same each time,
//! since a file never changes. One that is gone is said to be gone, and one that does not fit any
//! more beside those before it is said to be too large: what is held in memory for one request is
//! bounded, however many files a conversation names. One that no provider takes is said to be
//! that: it would make every later request fail. What a file is, its bytes say; the type that
//! came with the upload is only a client's word.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use futures::StreamExt;
use hostler_domain::session::{Block, Earlier, Message};
use hostler_protocol::content::{ContentBlock, Source};
use hostler_protocol::id::{FileId, SessionId, WorkspaceId};
use hostler_store::{FileContent, StoreError};
use serde_json::value::RawValue;

use crate::limits::ATTACHMENT_BYTES_MAX;
use crate::options::Parts;
use crate::prompt::text_block;

/// In place of a file for which there is no room in one request.
const TOO_LARGE: &str = "[The file that was attached here is too large to be shown.]";

/// The bytes of a file, or why there are none.
enum Content {
    Bytes { media_type: String, bytes: Vec<u8> },
    TooLarge,
    Gone,
}

/// What can be had of the files that the conversation names, by their ids. The older ones come first, so
/// that what a request has shown stays as it is when another file is attached. One that is named
/// again takes its place in the request again.
pub(crate) async fn load(
    parts: &Parts,
    session: SessionId,
    (earlier, newest): (&[Earlier], &[Arc<Message>]),
) -> HashMap<String, Arc<RawValue>> {
    let mut loaded = HashMap::new();
    let mut room = ATTACHMENT_BYTES_MAX;
    let earlier = earlier.iter().filter_map(|part| match part {
        // No message that names a file is sealed.
        Earlier::Sealed(_) => None,
        Earlier::Message(message) => Some(message),
    });
    let blocks = earlier.chain(newest).flat_map(|message| &message.blocks);
    let named = blocks.flat_map(Block::files);
    for (file_id, block) in named {
        let json = match loaded.get(file_id) {
            Some(json) => Ok(Some(Arc::clone(json))),
            None => load_one(parts, session, file_id, block, room).await,
        };
        match json {
            Ok(Some(json)) if json.get().len() > room => {
                loaded.insert(file_id.to_owned(), text_block(TOO_LARGE));
            }
            Ok(Some(json)) => {
                room -= json.get().len();
                loaded.insert(file_id.to_owned(), json);
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%session, %error, "a file can't be read"),
        }
    }
    loaded
}

async fn load_one(
    parts: &Parts,
    session: SessionId,
    file_id: &str,
    block: &ContentBlock,
    room: usize,
) -> Result<Option<Arc<RawValue>>, StoreError> {
    let Ok(file) = file_id.parse() else {
        return Ok(None);
    };
    let Some(brief) = parts.store.session_brief(session).await? else {
        return Ok(None);
    };
    let (media_type, bytes) = match read(parts, brief.workspace_id, file, room).await? {
        Content::Bytes { media_type, bytes } => (media_type, bytes),
        Content::TooLarge => return Ok(Some(text_block(TOO_LARGE))),
        Content::Gone => return Ok(None),
    };
    let shown = shown(block, bytes).unwrap_or_else(|| {
        ContentBlock::text(format!(
            "[A file of the type {media_type} was attached here; it can't be shown to a model.]"
        ))
    });
    Ok(serde_json::value::to_raw_value(&shown).ok().map(Arc::from))
}

/// The block with the bytes in it; `None` for bytes that no provider takes in such a block.
fn shown(block: &ContentBlock, bytes: Vec<u8>) -> Option<ContentBlock> {
    let base64 = |media_type: &str, bytes: &[u8]| Source::Base64 {
        media_type: media_type.to_owned(),
        data: base64::engine::general_purpose::STANDARD.encode(bytes),
    };
    match block {
        ContentBlock::Image { .. } => {
            let source = base64(image_type(&bytes)?, &bytes);
            Some(ContentBlock::Image { source })
        }
        ContentBlock::Document { title, context, .. } => {
            let source = if bytes.starts_with(b"%PDF-") {
                base64("application/pdf", &bytes)
            } else {
                let data = String::from_utf8(bytes).ok();
                Source::Text {
                    media_type: "text/plain".to_owned(),
                    data: data.filter(|text| !text.trim().is_empty() && !text.contains('\0'))?,
                }
            };
            Some(ContentBlock::Document {
                source,
                title: title.clone(),
                context: context.clone(),
            })
        }
        ContentBlock::Text { .. } | ContentBlock::SearchResult { .. } => None,
    }
}

/// The type of an image that models can be shown.
fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        _ => None,
    }
}

/// At most `bytes_max` of it: more is not even read to its end.
async fn read(
    parts: &Parts,
    workspace: WorkspaceId,
    file: FileId,
    bytes_max: usize,
) -> Result<Content, StoreError> {
    let content = parts
        .store
        .file_content(workspace, file, parts.env.now())
        .await?;
    let FileContent::Content(metadata, mut stream) = content else {
        return Ok(Content::Gone);
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if bytes.len() + chunk.len() > bytes_max {
            return Ok(Content::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Content::Bytes {
        media_type: metadata.mime_type,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn source(kind: &str, bytes: &[u8]) -> Value {
        let block = json!({"type": kind, "source": {"type": "file", "file_id": "file_1"}});
        let block = serde_json::from_value(block).unwrap();
        match shown(&block, bytes.to_vec()) {
            Some(block) => serde_json::to_value(block).unwrap()["source"].clone(),
            None => Value::Null,
        }
    }

    #[test]
    fn a_file_is_shown_as_what_its_bytes_are() {
        let base64 =
            |media_type, data| json!({"type": "base64", "media_type": media_type, "data": data});
        let gif = base64("image/gif", "R0lGODlh");
        assert_eq!(source("image", b"GIF89a"), gif);
        let jpeg = base64("image/jpeg", "/9j/4A==");
        assert_eq!(source("image", &[0xff, 0xd8, 0xff, 0xe0]), jpeg);
        let pdf = base64("application/pdf", "JVBERi0x");
        assert_eq!(source("document", b"%PDF-1"), pdf);
        let text = json!({"type": "text", "media_type": "text/plain", "data": "a,b\n1,2"});
        assert_eq!(source("document", b"a,b\n1,2"), text);
    }

    #[test]
    fn bytes_that_no_provider_takes_are_not_shown() {
        for (kind, bytes) in [
            ("image", &b"BM bitmap"[..]),
            ("image", b""),
            ("document", b"PK\x03\x04\0"),
            ("document", b"\xff\xfe"),
            ("document", b" \n"),
        ] {
            assert_eq!(source(kind, bytes), Value::Null, "{kind} {bytes:?}");
        }
    }
}

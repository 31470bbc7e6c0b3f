//! Files that users attach by id: their bytes, as blocks that a model can be shown.
//!
//! The log names the file; the bytes are read anew for each request, and are the same each time,
//! since a file never changes. One that is gone is said to be gone, and one that does not fit any
//! more beside those before it is said to be too large: what is held in memory for one request is
//! bounded, however many files a conversation names.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use futures::StreamExt;
use hostler_domain::session::{Block, Message};
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

/// What can be had of the files that `messages` name, by their ids. The older ones come first, so
/// that what a request has shown stays as it is when another file is attached. One that is named
/// again takes its place in the request again.
pub(crate) async fn load(
    parts: &Parts,
    session: SessionId,
    messages: &[Message],
) -> HashMap<String, Arc<RawValue>> {
    let mut loaded = HashMap::new();
    let mut room = ATTACHMENT_BYTES_MAX;
    let blocks = messages.iter().flat_map(|message| &message.blocks);
    let named = blocks.filter_map(|block| match block {
        Block::WithFile { file_id, block } => Some((file_id, block)),
        Block::Json(_) => None,
    });
    for (file_id, block) in named {
        let json = match loaded.get(file_id) {
            Some(json) => Ok(Some(Arc::clone(json))),
            None => load_one(parts, session, file_id, block, room).await,
        };
        match json {
            Ok(Some(json)) if json.get().len() > room => {
                loaded.insert(file_id.clone(), text_block(TOO_LARGE));
            }
            Ok(Some(json)) => {
                room -= json.get().len();
                loaded.insert(file_id.clone(), json);
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
    let data = base64::engine::general_purpose::STANDARD.encode(bytes);
    let source = Source::Base64 { media_type, data };
    let block = match block {
        ContentBlock::Image { .. } => ContentBlock::Image { source },
        ContentBlock::Document { title, context, .. } => ContentBlock::Document {
            source,
            title: title.clone(),
            context: context.clone(),
        },
        ContentBlock::Text { .. } => return Ok(None),
    };
    Ok(serde_json::value::to_raw_value(&block).ok().map(Arc::from))
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

//! Files that users attach by id: their bytes, as blocks that a model can be shown.
//!
//! The log names the file; the bytes are read anew for each request, and are the same each time,
//! since a file never changes. One that is gone is said to be gone.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use futures::StreamExt;
use hostler_domain::session::{Block, Message};
use hostler_protocol::content::{ContentBlock, Source};
use hostler_protocol::id::{SessionId, WorkspaceId};
use hostler_store::{FileContent, StoreError};
use serde_json::value::RawValue;

use crate::limits::ATTACHMENT_BYTES_MAX;
use crate::options::Parts;

/// What can be had of the files that `messages` name, by their ids.
pub(crate) async fn load(
    parts: &Parts,
    session: SessionId,
    messages: &[Message],
) -> HashMap<String, Arc<RawValue>> {
    let mut loaded = HashMap::new();
    let blocks = messages.iter().flat_map(|message| &message.blocks);
    let named = blocks.filter_map(|block| match block {
        Block::WithFile { file_id, block } => Some((file_id, block)),
        Block::Json(_) => None,
    });
    for (file_id, block) in named {
        if loaded.contains_key(file_id) {
            continue;
        }
        match load_one(parts, session, file_id, block).await {
            Ok(Some(json)) => {
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
) -> Result<Option<Arc<RawValue>>, StoreError> {
    let Ok(file) = file_id.parse() else {
        return Ok(None);
    };
    let Some(brief) = parts.store.session_brief(session).await? else {
        return Ok(None);
    };
    let Some((media_type, bytes)) = read(parts, brief.workspace_id, file).await? else {
        return Ok(None);
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

/// The media type and the bytes; `None` for a file that is gone or too large for a model.
async fn read(
    parts: &Parts,
    workspace: WorkspaceId,
    file: hostler_protocol::id::FileId,
) -> Result<Option<(String, Vec<u8>)>, StoreError> {
    let content = parts
        .store
        .file_content(workspace, file, parts.env.now())
        .await?;
    let FileContent::Content(metadata, mut stream) = content else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > ATTACHMENT_BYTES_MAX {
            return Ok(None);
        }
    }
    Ok(Some((metadata.mime_type, bytes)))
}

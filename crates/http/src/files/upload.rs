//! Reads the form of an upload, part by part, and hands the bytes on as they come.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::extract::multipart::Field;
use hostler_protocol::file::{filename, mime_type};
use hostler_protocol::id::FileId;
use hostler_protocol::limits::FILE_EXPIRES_IN_SECONDS;
use hostler_store::{BlobUpload, NewFile};

use crate::form::{broken, discard, open};
use crate::limits::FORM_FIELD_BYTES_MAX;
use crate::{Api, ApiError};

const EXPIRES_IN: &str = "expires_in_seconds";

/// The part that holds the file, once it has been read.
struct FilePart {
    id: FileId,
    filename: String,
    mime_type: String,
    bytes: BlobUpload,
}

/// # Errors
/// 400 for a form that isn't one, 413 for a file that is too large.
pub(super) async fn receive(
    api: &Api,
    request: Request,
) -> Result<(NewFile, BlobUpload), ApiError> {
    let (mut form, unread) = open(request).await?;
    let (mut file, mut expires_in) = (None, None);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        unread.store(0, Ordering::Relaxed);
        match field.name() {
            Some("file") if file.is_none() => {
                file = Some(receive_file(api, field, &unread).await?);
            }
            Some("file") => return Err(ApiError::invalid("file: Input should be given once")),
            Some(EXPIRES_IN) if expires_in.is_none() => {
                expires_in = Some(receive_expiry(field, &unread).await?);
            }
            name => {
                let name: String = name.unwrap_or_default().chars().take(64).collect();
                let message = format!("{name}: Extra inputs are not permitted");
                return Err(ApiError::invalid(message));
            }
        }
    }
    let file = file.ok_or_else(|| ApiError::invalid("file: Field required"))?;
    let created_at = api.env.now();
    let new = NewFile {
        id: file.id,
        filename: file.filename,
        mime_type: file.mime_type,
        created_at,
        expires_at: expires_in.map(|wait| created_at.plus(wait)),
        quota_bytes: api.options.storage_bytes_max,
    };
    Ok((new, file.bytes))
}

async fn receive_file(
    api: &Api,
    mut field: Field<'_>,
    unread: &AtomicUsize,
) -> Result<FilePart, ApiError> {
    let mime_type = mime_type(field.content_type(), field.file_name())?;
    let filename = filename(field.file_name(), &mime_type)?;
    let bytes_max = api.options.file_bytes_max;
    let id = api.env.id();
    let mut bytes = api.store.begin_upload(id).await?;
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        unread.store(0, Ordering::Relaxed);
        if bytes.size().saturating_add(chunk.len() as u64) > bytes_max {
            drop(bytes);
            discard(field, unread).await?;
            let message = format!("file: the file is larger than {bytes_max} bytes");
            return Err(ApiError::too_large(message));
        }
        bytes.write(&chunk).await?;
    }
    Ok(FilePart {
        id,
        filename,
        mime_type,
        bytes,
    })
}

async fn receive_expiry(mut field: Field<'_>, unread: &AtomicUsize) -> Result<Duration, ApiError> {
    let refuse = |message: &str| ApiError::invalid(format!("{EXPIRES_IN}: {message}"));
    let mut text = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        unread.store(0, Ordering::Relaxed);
        text.extend_from_slice(&chunk);
        if text.len() > FORM_FIELD_BYTES_MAX {
            return Err(refuse("Input should be a valid integer"));
        }
    }
    let text = String::from_utf8(text).unwrap_or_default();
    let seconds: i64 = text
        .trim()
        .parse()
        .map_err(|_| refuse("Input should be a valid integer"))?;
    if !FILE_EXPIRES_IN_SECONDS.contains(&seconds) {
        let (low, high) = FILE_EXPIRES_IN_SECONDS.into_inner();
        return Err(refuse(&format!("Input should be between {low} and {high}")));
    }
    Ok(Duration::from_secs(seconds.unsigned_abs()))
}

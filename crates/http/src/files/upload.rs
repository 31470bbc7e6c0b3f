//! Reads the form of an upload, part by part, and hands the bytes on as they come.
//!
//! The form's reader keeps what it can't use yet in memory, and takes all that it is offered.
//! [`paced`] therefore gives it one chunk at a time, and nothing more while it makes no progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use futures::StreamExt;
use hostler_protocol::file::{filename, mime_type};
use hostler_protocol::id::FileId;
use hostler_protocol::limits::FILE_EXPIRES_IN_SECONDS;
use hostler_store::{BlobUpload, NewFile};

use crate::limits::{DISCARDED_BYTES_MAX, FORM_FIELD_BYTES_MAX, FORM_HEAD_BYTES_MAX};
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

async fn open(request: Request) -> Result<(Multipart, Arc<AtomicUsize>), ApiError> {
    let unread = Arc::new(AtomicUsize::new(0));
    let (parts, body) = request.into_parts();
    let mut request = Request::from_parts(parts, paced(body, Arc::clone(&unread)));
    // The limit is that of the file, and is kept where the file is read.
    DefaultBodyLimit::disable().apply(&mut request);
    let form = Multipart::from_request(request, &()).await;
    let message = "content-type: Input should be multipart/form-data with a boundary";
    Ok((form.map_err(|_| ApiError::invalid(message))?, unread))
}

/// One chunk at a time, and none while more than the head of a part is unread.
fn paced(body: Body, unread: Arc<AtomicUsize>) -> Body {
    let mut chunks = body.into_data_stream();
    let mut has_just_given = false;
    Body::from_stream(futures::stream::poll_fn(move |context| {
        if has_just_given {
            has_just_given = false;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if unread.load(Ordering::Relaxed) > FORM_HEAD_BYTES_MAX {
            let message = "the head of a part is too long";
            return Poll::Ready(Some(Err(axum::Error::new(message))));
        }
        let chunk = chunks.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(bytes))) = &chunk {
            unread.fetch_add(bytes.len(), Ordering::Relaxed);
            has_just_given = true;
        }
        chunk
    }))
}

fn broken(error: MultipartError) -> ApiError {
    ApiError::invalid("the multipart body is not well formed").with_source(error)
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

/// A client that is still writing reads no answer: takes the rest, up to a limit.
async fn discard(mut field: Field<'_>, unread: &AtomicUsize) -> Result<(), ApiError> {
    let mut discarded = 0;
    while discarded < DISCARDED_BYTES_MAX {
        let Some(chunk) = field.chunk().await.map_err(broken)? else {
            break;
        };
        unread.store(0, Ordering::Relaxed);
        discarded += chunk.len();
    }
    Ok(())
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

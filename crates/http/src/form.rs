//! Forms with files, read part by part.
//!
//! The form's reader keeps what it can't use yet in memory, and takes all that it is offered.
//! [`paced`] therefore gives it one chunk at a time, and nothing more while it makes no progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use futures::StreamExt;

use crate::ApiError;
use crate::limits::{DISCARDED_BYTES_MAX, FORM_HEAD_BYTES_MAX};

/// The form, and how much was taken since its last part went on: whoever reads a part sets it to 0.
pub(crate) async fn open(request: Request) -> Result<(Multipart, Arc<AtomicUsize>), ApiError> {
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

pub(crate) fn broken(error: MultipartError) -> ApiError {
    ApiError::invalid("the multipart body is not well formed").with_source(error)
}

/// A client that is still writing reads no answer: takes the rest, up to a limit.
pub(crate) async fn discard(mut field: Field<'_>, unread: &AtomicUsize) -> Result<(), ApiError> {
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

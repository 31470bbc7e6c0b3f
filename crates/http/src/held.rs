//! Answers that are long are counted until the socket has taken them: clients that ask and read nothing must
//! not make the server hold more than it has room for.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::StreamExt;
use hostler_protocol::id::WorkspaceId;

use crate::api_error::Excess;
use crate::fair::Part;
use crate::limits::UNCOUNTED_BODY_BYTES;
use crate::{Api, ApiError};

/// A piece of an answer, and the part of what may be held that the answer takes.
struct Piece {
    bytes: Bytes,
    _part: Arc<Part>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The answer, which gives back its part when its last byte is gone. One of unknown length is a stream, of
/// which little is there at a time.
///
/// # Errors
/// 529 when so much is held already that there is no room for it.
pub(crate) fn held(
    api: &Api,
    workspace: WorkspaceId,
    response: Response,
) -> Result<Response, ApiError> {
    let length = response.body().size_hint().exact().unwrap_or(0);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length <= UNCOUNTED_BODY_BYTES {
        return Ok(response);
    }
    let part = api.bytes.take(workspace, length);
    let part = Arc::new(part.ok_or_else(|| ApiError::too_much(Excess::Memory))?);
    let mut response = response.map(|body| {
        let pieces = body.into_data_stream().map(move |piece| {
            piece.map(|bytes| {
                let _part = Arc::clone(&part);
                Bytes::from_owner(Piece { bytes, _part })
            })
        });
        Body::from_stream(pieces)
    });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

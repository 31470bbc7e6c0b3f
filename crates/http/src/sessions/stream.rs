//! `GET /v1/sessions/{id}/events/stream`: follows the log as server-sent events.
//!
//! Without a position it shows what comes after the connection opened. With `Last-Event-ID` or
//! `?after=` (ours) it goes on behind that position, without a gap.

use std::sync::Arc;

use async_stream::try_stream;
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures::Stream;
use hostler_protocol::event::Seq;
use hostler_protocol::id::{RequestId, SessionId};
use hostler_store::{Follow, Followed, From};

use crate::caller::Caller;
use crate::limits::EVENT_DELTAS_MAX;
use crate::path_id::PathId;
use crate::query::Query;
use crate::sse::{Frame, event_stream};
use crate::{Api, ApiError};

const LAST_EVENT_ID: &str = "last-event-id";
/// The events whose making can be watched.
const PREVIEWED: &[(&str, &str)] = &[
    ("agent.message", "agent.message"),
    ("agent.thinking", "agent.thinking"),
];

pub(crate) async fn stream(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
    Extension(request_id): Extension<RequestId>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let previewed = query.words("event_deltas", EVENT_DELTAS_MAX, PREVIEWED)?;
    let from = start(&query, &headers)?;
    // Subscribed before the headers leave: what is sent once they are seen can't be missed.
    let follow = api.store.follow(caller.workspace_id, id, from).await?;
    let follow = follow.ok_or_else(|| ApiError::not_found(id))?;
    event_stream(
        &api,
        caller.workspace_id,
        request_id,
        frames(follow, previewed),
    )
}

/// The header is what browsers and SSE libraries send by themselves when they come back, so it
/// wins over the query that they repeat.
fn start(query: &Query, headers: &HeaderMap) -> Result<From, ApiError> {
    let position = match headers.get(LAST_EVENT_ID) {
        Some(value) => Some((LAST_EVENT_ID, value.to_str().unwrap_or_default())),
        None => query.text("after")?.map(|text| ("after", text)),
    };
    let Some((name, text)) = position else {
        return Ok(From::Now);
    };
    match text.parse::<i64>() {
        Ok(seq) if seq >= 0 => Ok(From::After(Seq(seq))),
        Ok(_) | Err(_) => {
            let message = format!("{name}: Input should be the id of an event of this stream");
            Err(ApiError::invalid(message))
        }
    }
}

/// What is followed, as frames; ends with the session.
fn frames(
    mut follow: Follow,
    previewed: Vec<&'static str>,
) -> impl Stream<Item = Result<Frame, ApiError>> + Send {
    try_stream! {
        loop {
            match follow.next().await? {
                Followed::Event(event) => yield Frame::Event(event),
                Followed::Preview(preview) if previewed.contains(&preview.of.as_str()) => {
                    yield Frame::Preview(preview);
                }
                Followed::Preview(_) => {}
                Followed::Deleted(event) => {
                    yield Frame::Event(event);
                    break;
                }
                Followed::Ended => break,
            }
        }
    }
}

//! The log from outside: send events, list events.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use hostler_domain::session::{Input, Summary, accept};
use hostler_protocol::content::{ContentBlock, Source};
use hostler_protocol::event::{Event, Seq, UserMessage};
use hostler_protocol::id::{EventId, FileId, SessionId, WorkspaceId};
use hostler_protocol::session::{SentEvent, decode_sent_events};
use hostler_store::{EventCursor, EventPage, EventQuery, Order};

use super::listed_types::LISTED_TYPES;
use super::{drafts, not_changed};
use crate::body::JsonBody;
use crate::caller::Caller;
use crate::limits::{EVENT_TYPES_MAX, FILES_OF_REQUEST_MAX};
use crate::pagination::{List, OverMax, PageRequest, Position};
use crate::path_id::PathId;
use crate::query::Query;
use crate::{Api, ApiError, cursor};

const EVENTS: List = List {
    name: "events",
    limit: 1_000,
    limit_max: 1_000,
    over_max: OverMax::Clamp,
    order: Order::Ascending,
};

pub(crate) async fn send(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let sent = decode_sent_events(body.value())?;
    let place = body.take_place()?;
    let messages = sent.iter().enumerate().filter_map(|(position, event)| {
        let SentEvent::Message(message) = event else {
            return None;
        };
        Some((position, message))
    });
    check_files(&api, caller.workspace_id, "events", messages).await?;
    // The ids are made here, so that the answer can be written from what was sent.
    let ids: Vec<EventId> = sent.iter().map(|_| api.env.id()).collect();
    let answer: Vec<String> = ids.iter().zip(&sent).map(queued_json).collect();
    let (env, at) = (api.env.clone(), api.env.now());
    let decide = move |summary: &Summary| {
        let inputs = sent.into_iter().map(input_of).collect();
        // What was sent comes first, one for one.
        let mut drafts = drafts(&env, at, accept(summary, inputs)?);
        for (draft, id) in drafts.iter_mut().zip(ids) {
            draft.id = id;
        }
        Ok(drafts)
    };
    let sending = api
        .store
        .send_to_session(place, caller.workspace_id, id, decide);
    sending.await.map_err(|error| not_changed(id, error))?;
    Ok(json(format!("{{\"data\":[{}]}}", answer.join(","))))
}

fn input_of(sent: SentEvent) -> Input {
    match sent {
        SentEvent::Message(message) => Input::Message(message),
        SentEvent::Interrupt(interrupt) => Input::Interrupt(interrupt),
    }
}

/// An event as it was stored: received, and not yet processed.
fn queued_json((id, sent): (&EventId, &SentEvent)) -> String {
    let body = Event::from(input_of(sent.clone())).to_json();
    let keys = body.strip_prefix('{').unwrap_or(&body);
    format!("{{\"id\":\"{id}\",\"processed_at\":null,{keys}")
}

/// Refuses messages that name a file which isn't there, before a model has to find out.
pub(super) async fn check_files<'m>(
    api: &Api,
    workspace: WorkspaceId,
    path: &str,
    messages: impl Iterator<Item = (usize, &'m UserMessage)>,
) -> Result<(), ApiError> {
    let mut found: HashSet<&str> = HashSet::new();
    for (position, message) in messages {
        for (block, content) in message.content.iter().enumerate() {
            let Some(file_id) = file_of(content) else {
                continue;
            };
            if !found.insert(file_id) {
                continue;
            }
            let refused = |message: String| {
                let place = format!("{path}.{position}.content.{block}.source.file_id");
                Err(ApiError::invalid(format!("{place}: {message}")))
            };
            if found.len() > FILES_OF_REQUEST_MAX {
                let most = FILES_OF_REQUEST_MAX;
                return refused(format!("a request can name at most {most} files"));
            }
            let file = match file_id.parse::<FileId>() {
                Ok(id) => api.store.file(workspace, id, api.env.now()).await?,
                Err(_) => None,
            };
            if file.is_none() {
                return refused("no such file".to_owned());
            }
        }
    }
    Ok(())
}

fn file_of(block: &ContentBlock) -> Option<&str> {
    match block {
        ContentBlock::Image { source } | ContentBlock::Document { source, .. } => match source {
            Source::File { file_id } => Some(file_id),
            Source::Base64 { .. } | Source::Text { .. } | Source::Url { .. } => None,
        },
        ContentBlock::Text { .. } => None,
    }
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
    query: Query,
) -> Result<impl IntoResponse, ApiError> {
    let request = EVENTS.ordered_request(&query)?;
    let wanted = EventQuery {
        order: request.order,
        cursor: position(&request)?,
        types: types(&query)?,
        created_at: query.time_range("created_at")?,
        limit: u32::try_from(request.limit).unwrap_or(u32::MAX),
    };
    let page = api.store.list_events(caller.workspace_id, id, wanted);
    let page = page.await?.ok_or_else(|| ApiError::not_found(id))?;
    Ok(json(page_json(&request, &page)))
}

fn types(query: &Query) -> Result<Vec<String>, ApiError> {
    let types = query.list("types", EVENT_TYPES_MAX)?;
    if let Some(unknown) = types.iter().find(|name| !LISTED_TYPES.contains(name)) {
        let shown: String = unknown.chars().take(64).collect();
        let message = format!("types: '{shown}' is not the type of an event in the list");
        return Err(ApiError::invalid(message));
    }
    Ok(types.into_iter().map(str::to_owned).collect())
}

/// A position of this list is the last event of the log, with the last waiting input for its id.
fn position(request: &PageRequest) -> Result<Option<EventCursor>, ApiError> {
    let Some(position) = &request.after else {
        return Ok(None);
    };
    let queued_after = position.id.parse().map(Seq);
    Ok(Some(EventCursor {
        order: request.order,
        after: Seq(position.rank),
        queued_after: queued_after.map_err(|_| cursor::invalid())?,
    }))
}

/// Events are stored as the text that clients get, so pages are put together from text.
fn page_json(request: &PageRequest, page: &EventPage) -> String {
    let size: usize = page.data.iter().map(|event| event.json.len() + 1).sum();
    let mut text = String::with_capacity(size + 256);
    text.push_str("{\"data\":[");
    for (position, event) in page.data.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        text.push_str(&event.json);
    }
    text.push_str("],\"next_page\":");
    let next = page.next.map(|cursor| {
        request.next_cursor(&Position {
            rank: cursor.after.0,
            id: cursor.queued_after.0.to_string(),
        })
    });
    match next {
        Some(next) => text.push_str(&format!("\"{next}\"}}")),
        None => text.push_str("null}"),
    }
    text
}

fn json(text: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text)
}

//! The log from outside: send events, list events.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use hostler_domain::session::{Input, Summary, accept};
use hostler_protocol::Timestamp;
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{Draft, Event, Seq};
use hostler_protocol::id::{EventId, FileId, SessionId, WorkspaceId};
use hostler_protocol::sent_event::{SentEvent, decode_sent_events};
use hostler_store::{CallsSeen, EventCursor, EventPage, EventQuery, Order};

use super::listed_types::LISTED_TYPES;
use super::not_changed;
use crate::body::JsonBody;
use crate::caller::Caller;
use crate::limits::{EVENT_TYPES_MAX, FILES_OF_REQUEST_MAX, LATE_ANSWERS_MAX};
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
    let contents = sent.iter().map(SentEvent::content).enumerate();
    check_files(&api, caller.workspace_id, "events", contents).await?;
    check_model(&api, &caller, id, &sent).await?;
    let seen = calls_seen(&api, &caller, id, &sent).await?;
    // The ids are made here, so that the answer can be written from what was sent.
    let ids: Vec<EventId> = sent.iter().map(|_| api.env.id()).collect();
    let (env, at) = (api.env.clone(), api.env.now());
    let answer: Vec<String> = ids
        .iter()
        .zip(&sent)
        .map(|one| sent_json(one, at))
        .collect();
    let decide = move |summary: &Summary| {
        let inputs = sent.into_iter().map(|sent| input_of(sent, &seen)).collect();
        let accepted = accept(summary, inputs, at)?;
        let inputs = accepted.inputs.into_iter().zip(ids);
        let own = inputs.filter_map(|(event, id)| Some(draft(id, at, event?)));
        let mut drafts: Vec<Draft> = own.collect();
        drafts.extend(super::drafts(&env, at, accepted.then));
        Ok(drafts)
    };
    let sending = api
        .store
        .send_to_session(place, caller.workspace_id, id, decide);
    sending.await.map_err(|error| not_changed(id, error))?;
    Ok(json(format!("{{\"data\":[{}]}}", answer.join(","))))
}

fn draft(id: EventId, at: Timestamp, event: Event) -> Draft {
    Draft {
        id,
        at,
        thread: None,
        event,
    }
}

fn input_of(sent: SentEvent, seen: &CallsSeen) -> Input {
    let seen = sent
        .answers()
        .and_then(|call| seen.seen.get(&call).copied());
    match sent {
        SentEvent::Message(message) => Input::Message(message),
        SentEvent::Interrupt(interrupt) => Input::Interrupt(interrupt),
        SentEvent::System(message) => Input::System(message),
        SentEvent::Confirmation(confirmation) => Input::Confirmation(confirmation, seen),
        SentEvent::CustomToolResult(result) => Input::CustomToolResult(result, seen),
    }
}

/// What the calls are that these events answer.
async fn calls_seen(
    api: &Api,
    caller: &Caller,
    session: SessionId,
    sent: &[SentEvent],
) -> Result<CallsSeen, ApiError> {
    let calls: Vec<EventId> = sent.iter().filter_map(SentEvent::answers).collect();
    if calls.is_empty() {
        return Ok(CallsSeen::default());
    }
    let (workspace, most) = (caller.workspace_id, LATE_ANSWERS_MAX);
    let seen = api
        .store
        .calls_seen(workspace, session, calls, most)
        .await?;
    match seen.too_many {
        true => Err(ApiError::invalid(format!(
            "events: more than {most} answers to calls that are not waiting for one"
        ))),
        false => Ok(seen),
    }
}

/// Not every model takes words of the system in the middle of a conversation.
async fn check_model(
    api: &Api,
    caller: &Caller,
    session: SessionId,
    sent: &[SentEvent],
) -> Result<(), ApiError> {
    const CODE: &str = "model_does_not_support_mid_conversation_system";
    let is_system = |event: &SentEvent| matches!(event, SentEvent::System(_));
    let Some(position) = sent.iter().position(is_system) else {
        return Ok(());
    };
    let row = api.store.session(caller.workspace_id, session).await?;
    let row = row.ok_or_else(|| ApiError::not_found(session))?;
    let model = &row.agent.model.id;
    let known = api.catalog.find(model);
    match known.is_some_and(|known| known.system_messages) {
        true => Ok(()),
        false => {
            let message = format!("{CODE}: events.{position}: '{model}' takes no system.message");
            Err(ApiError::invalid(message).with_code(CODE))
        }
    }
}

/// An event as it was stored. What answers a call is processed when it comes.
fn sent_json((id, sent): (&EventId, &SentEvent), at: Timestamp) -> String {
    let event = match sent.clone() {
        SentEvent::Message(message) => Event::UserMessage(message),
        SentEvent::Interrupt(interrupt) => Event::UserInterrupt(interrupt),
        SentEvent::System(message) => Event::SystemMessage(message),
        // Of this one clients are told that it waits, though it never does for long.
        SentEvent::Confirmation(confirmation) => Event::UserToolConfirmation(confirmation),
        SentEvent::CustomToolResult(result) => {
            let body = Event::UserCustomToolResult(result).to_json();
            return event_json(id, &format!("\"{at}\""), &body);
        }
    };
    event_json(id, "null", &event.to_json())
}

fn event_json(id: &EventId, processed_at: &str, body: &str) -> String {
    let keys = body.strip_prefix('{').unwrap_or(body);
    format!("{{\"id\":\"{id}\",\"processed_at\":{processed_at},{keys}")
}

/// Refuses content that names a file which isn't there, before a model has to find out.
pub(super) async fn check_files<'m>(
    api: &Api,
    workspace: WorkspaceId,
    path: &str,
    contents: impl Iterator<Item = (usize, &'m [ContentBlock])>,
) -> Result<(), ApiError> {
    let mut found: HashSet<&str> = HashSet::new();
    for (position, content) in contents {
        for (block, content) in content.iter().enumerate() {
            let Some(file_id) = content.file_id() else {
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

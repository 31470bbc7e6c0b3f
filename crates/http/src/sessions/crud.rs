//! A session that exists: list, get, update, archive, delete.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostler_domain::session::{Refusal, SessionChange, SessionStatus, archive as end, update};
use hostler_protocol::decode::{Patch, patch_metadata};
use hostler_protocol::id::SessionId;
use hostler_protocol::page::TwoWayPage;
use hostler_protocol::session::{DeletedSession, Session, UpdateSession};
use hostler_store::{SessionEdit, SessionFilter, SessionPage, SessionRow};

use super::web_domains::check_web_domains;
use super::{drafts, not_changed, shown};
use crate::body::{EmptyBody, JsonBody};
use crate::caller::Caller;
use crate::limits::STATUSES_MAX;
use crate::pagination::{List, Position};
use crate::path_id::PathId;
use crate::query::Query;
use crate::{Api, ApiError};

const SESSIONS: List = List::named("sessions");

const STATUSES: &[(&str, SessionStatus)] = &[
    ("idle", SessionStatus::Idle),
    ("running", SessionStatus::Running),
    ("rescheduling", SessionStatus::Rescheduling),
    ("terminated", SessionStatus::Terminated),
];

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    query: Query,
) -> Result<Json<TwoWayPage<Session>>, ApiError> {
    let request = SESSIONS.ordered_request(&query)?;
    let filter = filter(&query)?;
    request.check_within(&filter.created_at)?;
    // No session has a deployment or a memory store yet.
    let of_later_feature =
        query.text("deployment_id")?.is_some() || query.text("memory_store_id")?.is_some();
    let rows = if of_later_feature {
        Vec::new()
    } else {
        let page = SessionPage {
            order: request.reading_order(),
            after: request.after_moment()?,
            limit: request.rows(),
        };
        let sessions = api.store.list_sessions(caller.workspace_id, filter, page);
        sessions.await?
    };
    let page = request.two_way_page(rows, |row| Position {
        rank: row.created_at.as_micros(),
        id: row.id.to_string(),
    });
    let now = api.env.now();
    Ok(Json(TwoWayPage {
        data: page.data.into_iter().map(|row| shown(row, now)).collect(),
        next_page: page.next_page,
        prev_page: page.prev_page,
    }))
}

fn filter(query: &Query) -> Result<SessionFilter, ApiError> {
    let version = query.integer("agent_version", 1..=i64::from(u32::MAX))?;
    Ok(SessionFilter {
        agent_id: query.parsed("agent_id")?,
        agent_version: version.and_then(|version| u32::try_from(version).ok()),
        statuses: query.words("statuses", STATUSES_MAX, STATUSES)?,
        created_at: query.time_range("created_at")?,
        include_archived: query.boolean("include_archived")?.unwrap_or(false),
    })
}

pub(crate) async fn retrieve(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
) -> Result<Json<Session>, ApiError> {
    let row = api.store.session(caller.workspace_id, id).await?;
    let row = row.ok_or_else(|| ApiError::not_found(id))?;
    Ok(Json(shown(row, api.env.now())))
}

pub(crate) async fn update_session(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
    body: JsonBody,
) -> Result<Json<Session>, ApiError> {
    let request = UpdateSession::decode(body.value())?;
    let (env, at) = (api.env.clone(), api.env.now());
    // The same for all of the session's life.
    let environment = api.store.session_environment(id).await?;
    let decide = move |row: &SessionRow| {
        let change = changes(row, request)?;
        if let (Some(agent), Some(environment)) = (&change.agent, &environment) {
            check_web_domains(agent, &environment.config)?;
        }
        let events = update(&row.summary, &change)?;
        Ok(SessionEdit {
            drafts: drafts(&env, at, events),
            title: change.title,
            metadata: change.metadata,
            agent: change.agent,
            archived_at: None,
        })
    };
    let changing = api.store.change_session(caller.workspace_id, id, decide);
    let changed = changing.await.map_err(|error| not_changed(id, error))?;
    Ok(Json(shown(changed.row, at)))
}

/// What differs from what holds: a change that changes nothing makes no event.
fn changes(row: &SessionRow, request: UpdateSession) -> Result<SessionChange, ApiError> {
    let title = match request.title {
        Patch::Absent => None,
        Patch::Null => Some(None),
        Patch::Value(title) => Some(Some(title)),
    };
    let metadata = patch_metadata(row.metadata.clone(), request.metadata, "metadata")?;
    let agent = request.agent.map(|agent| agent.apply(&row.agent));
    let agent = agent.transpose()?;
    if let Some(unsupported) = agent.as_ref().and_then(|agent| agent.unsupported()) {
        return Err(unsupported.into());
    }
    Ok(SessionChange {
        title: title.filter(|title| *title != row.title),
        metadata: Some(metadata).filter(|metadata| *metadata != row.metadata),
        agent: agent.filter(|agent| *agent != row.agent).map(Box::new),
    })
}

pub(crate) async fn archive(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
    _body: EmptyBody,
) -> Result<Json<Session>, ApiError> {
    let (env, at) = (api.env.clone(), api.env.now());
    let decide = move |row: &SessionRow| {
        let events = end(&row.summary)?;
        Ok(SessionEdit {
            drafts: drafts(&env, at, events),
            // The first archiving counts.
            archived_at: row.archived_at.or(Some(at)),
            ..SessionEdit::default()
        })
    };
    let changing = api.store.change_session(caller.workspace_id, id, decide);
    let changed = changing.await.map_err(|error| not_changed(id, error))?;
    Ok(Json(shown(changed.row, at)))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
    _body: EmptyBody,
) -> Result<Json<DeletedSession>, ApiError> {
    let (event_id, at) = (api.env.id(), api.env.now());
    let workspace = caller.workspace_id;
    let deleting = api
        .store
        .delete_session(workspace, id, event_id, at, may_delete);
    deleting.await.map_err(|error| not_changed(id, error))?;
    Ok(Json(DeletedSession {
        id,
        kind: "session_deleted",
    }))
}

fn may_delete(row: &SessionRow) -> Result<(), ApiError> {
    match row.summary.status {
        SessionStatus::Idle | SessionStatus::Terminated => Ok(()),
        SessionStatus::Running | SessionStatus::Rescheduling => Err(Refusal::Busy {
            operation: "delete",
            status: row.summary.status.as_str(),
        }
        .into()),
    }
}

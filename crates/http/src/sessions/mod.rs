//! Sessions: `create.rs`, `crud.rs` for the rest of the resource, `resources.rs` for
//! what is mounted, `events.rs` and `stream.rs` for its log.
//!
//! What a session allows in which state is decided by the domain, inside the store's transaction;
//! the handlers only turn words into types and back.

pub(crate) mod create;
pub(crate) mod crud;
pub(crate) mod events;
mod listed_types;
pub(crate) mod resources;
pub(crate) mod shapes;
pub(crate) mod stream;
mod web_domains;

use hostler_domain::Env;
use hostler_domain::session::Refusal;
use hostler_protocol::Timestamp;
use hostler_protocol::event::{Draft, Event};
use hostler_protocol::id::SessionId;
use hostler_protocol::session::{Session, SessionStats};
use hostler_store::{ChangeError, SessionRow};

use crate::ApiError;

/// The session as every operation answers it.
fn shown(row: SessionRow, now: Timestamp) -> Session {
    // A terminated session ages no more.
    let until = row.summary.terminated_at.unwrap_or(now);
    Session {
        id: row.id,
        kind: "session",
        environment_id: row.environment_id,
        status: row.summary.status.as_str(),
        title: row.title,
        metadata: row.metadata,
        resources: row.resources,
        vault_ids: row.vault_ids,
        budget: (),
        stats: SessionStats {
            active_seconds: row.summary.active(until).as_secs_f64(),
            duration_seconds: until.since(row.created_at).as_secs_f64(),
        },
        usage: row.summary.usage(until),
        outcome_evaluations: Vec::new(),
        deployment_id: (),
        created_at: row.created_at,
        updated_at: row.summary.updated_at,
        archived_at: row.archived_at,
        agent: row.agent,
    }
}

/// Gives events their ids and their moment, in order.
fn drafts(env: &Env, at: Timestamp, events: Vec<Event>) -> Vec<Draft> {
    events
        .into_iter()
        .map(|event| Draft {
            id: env.id(),
            at,
            thread: None,
            event,
        })
        .collect()
}

/// A refusal by the session's state. All are a 400: the contract keeps 409 for versions.
impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::invalid(refusal.to_string())
    }
}

/// Why a change of the session `id` did not happen.
fn not_changed(id: SessionId, error: ChangeError<ApiError>) -> ApiError {
    match error {
        ChangeError::NoSuchSession => ApiError::not_found(id),
        ChangeError::Refused(refusal) => refusal,
        ChangeError::Store(error) => error.into(),
    }
}

//! What clients do to a session: send events, update, archive, delete.
//!
//! The caller decides on the session as it is inside the transaction, so that two clients can't
//! both pass a check that only one of them may.

use std::collections::BTreeMap;
use std::sync::Arc;

use hostler_protocol::Timestamp;
use hostler_protocol::agent::SessionAgent;
use hostler_protocol::event::{Draft, Seq};
use hostler_protocol::id::{EventId, FileId, SessionId, SkillVersionId, WorkspaceId};

use crate::db::{Scope, Tx};
use crate::hub::{Growth, Urgency};
use crate::log::{AppendError, LogEnd, Writer, insert_events, json, update_agent};
use crate::repository_tokens::forget_tokens;
use crate::session_environments::DELETE_SESSION_ENVIRONMENT;
use crate::session_files::delete_files_of_session;
use crate::session_placeholders::delete_placeholders;
use crate::session_repositories::delete_repositories;
use crate::session_skills::{delete_session_skills, purge_deleted};
use crate::sessions::find_session;
use crate::snapshots::delete_snapshot;
use crate::{SessionRow, Store, StoreError};

/// What a change amounts to: events to append, and new values of columns.
#[derive(Debug, Default)]
pub struct SessionEdit {
    pub drafts: Vec<Draft>,
    /// `Some(None)` clears.
    pub title: Option<Option<String>>,
    pub metadata: Option<BTreeMap<String, String>>,
    pub agent: Option<Box<SessionAgent>>,
    pub archived_at: Option<Timestamp>,
}

#[derive(Debug)]
pub struct Changed {
    /// After the change.
    pub row: SessionRow,
    /// The position of the first of the drafts.
    pub first_seq: Seq,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<R> {
    #[error("no such session")]
    NoSuchSession,
    /// The caller's own reason.
    #[error("refused")]
    Refused(R),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<R> From<AppendError> for ChangeError<R> {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Store(error) => Self::Store(error),
            AppendError::Moved | AppendError::LostLease | AppendError::NoSuchSession => {
                Self::NoSuchSession
            }
        }
    }
}

const UPDATE_SESSION: &str = "\
    update sessions set title = $2, metadata = $3, archived_at = $4 where key = $1";

const DELETE_EVENTS: &str = "delete from events where session_key = $1";
const DELETE_AGENT: &str = "delete from session_agents where session_key = $1";
const DELETE_SESSION: &str = "delete from sessions where key = $1";

const INSERT_DELETED: &str = "\
    insert into deleted_sessions (id, workspace_id, event_id, deleted_at) \
    values ($1, $2, $3, $4)";

impl Store {
    /// Does what `decide` says on seeing the session, in one transaction.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn change_session<R: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        id: SessionId,
        decide: impl FnOnce(&SessionRow) -> Result<SessionEdit, R> + Send + 'static,
    ) -> Result<Changed, ChangeError<R>> {
        let change = move |tx: &Tx<'_>| {
            let (row, key) = find_session(tx, workspace, id)?.ok_or(ChangeError::NoSuchSession)?;
            let edit = decide(&row).map_err(ChangeError::Refused)?;
            apply_edit(tx, key, row, edit)
        };
        let hub = Arc::clone(&self.hub);
        let tell = move |changed: &Changed| {
            if changed.row.last_seq >= changed.first_seq {
                hub.wake(id, Growth::To(changed.row.last_seq, Urgency::BreaksIn));
                hub.wake_supervisor_for(id, &changed.row.summary);
            }
        };
        self.db.write_in(Scope::Session(id), change, tell).await
    }

    /// Removes the session and its log, if `decide` lets it. Open streams are told with an event
    /// of the id `event_id`.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn delete_session<R: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        id: SessionId,
        event_id: EventId,
        at: Timestamp,
        decide: impl FnOnce(&SessionRow) -> Result<(), R> + Send + 'static,
    ) -> Result<(), ChangeError<R>> {
        let delete = move |tx: &Tx<'_>| {
            let (row, key) =
                find_session(tx, workspace, id)?.ok_or(ChangeError::<R>::NoSuchSession)?;
            decide(&row).map_err(ChangeError::Refused)?;
            let statements = [
                DELETE_EVENTS,
                DELETE_AGENT,
                DELETE_SESSION_ENVIRONMENT,
                DELETE_SESSION,
            ];
            for statement in statements {
                tx.execute(statement, &[&key])?;
            }
            delete_snapshot(tx, key)?;
            delete_repositories(tx, id)?;
            delete_placeholders(tx, id)?;
            delete_session_skills(tx, id)?;
            let skills = purge_deleted(tx)?;
            tx.execute(
                INSERT_DELETED,
                &[
                    &id.to_string(),
                    &workspace.to_string(),
                    &event_id.to_string(),
                    &at.as_micros(),
                ],
            )?;
            let files = delete_files_of_session(tx, workspace, id)?;
            Ok::<_, ChangeError<R>>((files, skills))
        };
        let hub = Arc::clone(&self.hub);
        let mounts_changed = self.mounts_changed();
        let tell = move |(files, _): &(Vec<FileId>, Vec<SkillVersionId>)| {
            hub.wake(id, Growth::Unknown);
            mounts_changed(files);
        };
        let (files, skills) = self.db.write_and_tell(delete, tell).await?;
        // What a crash leaves of them here is swept at the next start.
        self.delete_skill_blobs(skills).await?;
        Ok(self.delete_blobs(files).await?)
    }
}

fn apply_edit<R>(
    tx: &Tx<'_>,
    key: i64,
    mut row: SessionRow,
    edit: SessionEdit,
) -> Result<Changed, ChangeError<R>> {
    let first_seq = row.last_seq.next();
    if !edit.drafts.is_empty() {
        let end = LogEnd {
            key,
            last: row.last_seq,
            summary: row.summary.clone(),
        };
        let appended = insert_events(tx, row.id, &Writer::Client(&end), edit.drafts)?;
        row.summary = appended.summary;
        row.last_seq = appended.last;
        debug_assert_eq!(appended.first, first_seq, "one writer at a time");
    }
    if let Some(agent) = edit.agent {
        update_agent(tx, key, &agent)?;
        row.agent = *agent;
    }
    if edit.title.is_some() || edit.metadata.is_some() || edit.archived_at.is_some() {
        row.title = edit.title.unwrap_or(row.title);
        row.metadata = edit.metadata.unwrap_or(row.metadata);
        row.archived_at = edit.archived_at.or(row.archived_at);
        if row.archived_at.is_some() {
            forget_tokens(tx, row.id)?;
        }
        let archived_at = row.archived_at.map(Timestamp::as_micros);
        tx.execute(
            UPDATE_SESSION,
            &[&key, &row.title, &json(&row.metadata)?, &archived_at],
        )?;
    }
    Ok(Changed { row, first_seq })
}

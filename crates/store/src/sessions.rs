//! Sessions: making one and looking at one.

use std::collections::BTreeMap;
use std::sync::Arc;

use hostler_domain::session::Summary;
use hostler_protocol::Timestamp;
use hostler_protocol::agent::SessionAgent;
use hostler_protocol::environment::Environment;
use hostler_protocol::event::{Draft, Seq};
use hostler_protocol::id::{EnvironmentId, FileId, SessionId, ThreadId, VaultId, WorkspaceId};
use hostler_protocol::session_resource::SessionResource;
use tokio::time::Instant;

use crate::db::{Scope, Tx};
use crate::environments::find_environment;
use crate::log::{AppendError, LogEnd, Writer, insert_events, json};
use crate::parameter::Parameter;
use crate::row::Row;
use crate::session_environments::insert_session_environment;
use crate::session_repositories::{NewRepository, insert_repositories};
use crate::session_resources::{MountRefusal, NewMount, find_resources, insert_mounts};
use crate::session_skills::{SkillRefusal, check_session_skills, insert_session_skills};
use crate::vaults::find_vault;
use crate::{Place, Store, StoreError};

/// A session: what was chosen for it, and what follows from its log.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRow {
    pub id: SessionId,
    pub workspace_id: WorkspaceId,
    pub environment_id: EnvironmentId,
    pub agent: SessionAgent,
    pub title: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub summary: Summary,
    pub created_at: Timestamp,
    pub archived_at: Option<Timestamp>,
    /// Where its log ends.
    pub last_seq: Seq,
    /// What is mounted, oldest first.
    pub resources: Vec<SessionResource>,
    /// In the order in which they are looked through.
    pub vault_ids: Vec<VaultId>,
}

/// What follows from the log, without the rest: for whoever acts for the session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionBrief {
    pub workspace_id: WorkspaceId,
    pub summary: Summary,
    pub last_seq: Seq,
}

impl SessionBrief {
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.summary.is_due(now)
    }
}

/// A session to be made.
#[derive(Debug)]
pub struct NewSession {
    pub id: SessionId,
    pub workspace_id: WorkspaceId,
    pub environment_id: EnvironmentId,
    pub agent: SessionAgent,
    pub title: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub at: Timestamp,
    /// The primary thread.
    pub thread: ThreadId,
    /// The first is `hostler.session_created`.
    pub events: Vec<Draft>,
    pub mounts: Vec<NewMount>,
    pub repositories: Vec<NewRepository>,
    pub vault_ids: Vec<VaultId>,
}

/// What became of a new session.
#[derive(Debug)]
pub enum CreateSession {
    Created(Box<SessionRow>),
    /// Its environment is gone or archived.
    NoSuchEnvironment,
    /// A file can't be mounted.
    NotMounted(MountRefusal),
    /// A skill of its agent can't be had.
    NoSkill(SkillRefusal),
    NoSuchVault(VaultId),
    VaultArchived(VaultId),
}

const INSERT_SESSION: &str = "\
    insert into sessions \
    (id, workspace_id, environment_id, agent_id, agent_version, thread_id, title, metadata, \
    status, summary, created_at, updated_at, archived_at, last_seq, needs_runner_at, \
    lease_owner, lease_epoch, lease_expires_at, vault_ids) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, null, 0, null, null, 0, 0, $12) \
    returning key";

const INSERT_AGENT: &str = "insert into session_agents (session_key, agent) values ($1, $2)";

const SESSION: &str = "\
    select s.id, s.workspace_id, s.environment_id, a.agent, s.title, s.metadata, s.summary, \
    s.created_at, s.archived_at, s.last_seq, s.vault_ids, s.key \
    from sessions s join session_agents a on a.session_key = s.key \
    where s.workspace_id = $1 and s.id = $2";

const SESSION_BRIEF: &str = "select summary, last_seq, workspace_id from sessions where id = $1";

const ENVIRONMENT_IN_USE: &str = "\
    select 1 from sessions where workspace_id = $1 and environment_id = $2 limit 1";

impl Store {
    /// Makes a session with the first rows of its log, and keeps what its environment says now.
    ///
    /// # Panics
    /// Without any events: the log of a session begins with its creation.
    pub async fn create_session(&self, new: NewSession) -> Result<CreateSession, StoreError> {
        self.create_session_in(None, new).await
    }

    /// As [`Store::create_session`], for a client, who has a place of [`crate::Wanted::Changes`].
    ///
    /// # Panics
    /// As [`Store::create_session`].
    pub async fn create_session_in(
        &self,
        place: Option<Place>,
        new: NewSession,
    ) -> Result<CreateSession, StoreError> {
        assert!(!new.events.is_empty(), "a new session has a first event");
        if let Err(refusal) = self.copy_blobs(&new.mounts).await? {
            return Ok(CreateSession::NotMounted(refusal));
        }
        let copies: Vec<FileId> = new.mounts.iter().map(|mount| mount.copy).collect();
        let create = move |tx: &Tx<'_>| {
            let environment = find_environment(tx, new.workspace_id, new.environment_id)?;
            match environment.filter(|environment| environment.archived_at.is_none()) {
                Some(environment) => insert_session(tx, new, &environment),
                None => Ok(CreateSession::NoSuchEnvironment),
            }
        };
        // Nobody can follow it yet.
        let hub = Arc::clone(&self.hub);
        let tell = move |created: &CreateSession| {
            if let Some(place) = place {
                place.done(Instant::now());
            }
            if let CreateSession::Created(row) = created {
                hub.wake_supervisor_for(row.id, &row.summary);
            }
        };
        let created: Result<CreateSession, StoreError> =
            self.db.write_in(Scope::NewSession, create, tell).await;
        // After an error the rows may be there: then a sweep decides.
        let created = created?;
        if !matches!(created, CreateSession::Created(_)) {
            self.delete_blobs(copies).await?;
        }
        Ok(created)
    }

    pub async fn session(
        &self,
        workspace: WorkspaceId,
        id: SessionId,
    ) -> Result<Option<SessionRow>, StoreError> {
        self.db
            .read(move |tx| Ok(find_session(tx, workspace, id)?.map(|(row, _)| row)))
            .await
    }

    /// A session of any workspace, for its runner.
    pub async fn session_brief(&self, id: SessionId) -> Result<Option<SessionBrief>, StoreError> {
        self.db
            .read(move |tx| {
                tx.one(SESSION_BRIEF, &[&id.to_string()], |row| {
                    Ok(SessionBrief {
                        summary: row.json(0)?,
                        last_seq: Seq(row.integer(1)?),
                        workspace_id: row.id(2)?,
                    })
                })
            })
            .await
    }

    /// Whether any session, archived ones included, names the environment.
    pub async fn environment_in_use(
        &self,
        workspace: WorkspaceId,
        environment: EnvironmentId,
    ) -> Result<bool, StoreError> {
        self.db
            .read(move |tx| {
                let parameters: [&dyn Parameter; 2] =
                    [&workspace.to_string(), &environment.to_string()];
                Ok(tx
                    .one(ENVIRONMENT_IN_USE, &parameters, |_| Ok(()))?
                    .is_some())
            })
            .await
    }
}

fn insert_session(
    tx: &Tx<'_>,
    new: NewSession,
    environment: &Environment,
) -> Result<CreateSession, StoreError> {
    if let Some(refused) = refuse_vaults(tx, new.workspace_id, &new.vault_ids)? {
        return Ok(refused);
    }
    let vault_ids = match new.vault_ids.as_slice() {
        [] => None,
        vaults => Some(json(&vaults)?),
    };
    let skills = match check_session_skills(tx, &new)? {
        Ok(skills) => skills,
        Err(refusal) => return Ok(CreateSession::NoSkill(refusal)),
    };
    if let Err(refusal) = insert_mounts(tx, new.workspace_id, new.id, &new.mounts)? {
        return Ok(CreateSession::NotMounted(refusal));
    }
    insert_session_skills(tx, new.id, &skills)?;
    insert_repositories(tx, new.id, &new.repositories)?;
    let first_at = new.events.first().map_or(new.at, |first| first.at);
    let summary = Summary::new(new.thread, new.agent.name.clone(), first_at);
    let key = tx.one(
        INSERT_SESSION,
        &[
            &new.id.to_string(),
            &new.workspace_id.to_string(),
            &new.environment_id.to_string(),
            &new.agent.id.to_string(),
            &new.agent.version,
            &new.thread.to_string(),
            &new.title,
            &json(&new.metadata)?,
            &summary.status.as_str(),
            &json(&summary)?,
            &new.at.as_micros(),
            &vault_ids,
        ],
        |row| row.integer(0),
    )?;
    let key = key.ok_or_else(|| StoreError::Corrupt {
        what: "a session that was just made has no key".to_owned(),
    })?;
    tx.execute(INSERT_AGENT, &[&key, &json(&new.agent)?])?;
    insert_session_environment(tx, key, environment)?;
    let end = LogEnd {
        key,
        last: Seq(0),
        summary,
    };
    let appended = insert_events(tx, new.id, &Writer::Client(&end), new.events);
    let appended = appended.map_err(|error| match error {
        AppendError::Store(error) => error,
        AppendError::Moved | AppendError::LostLease | AppendError::NoSuchSession => {
            StoreError::Corrupt {
                what: format!("a session that was just made: {error}"),
            }
        }
    })?;
    Ok(CreateSession::Created(Box::new(SessionRow {
        id: new.id,
        workspace_id: new.workspace_id,
        environment_id: new.environment_id,
        agent: new.agent,
        title: new.title,
        metadata: new.metadata,
        summary: appended.summary,
        created_at: new.at,
        archived_at: None,
        last_seq: appended.last,
        resources: find_resources(tx, new.id)?,
        vault_ids: new.vault_ids,
    })))
}

/// What is wrong with the vaults of a new session, if anything is.
fn refuse_vaults(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    vaults: &[VaultId],
) -> Result<Option<CreateSession>, StoreError> {
    for id in vaults {
        match find_vault(tx, workspace, *id)? {
            None => return Ok(Some(CreateSession::NoSuchVault(*id))),
            Some(vault) if vault.archived_at.is_some() => {
                return Ok(Some(CreateSession::VaultArchived(*id)));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// The session and its key.
pub(crate) fn find_session(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    id: SessionId,
) -> Result<Option<(SessionRow, i64)>, StoreError> {
    tx.one(SESSION, &[&workspace.to_string(), &id.to_string()], |row| {
        Ok((read_session(tx, row)?, row.integer(11)?))
    })
}

/// The first eleven columns of `SESSION`, and what is mounted.
pub(crate) fn read_session(tx: &Tx<'_>, row: &Row<'_>) -> Result<SessionRow, StoreError> {
    let id = row.id(0)?;
    Ok(SessionRow {
        id,
        resources: find_resources(tx, id)?,
        workspace_id: row.id(1)?,
        environment_id: row.id(2)?,
        agent: row.json(3)?,
        title: row.optional_text(4)?,
        metadata: row.json(5)?,
        summary: row.json(6)?,
        created_at: row.timestamp(7)?,
        archived_at: row.optional_timestamp(8)?,
        last_seq: Seq(row.integer(9)?),
        vault_ids: match row.optional_text(10)? {
            Some(_) => row.json(10)?,
            None => Vec::new(),
        },
    })
}

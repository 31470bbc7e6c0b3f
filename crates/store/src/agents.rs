//! Agents and their versions.
//!
//! A row of `agents` says which version is the newest; what a version says is a row of
//! `agent_versions` that is never changed. A save reads, checks and writes in one transaction, so
//! the other agents that it names can't change in between.

use std::sync::Arc;

use hostler_protocol::Timestamp;
use hostler_protocol::agent::{
    Agent, AgentConfig, AgentDraft, CreateAgent, ModelLookup, Reference, UpdateAgent,
};
use hostler_protocol::decode::Invalid;
use hostler_protocol::id::{AgentId, WorkspaceId};

use crate::db::Tx;
use crate::page::{Archived, PageRange};
use crate::row::Row;
use crate::session_skills::find_skills;
use crate::{Store, StoreError};

/// Which agent is saved, when, and what is known about models.
#[derive(Clone)]
pub struct AgentSave {
    pub id: AgentId,
    pub at: Timestamp,
    pub models: Arc<ModelLookup>,
}

impl std::fmt::Debug for AgentSave {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, at, .. } = self;
        write!(formatter, "AgentSave({id}, {at})")
    }
}

/// What became of a request to save an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentSaved {
    /// The newest version; where an update changed nothing it is the old one.
    Saved(Box<Agent>),
    Invalid(Invalid),
    /// The client has seen another version than the newest.
    StaleVersion,
    Archived,
    NoSuchAgent,
}

/// Which agents a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentFilter {
    pub archived: Archived,
    pub created_from: Option<Timestamp>,
    pub created_to: Option<Timestamp>,
}

const CREATE_AGENT: &str = "\
    insert into agents (id, workspace_id, version, created_at, archived_at) \
    values ($1, $2, $3, $4, null)";

const CREATE_VERSION: &str = "\
    insert into agent_versions (agent_id, version, config, created_at) values ($1, $2, $3, $4)";

const SET_VERSION: &str = "\
    update agents set version = $3 where workspace_id = $1 and id = $2";

const ARCHIVE_AGENT: &str = "\
    update agents set archived_at = $3 \
    where workspace_id = $1 and id = $2 and archived_at is null";

const NEWEST: &str = "\
    select a.id, v.version, v.config, a.created_at, v.created_at, a.archived_at \
    from agents a join agent_versions v on v.agent_id = a.id and v.version = a.version \
    where a.workspace_id = $1 and a.id = $2";

const AT_VERSION: &str = "\
    select a.id, v.version, v.config, a.created_at, v.created_at, a.archived_at \
    from agents a join agent_versions v on v.agent_id = a.id \
    where a.workspace_id = $1 and a.id = $2 and v.version = $3";

const LIST: &str = "\
    select a.id, v.version, v.config, a.created_at, v.created_at, a.archived_at \
    from agents a join agent_versions v on v.agent_id = a.id and v.version = a.version \
    where a.workspace_id = $1 and ($2 = 1 or a.archived_at is null) \
    and a.created_at >= $3 and a.created_at <= $4 and (a.created_at, a.id) < ($5, $6) \
    order by a.created_at desc, a.id desc limit $7";

const VERSIONS: &str = "\
    select a.id, v.version, v.config, a.created_at, v.created_at, a.archived_at \
    from agents a join agent_versions v on v.agent_id = a.id \
    where a.workspace_id = $1 and a.id = $2 and v.version < $3 \
    order by v.version desc limit $4";

impl Store {
    /// Makes version 1 of a new agent. The outcome is `Saved` or `Invalid`.
    pub async fn create_agent(
        &self,
        workspace: WorkspaceId,
        save: AgentSave,
        create: CreateAgent,
    ) -> Result<AgentSaved, StoreError> {
        self.db
            .write(move |tx| {
                let draft = create.draft(&*save.models);
                let config = match resolve(tx, workspace, &save, draft)? {
                    Ok(config) => config,
                    Err(invalid) => return Ok(AgentSaved::Invalid(invalid)),
                };
                let (id, at) = (save.id.to_string(), save.at.as_micros());
                tx.execute(CREATE_AGENT, &[&id, &workspace.to_string(), &1, &at])?;
                tx.execute(CREATE_VERSION, &[&id, &1, &text_of(&config)?, &at])?;
                let agent = Agent::new(save.id, 1, config, save.at, save.at);
                Ok(AgentSaved::Saved(Box::new(agent)))
            })
            .await
    }

    /// Makes the next version, unless nothing changes.
    pub async fn update_agent(
        &self,
        workspace: WorkspaceId,
        save: AgentSave,
        update: UpdateAgent,
    ) -> Result<AgentSaved, StoreError> {
        self.db
            .write(move |tx| {
                let newest = Reference {
                    id: save.id,
                    version: None,
                };
                let Some(stored) = find(tx, workspace, newest)? else {
                    return Ok(AgentSaved::NoSuchAgent);
                };
                if stored.archived_at.is_some() {
                    return Ok(AgentSaved::Archived);
                }
                if update.version.is_some_and(|seen| seen != stored.version) {
                    return Ok(AgentSaved::StaleVersion);
                }
                let draft = update.draft(&stored.config, &*save.models);
                let config = match resolve(tx, workspace, &save, draft)? {
                    Ok(config) => config,
                    Err(invalid) => return Ok(AgentSaved::Invalid(invalid)),
                };
                if config == stored.config {
                    return Ok(AgentSaved::Saved(Box::new(stored.into_agent())));
                }
                save_version(tx, workspace, &save, stored, config)
            })
            .await
    }

    /// Sets the moment of archival, once. `None`: there is no such agent.
    pub async fn archive_agent(
        &self,
        workspace: WorkspaceId,
        id: AgentId,
        at: Timestamp,
    ) -> Result<Option<Agent>, StoreError> {
        self.db
            .write(move |tx| {
                let key = [workspace.to_string(), id.to_string()];
                tx.execute(ARCHIVE_AGENT, &[&key[0], &key[1], &at.as_micros()])?;
                find_agent(tx, workspace, Reference { id, version: None })
            })
            .await
    }

    pub async fn agent(
        &self,
        workspace: WorkspaceId,
        reference: Reference,
    ) -> Result<Option<Agent>, StoreError> {
        self.db
            .read(move |tx| find_agent(tx, workspace, reference))
            .await
    }

    /// Those of `references` that exist.
    pub async fn agents_by_reference(
        &self,
        workspace: WorkspaceId,
        references: Vec<Reference>,
    ) -> Result<Vec<(Reference, Agent)>, StoreError> {
        self.db
            .read(move |tx| find_all(tx, workspace, &references))
            .await
    }

    /// Newest first.
    pub async fn agents(
        &self,
        workspace: WorkspaceId,
        filter: AgentFilter,
        range: PageRange,
    ) -> Result<Vec<Agent>, StoreError> {
        self.db
            .read(move |tx| {
                let (below_at, below_id) = range.below();
                let from = filter.created_from.map_or(i64::MIN, Timestamp::as_micros);
                let to = filter.created_to.map_or(i64::MAX, Timestamp::as_micros);
                tx.all(
                    LIST,
                    &[
                        &workspace.to_string(),
                        &filter.archived.flag(),
                        &from,
                        &to,
                        &below_at,
                        &below_id,
                        &range.rows(),
                    ],
                    |row| read_stored(row).map(StoredAgent::into_agent),
                )
            })
            .await
    }

    /// All versions of an agent, newest first; the rank of a page's key is the version. `None`:
    /// there is no such agent.
    pub async fn agent_versions(
        &self,
        workspace: WorkspaceId,
        id: AgentId,
        range: PageRange,
    ) -> Result<Option<Vec<Agent>>, StoreError> {
        self.db
            .read(move |tx| {
                if find(tx, workspace, Reference { id, version: None })?.is_none() {
                    return Ok(None);
                }
                let (below, _) = range.below();
                let key = [workspace.to_string(), id.to_string()];
                let versions = tx.all(
                    VERSIONS,
                    &[&key[0], &key[1], &below, &range.rows()],
                    |row| read_stored(row).map(StoredAgent::into_agent),
                )?;
                Ok(Some(versions))
            })
            .await
    }
}

/// A version with what belongs to its agent.
struct StoredAgent {
    id: AgentId,
    version: u32,
    config: AgentConfig,
    created_at: Timestamp,
    updated_at: Timestamp,
    archived_at: Option<Timestamp>,
}

impl StoredAgent {
    fn into_agent(self) -> Agent {
        let mut agent = Agent::new(
            self.id,
            self.version,
            self.config,
            self.created_at,
            self.updated_at,
        );
        agent.archived_at = self.archived_at;
        agent
    }
}

fn read_stored(row: &Row<'_>) -> Result<StoredAgent, StoreError> {
    let version = row.integer(1)?;
    Ok(StoredAgent {
        id: row.id(0)?,
        version: u32::try_from(version).map_err(|_| StoreError::Corrupt {
            what: format!("column version: {version}"),
        })?,
        config: row.json(2)?,
        created_at: row.timestamp(3)?,
        updated_at: row.timestamp(4)?,
        archived_at: row.optional_timestamp(5)?,
    })
}

fn find(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    reference: Reference,
) -> Result<Option<StoredAgent>, StoreError> {
    let key = [workspace.to_string(), reference.id.to_string()];
    match reference.version {
        None => tx.one(NEWEST, &[&key[0], &key[1]], read_stored),
        Some(version) => tx.one(AT_VERSION, &[&key[0], &key[1], &version], read_stored),
    }
}

/// The agent at a version, or at its newest, for use inside another transaction.
pub(crate) fn find_agent(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    reference: Reference,
) -> Result<Option<Agent>, StoreError> {
    Ok(find(tx, workspace, reference)?.map(StoredAgent::into_agent))
}

fn find_all(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    references: &[Reference],
) -> Result<Vec<(Reference, Agent)>, StoreError> {
    let mut found = Vec::with_capacity(references.len());
    for reference in references {
        if let Some(agent) = find_agent(tx, workspace, *reference)? {
            found.push((*reference, agent));
        }
    }
    Ok(found)
}

fn resolve(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    save: &AgentSave,
    draft: Result<AgentDraft, Invalid>,
) -> Result<Result<AgentConfig, Invalid>, StoreError> {
    let draft = match draft {
        Ok(draft) => draft,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let found = find_all(tx, workspace, &draft.references())?;
    let skills = find_skills(tx, workspace, &draft.wanted_skills())?;
    Ok(draft.resolve(save.id, &found, &skills, &*save.models))
}

fn save_version(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    save: &AgentSave,
    stored: StoredAgent,
    config: AgentConfig,
) -> Result<AgentSaved, StoreError> {
    let next = stored.version.checked_add(1).ok_or(StoreError::Corrupt {
        what: "column version: no version follows".to_owned(),
    })?;
    let id = save.id.to_string();
    let config_text = text_of(&config)?;
    tx.execute(
        CREATE_VERSION,
        &[&id, &next, &config_text, &save.at.as_micros()],
    )?;
    tx.execute(SET_VERSION, &[&workspace.to_string(), &id, &next])?;
    let agent = Agent::new(save.id, next, config, stored.created_at, save.at);
    Ok(AgentSaved::Saved(Box::new(agent)))
}

fn text_of(config: &AgentConfig) -> Result<String, StoreError> {
    serde_json::to_string(config).map_err(|error| StoreError::Corrupt {
        what: format!("an agent's configuration: {error}"),
    })
}

//! Repositories that sessions were made with, and whether the session's sandbox has them.
//!
//! A repository is placed once in the life of a sandbox: from then on it is the agent's, whatever
//! becomes of it.

use hostler_protocol::Timestamp;
use hostler_protocol::id::{ResourceId, SessionId, WorkspaceId};
use hostler_protocol::session_repository::{
    Checkout, MountRepository, RepositoryPath, RepositoryResource, RepositoryResourceType,
    RepositoryUrl,
};

use hostler_vault::Sealed;
use serde::{Deserialize, Serialize};

use crate::db::Tx;
use crate::log::json;
use crate::repository_tokens::{FIRST_TOKEN_VERSION, SealedToken, parse_sealed};
use crate::row::Row;
use crate::{Store, StoreError};

/// A repository of a new session.
#[derive(Debug, Clone)]
pub struct NewRepository {
    pub id: ResourceId,
    pub wish: MountRepository,
    pub at: Timestamp,
    /// Its token, for [`FIRST_TOKEN_VERSION`].
    pub sealed: Option<Sealed>,
}

/// A repository of a session, for whoever acts for the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRepository {
    pub id: ResourceId,
    pub url: RepositoryUrl,
    pub mount_path: RepositoryPath,
    pub checkout: Option<Checkout>,
    /// Whether the session's sandbox got it.
    pub is_placed: bool,
    /// `None`: nobody has looked yet.
    pub skills: Option<Vec<RepositorySkill>>,
    pub token: Option<SealedToken>,
}

/// A skill in a repository, whose text is a stranger's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositorySkill {
    /// The name of its folder in `.claude/skills`.
    pub folder: String,
    pub name: String,
    pub description: String,
}

const INSERT_REPOSITORY: &str = "\
    insert into session_repositories \
    (id, session_id, url, mount_path, checkout, placed_at, created_at, updated_at, sealed, \
    sealed_by, token_version) values ($1, $2, $3, $4, $5, null, $6, $6, $7, $8, $9)";

const REPOSITORIES: &str = "\
    select id, url, mount_path, checkout, created_at, updated_at, placed_at, sealed, token_version, \
    skills from session_repositories where session_id = $1 order by created_at, id";

const WORKSPACE: &str = "select workspace_id from sessions where id = $1";

const SKILLS_FOUND: &str = "\
    update session_repositories set skills = $2 where id = $1 and skills is null";

const PLACED: &str = "update session_repositories set placed_at = $2 where id = $1";

const FORGET_PLACED: &str = "\
    update session_repositories set placed_at = null \
    where session_id = $1 and placed_at is not null";

const DELETE_REPOSITORIES: &str = "delete from session_repositories where session_id = $1";

impl Store {
    /// For whoever acts for the session, of any workspace. Oldest first.
    pub async fn session_repositories(
        &self,
        session: SessionId,
    ) -> Result<Vec<SessionRepository>, StoreError> {
        self.db
            .read(move |tx| {
                let workspace = tx.one(WORKSPACE, &[&session.to_string()], |row| row.id(0))?;
                tx.all(REPOSITORIES, &[&session.to_string()], |row| {
                    let resource = read(row)?;
                    let token = read_token(row, workspace, resource.id)?;
                    Ok(SessionRepository {
                        token,
                        id: resource.id,
                        url: resource.url,
                        mount_path: resource.mount_path,
                        checkout: resource.checkout,
                        is_placed: row.optional_timestamp(6)?.is_some(),
                        skills: read_skills(row)?,
                    })
                })
            })
            .await
    }

    /// These were found in it. What was found before stays.
    pub async fn repository_skills_found(
        &self,
        repository: ResourceId,
        skills: Vec<RepositorySkill>,
    ) -> Result<(), StoreError> {
        let skills = json(&skills)?;
        self.db
            .write(move |tx| {
                tx.execute(SKILLS_FOUND, &[&repository.to_string(), &skills])?;
                Ok(())
            })
            .await
    }

    /// The session's sandbox has it.
    pub async fn repository_placed(
        &self,
        repository: ResourceId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute(PLACED, &[&repository.to_string(), &at.as_micros()])?;
                Ok(())
            })
            .await
    }

    /// The session's sandbox will be a new one, without what the old one had.
    pub async fn forget_placed_repositories(&self, session: SessionId) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute(FORGET_PLACED, &[&session.to_string()])?;
                Ok(())
            })
            .await
    }
}

pub(crate) fn insert_repositories(
    tx: &Tx<'_>,
    session: SessionId,
    repositories: &[NewRepository],
) -> Result<(), StoreError> {
    for NewRepository {
        id,
        wish,
        at,
        sealed,
    } in repositories
    {
        let checkout = wish.checkout.as_ref().map(json).transpose()?;
        tx.execute(
            INSERT_REPOSITORY,
            &[
                &id.to_string(),
                &session.to_string(),
                &wish.url.as_str(),
                &wish.mount_path.to_string(),
                &checkout,
                &at.as_micros(),
                &sealed.as_ref().map(ToString::to_string),
                &sealed.as_ref().map(|sealed| sealed.key_id().to_string()),
                &sealed.as_ref().map(|_| FIRST_TOKEN_VERSION),
            ],
        )?;
    }
    Ok(())
}

/// Oldest first; there are at most `SESSION_REPOSITORIES_MAX`.
pub(crate) fn find_repositories(
    tx: &Tx<'_>,
    session: SessionId,
) -> Result<Vec<RepositoryResource>, StoreError> {
    tx.all(REPOSITORIES, &[&session.to_string()], read)
}

/// With its session.
pub(crate) fn delete_repositories(tx: &Tx<'_>, session: SessionId) -> Result<(), StoreError> {
    tx.execute(DELETE_REPOSITORIES, &[&session.to_string()])?;
    Ok(())
}

fn read_token(
    row: &Row<'_>,
    workspace: Option<WorkspaceId>,
    repository: ResourceId,
) -> Result<Option<SealedToken>, StoreError> {
    let (Some(text), Some(workspace_id)) = (row.optional_text(7)?, workspace) else {
        return Ok(None);
    };
    Ok(Some(SealedToken {
        workspace_id,
        repository,
        version: row.integer(8)?,
        sealed: parse_sealed(&text)?,
    }))
}

fn read_skills(row: &Row<'_>) -> Result<Option<Vec<RepositorySkill>>, StoreError> {
    match row.optional_text(9)? {
        Some(_) => row.json(9).map(Some),
        None => Ok(None),
    }
}

fn read(row: &Row<'_>) -> Result<RepositoryResource, StoreError> {
    let checkout = match row.optional_text(3)? {
        Some(_) => Some(row.json::<Checkout>(3)?),
        None => None,
    };
    Ok(RepositoryResource {
        id: row.id(0)?,
        kind: RepositoryResourceType::GithubRepository,
        url: row.id(1)?,
        mount_path: row.id(2)?,
        checkout,
        created_at: row.timestamp(4)?,
        updated_at: row.timestamp(5)?,
    })
}

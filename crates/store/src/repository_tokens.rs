//! Tokens of repositories, sealed like the secrets of credentials. Nothing here has a key.
//!
//! A token can be replaced as long as its session lives. Each one has a version, which its seal is bound to.

use hostler_domain::session::SessionStatus;
use hostler_protocol::Timestamp;
use hostler_protocol::id::{ResourceId, SessionId, WorkspaceId};
use hostler_protocol::secret::SecretText;
use hostler_protocol::session_repository::RepositoryResource;
use hostler_protocol::session_resource::SessionResource;
use hostler_vault::{KeyId, Keyring, OpenError, Record, SealError, Sealed};

use crate::credentials::CredentialReplaced;
use crate::db::Tx;
use crate::row::Row;
use crate::sessions::find_session;
use crate::{Store, StoreError};

/// The version of a token that a repository was given with its session.
pub(crate) const FIRST_TOKEN_VERSION: i64 = 1;

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedToken {
    pub(crate) workspace_id: WorkspaceId,
    pub(crate) repository: ResourceId,
    pub(crate) version: i64,
    pub(crate) sealed: Sealed,
}

/// What became of another token.
#[derive(Debug)]
pub enum TokenReplaced {
    Replaced(Box<RepositoryResource>),
    NotSealed(SealError),
    NotARepository,
    NoSuchResource,
    NoSuchSession,
    Terminated,
}

const VERSION: &str = "select token_version from session_repositories where id = $1";

const REPLACE: &str = "\
    update session_repositories set sealed = $2, sealed_by = $3, token_version = $4, \
    updated_at = $5 where id = $1";

const SEALED_BY_OTHERS: &str = "\
    select r.id, s.workspace_id, r.token_version, r.sealed \
    from session_repositories r join sessions s on s.id = r.session_id \
    where r.sealed_by is not null and r.sealed_by <> $1 and r.id > $2 order by r.id limit $3";

const REWRAP: &str = "\
    update session_repositories set sealed = $3, sealed_by = $4 where id = $1 and token_version = $2";

const FORGET: &str = "\
    update session_repositories set sealed = null, sealed_by = null \
    where session_id = $1 and sealed is not null";

/// Seals the first token of a repository.
///
/// # Errors
/// When the system has no randomness to give.
pub fn seal_token(
    keyring: &Keyring,
    workspace: WorkspaceId,
    repository: ResourceId,
    token: &SecretText,
) -> Result<Sealed, SealError> {
    let record = record(workspace, repository, FIRST_TOKEN_VERSION);
    keyring.seal(&record, token.expose().as_bytes())
}

impl SealedToken {
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace_id
    }

    /// Goes up with each token.
    pub fn version(&self) -> i64 {
        self.version
    }

    pub fn repository(&self) -> ResourceId {
        self.repository
    }

    /// # Errors
    /// When the master key is not in the ring, or the row is not as it was written.
    pub fn open(&self, keyring: &Keyring) -> Result<SecretText, OpenError> {
        let bytes = keyring.open(&self.record(), &self.sealed)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| OpenError::Broken)?;
        Ok(SecretText::new(text.to_owned()))
    }

    /// The same under the current master key, if it is under another.
    ///
    /// # Errors
    /// As [`SealedToken::open`].
    pub fn rewrapped(&self, keyring: &Keyring) -> Result<Option<Sealed>, OpenError> {
        keyring.rewrap(&self.record(), &self.sealed)
    }

    fn record(&self) -> Record {
        record(self.workspace_id, self.repository, self.version)
    }
}

fn record(workspace: WorkspaceId, repository: ResourceId, version: i64) -> Record {
    Record {
        workspace: workspace.to_string(),
        vault: "repository".to_owned(),
        credential: repository.to_string(),
        version,
    }
}

impl Store {
    /// Gives a repository of a session another token, or its first.
    pub async fn replace_repository_token(
        &self,
        workspace: WorkspaceId,
        session: SessionId,
        resource: ResourceId,
        seal: impl FnOnce(i64) -> Result<Sealed, SealError> + Send + 'static,
        at: Timestamp,
    ) -> Result<TokenReplaced, StoreError> {
        self.db
            .write(move |tx| {
                let Some((row, _)) = find_session(tx, workspace, session)? else {
                    return Ok(TokenReplaced::NoSuchSession);
                };
                let found = row.resources.into_iter().find(|one| one.id() == resource);
                let mut repository = match found {
                    Some(SessionResource::Repository(repository)) => repository,
                    Some(SessionResource::File(_)) => return Ok(TokenReplaced::NotARepository),
                    None => return Ok(TokenReplaced::NoSuchResource),
                };
                if row.summary.status == SessionStatus::Terminated {
                    return Ok(TokenReplaced::Terminated);
                }
                let id = resource.to_string();
                let version = tx.one(VERSION, &[&id], |row| row.optional_integer(0))?;
                let version = version.flatten().unwrap_or(FIRST_TOKEN_VERSION - 1) + 1;
                let sealed = match seal(version) {
                    Ok(sealed) => sealed,
                    Err(error) => return Ok(TokenReplaced::NotSealed(error)),
                };
                let by = sealed.key_id().to_string();
                tx.execute(
                    REPLACE,
                    &[&id, &sealed.to_string(), &by, &version, &at.as_micros()],
                )?;
                repository.updated_at = at;
                Ok(TokenReplaced::Replaced(Box::new(repository)))
            })
            .await
    }

    /// Tokens of all workspaces that another master key than this one seals, behind an id and in their order.
    pub async fn tokens_sealed_by_others(
        &self,
        current: &KeyId,
        behind: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<SealedToken>, StoreError> {
        let current = current.to_string();
        let behind = behind.map(|id| id.to_string()).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.db
            .read(move |tx| tx.all(SEALED_BY_OTHERS, &[&current, &behind, &limit], read))
            .await
    }

    /// Writes the same token under another master key.
    pub async fn rewrap_token(
        &self,
        from: &SealedToken,
        sealed: Sealed,
    ) -> Result<CredentialReplaced, StoreError> {
        let (id, version) = (from.repository.to_string(), from.version);
        self.db
            .write(move |tx| {
                let by = sealed.key_id().to_string();
                let changed = tx.execute(REWRAP, &[&id, &version, &sealed.to_string(), &by])?;
                Ok(match changed {
                    0 => CredentialReplaced::Changed,
                    _ => CredentialReplaced::Replaced,
                })
            })
            .await
    }
}

/// Of a session that will do nothing any more.
pub(crate) fn forget_tokens(tx: &Tx<'_>, session: SessionId) -> Result<(), StoreError> {
    tx.execute(FORGET, &[&session.to_string()])?;
    Ok(())
}

pub(crate) fn parse_sealed(text: &str) -> Result<Sealed, StoreError> {
    text.parse()
        .map_err(|error: hostler_vault::NotSealed| StoreError::Corrupt {
            what: format!("a token of a repository: {error}"),
        })
}

fn read(row: &Row<'_>) -> Result<SealedToken, StoreError> {
    Ok(SealedToken {
        repository: row.id(0)?,
        workspace_id: row.id(1)?,
        version: row.integer(2)?,
        sealed: parse_sealed(&row.text(3)?)?,
    })
}

/// Seals another token of a repository, for the version that the store says.
///
/// # Errors
/// When the system has no randomness to give.
pub fn seal_next_token(
    keyring: &Keyring,
    workspace: WorkspaceId,
    repository: ResourceId,
    version: i64,
    token: &SecretText,
) -> Result<Sealed, SealError> {
    keyring.seal(
        &record(workspace, repository, version),
        token.expose().as_bytes(),
    )
}

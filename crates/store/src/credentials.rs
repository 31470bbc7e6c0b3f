//! Credentials of vaults. Their secrets come sealed and leave sealed: nothing here has a key.
//!
//! A change replaces the row whole, if it still is what the change was made from: each change moves `version`, and the
//! seal of the secrets is bound to the version that it is stored with.

use hostler_protocol::Timestamp;
use hostler_protocol::credential::{Credential, CredentialType};
use hostler_protocol::id::{CredentialId, VaultId, WorkspaceId};
use hostler_protocol::limits::VAULT_CREDENTIALS_MAX;
use hostler_vault::{KeyId, Sealed};

use crate::db::Tx;
use crate::page::{Archived, PageRange};
use crate::row::Row;
use crate::vaults::find_vault;
use crate::{Store, StoreError};

/// A credential with what is sealed of it.
#[derive(Debug, Clone)]
pub struct SealedCredential {
    pub credential: Credential,
    pub workspace_id: WorkspaceId,
    /// What the seal is bound to.
    pub version: i64,
    /// None once it is archived.
    pub sealed: Option<Sealed>,
}

/// What became of a new credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialCreated {
    Created(Box<Credential>),
    /// An active credential of the vault is for the same server or variable.
    KeyTaken,
    TooMany,
    VaultArchived,
    NoSuchVault,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialReplaced {
    Replaced,
    /// It was changed, archived or deleted since it was read.
    Changed,
}

/// The first version of a credential.
pub const FIRST_CREDENTIAL_VERSION: i64 = 1;

const CREATE: &str = "\
    insert into credentials (id, workspace_id, vault_id, display_name, auth, metadata, active_key, \
    version, sealed, sealed_by, created_at, updated_at, archived_at) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, null)";

const COUNT: &str = "select count(*) from credentials where vault_id = $1 and archived_at is null";

const SAME_KEY: &str = "select id from credentials where vault_id = $1 and active_key = $2";

const REPLACE: &str = "\
    update credentials set display_name = $3, auth = $4, metadata = $5, sealed = $6, \
    sealed_by = $7, updated_at = $8, version = version + 1 \
    where workspace_id = $1 and id = $2 and version = $9 and archived_at is null";

const FOR_SERVER: &str = "\
    select id, vault_id, display_name, auth, metadata, created_at, updated_at, archived_at, \
    workspace_id, version, sealed from credentials \
    where workspace_id = $1 and vault_id = $2 and active_key = $3";

const IS_VERSION: &str = "\
    select version from credentials where workspace_id = $1 and id = $2 and version = $3 \
    and archived_at is null";

const FORGET_REFRESH: &str =
    "delete from credential_refreshes where credential_id = $1 and until < $2";

const CLAIM_REFRESH: &str = "\
    insert into credential_refreshes (credential_id, until) values ($1, $2) \
    on conflict (credential_id) do nothing";

const END_REFRESH: &str = "delete from credential_refreshes where credential_id = $1";

const ARCHIVE: &str = "\
    update credentials set archived_at = $4, updated_at = $4, version = version + 1, \
    active_key = null, sealed = null, sealed_by = null \
    where workspace_id = $1 and vault_id = $2 and id = $3 and archived_at is null";

const DELETE: &str = "\
    delete from credentials where workspace_id = $1 and vault_id = $2 and id = $3";

const FIND: &str = "\
    select id, vault_id, display_name, auth, metadata, created_at, updated_at, archived_at, \
    workspace_id, version, sealed from credentials \
    where workspace_id = $1 and vault_id = $2 and id = $3";

const LIST: &str = "\
    select id, vault_id, display_name, auth, metadata, created_at, updated_at, archived_at \
    from credentials where workspace_id = $1 and vault_id = $2 \
    and ($3 = 1 or archived_at is null) and (created_at, id) < ($4, $5) \
    order by created_at desc, id desc limit $6";

const ACTIVE_OF_VAULT: &str = "\
    select id, vault_id, display_name, auth, metadata, created_at, updated_at, archived_at, \
    workspace_id, version, sealed from credentials \
    where workspace_id = $1 and vault_id = $2 and archived_at is null order by created_at, id";

const SEALED_BY_OTHERS: &str = "\
    select id, vault_id, display_name, auth, metadata, created_at, updated_at, archived_at, \
    workspace_id, version, sealed from credentials \
    where sealed_by is not null and sealed_by <> $1 and id > $2 order by id limit $3";

const REWRAP: &str = "\
    update credentials set sealed = $3, sealed_by = $4 where id = $1 and version = $2";

const MASTER_KEYS: &str = "\
    select sealed_by from credentials where sealed_by is not null union \
    select sealed_by from session_repositories where sealed_by is not null order by sealed_by";

impl Store {
    /// `sealed` is bound to [`FIRST_CREDENTIAL_VERSION`].
    pub async fn create_credential(
        &self,
        workspace: WorkspaceId,
        credential: Credential,
        sealed: Sealed,
    ) -> Result<CredentialCreated, StoreError> {
        self.db
            .write(move |tx| {
                match find_vault(tx, workspace, credential.vault_id)? {
                    None => return Ok(CredentialCreated::NoSuchVault),
                    Some(vault) if vault.archived_at.is_some() => {
                        return Ok(CredentialCreated::VaultArchived);
                    }
                    Some(_) => {}
                }
                let vault = credential.vault_id.to_string();
                let key = credential.auth.key();
                if tx
                    .one(SAME_KEY, &[&vault, &key], |row| row.text(0))?
                    .is_some()
                {
                    return Ok(CredentialCreated::KeyTaken);
                }
                let count = tx.one(COUNT, &[&vault], |row| row.integer(0))?;
                if count.unwrap_or(0) >= i64::try_from(VAULT_CREDENTIALS_MAX).unwrap_or(i64::MAX) {
                    return Ok(CredentialCreated::TooMany);
                }
                let columns = Columns::of(&credential)?;
                tx.execute(
                    CREATE,
                    &[
                        &credential.id.to_string(),
                        &workspace.to_string(),
                        &vault,
                        &credential.display_name,
                        &columns.auth,
                        &columns.metadata,
                        &key,
                        &FIRST_CREDENTIAL_VERSION,
                        &sealed.to_string(),
                        &sealed.key_id().to_string(),
                        &credential.created_at.as_micros(),
                    ],
                )?;
                Ok(CredentialCreated::Created(Box::new(credential)))
            })
            .await
    }

    /// Writes what was made from `from`, with secrets that are bound to the version after it.
    pub async fn replace_credential(
        &self,
        from: &SealedCredential,
        credential: Credential,
        sealed: Sealed,
    ) -> Result<CredentialReplaced, StoreError> {
        let (workspace, version) = (from.workspace_id, from.version);
        self.db
            .write(move |tx| {
                let columns = Columns::of(&credential)?;
                let changed = tx.execute(
                    REPLACE,
                    &[
                        &workspace.to_string(),
                        &credential.id.to_string(),
                        &credential.display_name,
                        &columns.auth,
                        &columns.metadata,
                        &sealed.to_string(),
                        &sealed.key_id().to_string(),
                        &credential.updated_at.as_micros(),
                        &version,
                    ],
                )?;
                Ok(match changed {
                    0 => CredentialReplaced::Changed,
                    _ => CredentialReplaced::Replaced,
                })
            })
            .await
    }

    /// The active credential for an MCP server's address in its canonical form: that of the first vault that has one.
    pub async fn credential_for_server(
        &self,
        workspace: WorkspaceId,
        vaults: Vec<VaultId>,
        canonical_url: String,
    ) -> Result<Option<SealedCredential>, StoreError> {
        self.db
            .read(move |tx| {
                let workspace = workspace.to_string();
                for vault in &vaults {
                    let vault = vault.to_string();
                    let key = [&workspace, &vault, &canonical_url];
                    let found = tx.one(FOR_SERVER, &[key[0], key[1], key[2]], read_sealed)?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Ok(None)
            })
            .await
    }

    /// Takes the right to spend the refresh token that was read, until a time. False: somebody else has it, or the
    /// credential was changed.
    pub async fn claim_refresh(
        &self,
        from: &SealedCredential,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let (workspace, id, version) = (from.workspace_id, from.credential.id, from.version);
        self.db
            .write(move |tx| {
                let (workspace, id) = (workspace.to_string(), id.to_string());
                let is_current = tx.one(IS_VERSION, &[&workspace, &id, &version], |row| {
                    row.integer(0)
                })?;
                if is_current.is_none() {
                    return Ok(false);
                }
                tx.execute(FORGET_REFRESH, &[&id, &now.as_micros()])?;
                Ok(tx.execute(CLAIM_REFRESH, &[&id, &until.as_micros()])? > 0)
            })
            .await
    }

    /// Gives the right back.
    pub async fn end_refresh(&self, id: CredentialId) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute(END_REFRESH, &[&id.to_string()])?;
                Ok(())
            })
            .await
    }

    /// Archives a credential, once, and forgets its secrets. `None`: there is no such credential.
    pub async fn archive_credential(
        &self,
        workspace: WorkspaceId,
        vault: VaultId,
        id: CredentialId,
        at: Timestamp,
    ) -> Result<Option<Credential>, StoreError> {
        self.db
            .write(move |tx| {
                let key = [workspace.to_string(), vault.to_string(), id.to_string()];
                tx.execute(ARCHIVE, &[&key[0], &key[1], &key[2], &at.as_micros()])?;
                let found = find_credential(tx, workspace, vault, id)?;
                Ok(found.map(|found| found.credential))
            })
            .await
    }

    /// False: there was no such credential.
    pub async fn delete_credential(
        &self,
        workspace: WorkspaceId,
        vault: VaultId,
        id: CredentialId,
    ) -> Result<bool, StoreError> {
        self.db
            .write(move |tx| {
                let key = [workspace.to_string(), vault.to_string(), id.to_string()];
                Ok(tx.execute(DELETE, &[&key[0], &key[1], &key[2]])? > 0)
            })
            .await
    }

    pub async fn credential(
        &self,
        workspace: WorkspaceId,
        vault: VaultId,
        id: CredentialId,
    ) -> Result<Option<SealedCredential>, StoreError> {
        self.db
            .read(move |tx| find_credential(tx, workspace, vault, id))
            .await
    }

    /// Newest first. `None`: there is no such vault.
    pub async fn credentials(
        &self,
        workspace: WorkspaceId,
        vault: VaultId,
        archived: Archived,
        range: PageRange,
    ) -> Result<Option<Vec<Credential>>, StoreError> {
        self.db
            .read(move |tx| {
                if find_vault(tx, workspace, vault)?.is_none() {
                    return Ok(None);
                }
                let (below_at, below_id) = range.below();
                let listed = tx.all(
                    LIST,
                    &[
                        &workspace.to_string(),
                        &vault.to_string(),
                        &archived.flag(),
                        &below_at,
                        &below_id,
                        &range.rows(),
                    ],
                    read_credential,
                )?;
                Ok(Some(listed))
            })
            .await
    }

    /// The master keys that credentials, and tokens of repositories, are sealed under.
    pub async fn master_keys(&self) -> Result<Vec<String>, StoreError> {
        self.db
            .read(|tx| tx.all(MASTER_KEYS, &[], |row| row.text(0)))
            .await
    }

    /// Credentials of all workspaces that another master key than this one seals, behind an id and in their order.
    pub async fn credentials_sealed_by_others(
        &self,
        current: &KeyId,
        behind: Option<CredentialId>,
        limit: usize,
    ) -> Result<Vec<SealedCredential>, StoreError> {
        let current = current.to_string();
        let behind = behind.map(|id| id.to_string()).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.db
            .read(move |tx| tx.all(SEALED_BY_OTHERS, &[&current, &behind, &limit], read_sealed))
            .await
    }

    /// Writes the same secrets under another master key.
    pub async fn rewrap_credential(
        &self,
        from: &SealedCredential,
        sealed: Sealed,
    ) -> Result<CredentialReplaced, StoreError> {
        let (id, version) = (from.credential.id, from.version);
        self.db
            .write(move |tx| {
                let changed = tx.execute(
                    REWRAP,
                    &[
                        &id.to_string(),
                        &version,
                        &sealed.to_string(),
                        &sealed.key_id().to_string(),
                    ],
                )?;
                Ok(match changed {
                    0 => CredentialReplaced::Changed,
                    _ => CredentialReplaced::Replaced,
                })
            })
            .await
    }
}

/// There are at most `VAULT_CREDENTIALS_MAX`; none of a vault that was deleted or archived.
pub(crate) fn active_credentials(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    vault: VaultId,
) -> Result<Vec<SealedCredential>, StoreError> {
    let key = [workspace.to_string(), vault.to_string()];
    tx.all(ACTIVE_OF_VAULT, &[&key[0], &key[1]], read_sealed)
}

fn find_credential(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    vault: VaultId,
    id: CredentialId,
) -> Result<Option<SealedCredential>, StoreError> {
    let key = [workspace.to_string(), vault.to_string(), id.to_string()];
    tx.one(FIND, &[&key[0], &key[1], &key[2]], read_sealed)
}

fn read_credential(row: &Row<'_>) -> Result<Credential, StoreError> {
    Ok(Credential {
        id: row.id(0)?,
        kind: CredentialType::VaultCredential,
        vault_id: row.id(1)?,
        display_name: row.optional_text(2)?,
        auth: row.json(3)?,
        metadata: row.json(4)?,
        created_at: row.timestamp(5)?,
        updated_at: row.timestamp(6)?,
        archived_at: row.optional_timestamp(7)?,
    })
}

fn read_sealed(row: &Row<'_>) -> Result<SealedCredential, StoreError> {
    let sealed = row.optional_text(10)?;
    let sealed = sealed.map(|text| text.parse()).transpose();
    Ok(SealedCredential {
        credential: read_credential(row)?,
        workspace_id: row.id(8)?,
        version: row.integer(9)?,
        sealed: sealed.map_err(|error: hostler_vault::NotSealed| StoreError::Corrupt {
            what: format!("a credential: {error}"),
        })?,
    })
}

/// The two columns that hold JSON.
struct Columns {
    auth: String,
    metadata: String,
}

impl Columns {
    fn of(credential: &Credential) -> Result<Self, StoreError> {
        let corrupt = |error: serde_json::Error| StoreError::Corrupt {
            what: format!("a credential: {error}"),
        };
        Ok(Self {
            auth: serde_json::to_string(&credential.auth).map_err(corrupt)?,
            metadata: serde_json::to_string(&credential.metadata).map_err(corrupt)?,
        })
    }
}

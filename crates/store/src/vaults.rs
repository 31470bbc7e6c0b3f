//! Vaults. What they hold is in `credentials.rs`.

use hostler_protocol::Timestamp;
use hostler_protocol::decode::Invalid;
use hostler_protocol::id::{VaultId, WorkspaceId};
use hostler_protocol::vault::{UpdateVault, Vault, VaultType};

use crate::db::Tx;
use crate::page::{Archived, PageRange};
use crate::row::Row;
use crate::{Store, StoreError};

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultUpdated {
    /// As it stands now, changed or not.
    Updated(Box<Vault>),
    Invalid(Invalid),
    Archived,
    NoSuchVault,
}

const CREATE: &str = "\
    insert into vaults (id, workspace_id, display_name, metadata, created_at, updated_at, \
    archived_at) values ($1, $2, $3, $4, $5, $5, null)";

const UPDATE: &str = "\
    update vaults set display_name = $3, metadata = $4, updated_at = $5 \
    where workspace_id = $1 and id = $2";

const ARCHIVE: &str = "\
    update vaults set archived_at = $3, updated_at = $3 \
    where workspace_id = $1 and id = $2 and archived_at is null";

/// The secrets go, what they were for stays visible.
const ARCHIVE_CREDENTIALS: &str = "\
    update credentials set archived_at = $3, updated_at = $3, version = version + 1, \
    active_key = null, sealed = null, sealed_by = null \
    where workspace_id = $1 and vault_id = $2 and archived_at is null";

const DELETE_CREDENTIALS: &str =
    "delete from credentials where workspace_id = $1 and vault_id = $2";

const DELETE: &str = "delete from vaults where workspace_id = $1 and id = $2";

const FIND: &str = "\
    select id, display_name, metadata, created_at, updated_at, archived_at \
    from vaults where workspace_id = $1 and id = $2";

const LIST: &str = "\
    select id, display_name, metadata, created_at, updated_at, archived_at \
    from vaults where workspace_id = $1 and ($2 = 1 or archived_at is null) \
    and (created_at, id) < ($3, $4) order by created_at desc, id desc limit $5";

impl Store {
    pub async fn create_vault(
        &self,
        workspace: WorkspaceId,
        vault: Vault,
    ) -> Result<Vault, StoreError> {
        self.db
            .write(move |tx| {
                tx.execute(
                    CREATE,
                    &[
                        &vault.id.to_string(),
                        &workspace.to_string(),
                        &vault.display_name,
                        &metadata_column(&vault)?,
                        &vault.created_at.as_micros(),
                    ],
                )?;
                Ok(vault)
            })
            .await
    }

    /// An update that changes nothing leaves `updated_at` alone.
    pub async fn update_vault(
        &self,
        workspace: WorkspaceId,
        id: VaultId,
        update: UpdateVault,
        at: Timestamp,
    ) -> Result<VaultUpdated, StoreError> {
        self.db
            .write(move |tx| {
                let Some(mut vault) = find_vault(tx, workspace, id)? else {
                    return Ok(VaultUpdated::NoSuchVault);
                };
                if vault.archived_at.is_some() {
                    return Ok(VaultUpdated::Archived);
                }
                let fields = match update.apply(vault.fields()) {
                    Ok(fields) => fields,
                    Err(invalid) => return Ok(VaultUpdated::Invalid(invalid)),
                };
                if fields != vault.fields() {
                    vault = Vault {
                        updated_at: at,
                        ..Vault::new(id, fields, vault.created_at)
                    };
                    tx.execute(
                        UPDATE,
                        &[
                            &workspace.to_string(),
                            &id.to_string(),
                            &vault.display_name,
                            &metadata_column(&vault)?,
                            &at.as_micros(),
                        ],
                    )?;
                }
                Ok(VaultUpdated::Updated(Box::new(vault)))
            })
            .await
    }

    /// Archives a vault and its credentials, once, and forgets their secrets. `None`: there is no such vault.
    pub async fn archive_vault(
        &self,
        workspace: WorkspaceId,
        id: VaultId,
        at: Timestamp,
    ) -> Result<Option<Vault>, StoreError> {
        self.db
            .write(move |tx| {
                let key = [workspace.to_string(), id.to_string()];
                tx.execute(ARCHIVE, &[&key[0], &key[1], &at.as_micros()])?;
                tx.execute(ARCHIVE_CREDENTIALS, &[&key[0], &key[1], &at.as_micros()])?;
                find_vault(tx, workspace, id)
            })
            .await
    }

    /// Deletes a vault and its credentials, archived or not. False: there was no such vault.
    pub async fn delete_vault(
        &self,
        workspace: WorkspaceId,
        id: VaultId,
    ) -> Result<bool, StoreError> {
        self.db
            .write(move |tx| {
                let key = [workspace.to_string(), id.to_string()];
                tx.execute(DELETE_CREDENTIALS, &[&key[0], &key[1]])?;
                Ok(tx.execute(DELETE, &[&key[0], &key[1]])? > 0)
            })
            .await
    }

    pub async fn vault(
        &self,
        workspace: WorkspaceId,
        id: VaultId,
    ) -> Result<Option<Vault>, StoreError> {
        self.db.read(move |tx| find_vault(tx, workspace, id)).await
    }

    /// Newest first.
    pub async fn vaults(
        &self,
        workspace: WorkspaceId,
        archived: Archived,
        range: PageRange,
    ) -> Result<Vec<Vault>, StoreError> {
        self.db
            .read(move |tx| {
                let (below_at, below_id) = range.below();
                tx.all(
                    LIST,
                    &[
                        &workspace.to_string(),
                        &archived.flag(),
                        &below_at,
                        &below_id,
                        &range.rows(),
                    ],
                    read_vault,
                )
            })
            .await
    }
}

/// For use inside another transaction.
pub(crate) fn find_vault(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    id: VaultId,
) -> Result<Option<Vault>, StoreError> {
    let key = [workspace.to_string(), id.to_string()];
    tx.one(FIND, &[&key[0], &key[1]], read_vault)
}

fn read_vault(row: &Row<'_>) -> Result<Vault, StoreError> {
    Ok(Vault {
        id: row.id(0)?,
        kind: VaultType::Vault,
        display_name: row.text(1)?,
        metadata: row.json(2)?,
        created_at: row.timestamp(3)?,
        updated_at: row.timestamp(4)?,
        archived_at: row.optional_timestamp(5)?,
    })
}

fn metadata_column(vault: &Vault) -> Result<String, StoreError> {
    serde_json::to_string(&vault.metadata).map_err(|error| StoreError::Corrupt {
        what: format!("a vault: {error}"),
    })
}

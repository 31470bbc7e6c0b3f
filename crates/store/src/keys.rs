//! Workspaces and the API keys that open them. A key is held as its hash; the text of one never
//! gets here.

use hostler_protocol::Timestamp;
use hostler_protocol::id::{ApiKeyId, WorkspaceId};

use crate::limits::{API_KEYS_MAX, WORKSPACES_MAX};
use crate::parameter::Parameter;
use crate::row::Row;
use crate::{Store, StoreError};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    pub created_at: Timestamp,
}

/// An API key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub workspace_id: WorkspaceId,
    pub name: String,
    /// SHA-256 of the key in lower-case hexadecimal.
    pub hash: String,
    /// The last characters of the key.
    pub hint: String,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// What became of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCreated {
    Created,
    /// The same key text is in use, in this workspace or another.
    HashTaken,
}

/// What became of the order to revoke a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRevoked {
    Revoked,
    /// It had been revoked before; that moment stays.
    Already,
    NoSuchKey,
}

const CREATE_WORKSPACE: &str = "\
    insert into workspaces (id, name, created_at) values ($1, $2, $3)";

const WORKSPACES: &str = "\
    select id, name, created_at from workspaces order by created_at, id limit $1";

const CREATE_API_KEY: &str = "\
    insert into api_keys (id, workspace_id, name, hash, hint, created_at, revoked_at) \
    values ($1, $2, $3, $4, $5, $6, $7)";

const API_KEY_BY_HASH: &str = "\
    select id, workspace_id, name, hash, hint, created_at, revoked_at \
    from api_keys where hash = $1";

const API_KEYS: &str = "\
    select id, workspace_id, name, hash, hint, created_at, revoked_at \
    from api_keys where workspace_id = $1 order by created_at, id limit $2";

const API_KEY_STATE: &str = "\
    select revoked_at from api_keys where workspace_id = $1 and id = $2";

const REVOKE_API_KEY: &str = "\
    update api_keys set revoked_at = $3 \
    where workspace_id = $1 and id = $2 and revoked_at is null";

const COUNT_API_KEYS: &str = "select count(*) from api_keys";

impl Store {
    pub async fn create_workspace(&self, workspace: Workspace) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                let id = workspace.id.to_string();
                let created_at = workspace.created_at.as_micros();
                tx.execute(CREATE_WORKSPACE, &[&id, &workspace.name, &created_at])?;
                Ok(())
            })
            .await
    }

    /// All workspaces, oldest first: the first is the one of the first start.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        self.db
            .read(|tx| {
                tx.all(WORKSPACES, &[&WORKSPACES_MAX], |row| {
                    Ok(Workspace {
                        id: row.id(0)?,
                        name: row.text(1)?,
                        created_at: row.timestamp(2)?,
                    })
                })
            })
            .await
    }

    pub async fn create_api_key(&self, key: ApiKey) -> Result<KeyCreated, StoreError> {
        let created = self.db.write(move |tx| {
            let created_at = key.created_at.as_micros();
            let revoked_at = key.revoked_at.map(Timestamp::as_micros);
            tx.execute(
                CREATE_API_KEY,
                &[
                    &key.id.to_string(),
                    &key.workspace_id.to_string(),
                    &key.name,
                    &key.hash,
                    &key.hint,
                    &created_at,
                    &revoked_at,
                ],
            )
        });
        match created.await {
            Ok(_) => Ok(KeyCreated::Created),
            // The id is new, so the hash is what exists.
            Err(StoreError::Unique) => Ok(KeyCreated::HashTaken),
            Err(error) => Err(error),
        }
    }

    /// The key of any workspace: this is the question that finds out who is asking.
    pub async fn api_key_by_hash(&self, hash: String) -> Result<Option<ApiKey>, StoreError> {
        self.db
            .read(move |tx| tx.one(API_KEY_BY_HASH, &[&hash], read_api_key))
            .await
    }

    /// The keys of a workspace, oldest first, revoked ones included.
    pub async fn api_keys(&self, workspace: WorkspaceId) -> Result<Vec<ApiKey>, StoreError> {
        self.db
            .read(move |tx| {
                tx.all(
                    API_KEYS,
                    &[&workspace.to_string(), &API_KEYS_MAX],
                    read_api_key,
                )
            })
            .await
    }

    pub async fn revoke_api_key(
        &self,
        workspace: WorkspaceId,
        key: ApiKeyId,
        at: Timestamp,
    ) -> Result<KeyRevoked, StoreError> {
        self.db
            .write(move |tx| {
                let (workspace, key) = (workspace.to_string(), key.to_string());
                let parameters: [&dyn Parameter; 3] = [&workspace, &key, &at.as_micros()];
                if tx.execute(REVOKE_API_KEY, &parameters)? == 1 {
                    return Ok(KeyRevoked::Revoked);
                }
                let known = tx.one(API_KEY_STATE, &[&workspace, &key], |_| Ok(()))?;
                Ok(match known {
                    Some(()) => KeyRevoked::Already,
                    None => KeyRevoked::NoSuchKey,
                })
            })
            .await
    }

    /// How many keys were ever made: none means that this is the first start.
    pub async fn count_api_keys(&self) -> Result<i64, StoreError> {
        let count = self
            .db
            .read(|tx| tx.one(COUNT_API_KEYS, &[], |row| row.integer(0)));
        Ok(count.await?.unwrap_or(0))
    }
}

fn read_api_key(row: &Row<'_>) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: row.id(0)?,
        workspace_id: row.id(1)?,
        name: row.text(2)?,
        hash: row.text(3)?,
        hint: row.text(4)?,
        created_at: row.timestamp(5)?,
        revoked_at: row.optional_timestamp(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_domain::Env;

    fn key(env: &Env, workspace_id: WorkspaceId, hash: &str) -> ApiKey {
        ApiKey {
            id: env.id(),
            workspace_id,
            name: "test".into(),
            hash: hash.into(),
            hint: "abcd".into(),
            created_at: env.now(),
            revoked_at: None,
        }
    }

    #[tokio::test]
    async fn a_key_lives_until_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let env = Env::fixed(1);
        let workspace = Workspace {
            id: env.id(),
            name: "default".into(),
            created_at: env.now(),
        };
        store.create_workspace(workspace.clone()).await.unwrap();
        assert_eq!(
            store.workspaces().await.unwrap(),
            std::slice::from_ref(&workspace)
        );
        assert_eq!(store.count_api_keys().await.unwrap(), 0);

        let first = key(&env, workspace.id, "one");
        let created = store.create_api_key(first.clone()).await.unwrap();
        assert_eq!(created, KeyCreated::Created);
        let again = store.create_api_key(key(&env, workspace.id, "one")).await;
        assert_eq!(again.unwrap(), KeyCreated::HashTaken);
        let found = store.api_key_by_hash("one".into()).await.unwrap();
        assert_eq!(found, Some(first.clone()));
        assert_eq!(store.api_key_by_hash("two".into()).await.unwrap(), None);

        let foreign = store
            .revoke_api_key(env.id(), first.id, env.now())
            .await
            .unwrap();
        assert_eq!(foreign, KeyRevoked::NoSuchKey);
        for outcome in [KeyRevoked::Revoked, KeyRevoked::Already] {
            let revoked = store
                .revoke_api_key(workspace.id, first.id, env.now())
                .await;
            assert_eq!(revoked.unwrap(), outcome);
        }
        let keys = store.api_keys(workspace.id).await.unwrap();
        assert_eq!(keys[0].revoked_at, Some(env.now()));
        assert_eq!(store.count_api_keys().await.unwrap(), 1);
    }
}

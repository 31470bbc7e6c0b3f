//! The variables that a session's vaults give its sandbox, and what stands there in their place.
//!
//! A placeholder is the same for all of a session's life: programs that run, and files that an agent wrote,
//! hold it. Which credential it stands for is found anew each time.

use std::collections::BTreeMap;

use hostler_protocol::credential::Auth;
use hostler_protocol::id::{SessionId, VaultId, WorkspaceId};

use crate::credentials::active_credentials;
use crate::db::Tx;
use crate::{SealedCredential, Store, StoreError};

/// A variable of a session's sandbox.
#[derive(Debug, Clone)]
pub struct SessionVariable {
    pub secret_name: String,
    /// `None`: it has none yet, so no sandbox knows of it.
    pub placeholder: Option<String>,
    pub credential: SealedCredential,
}

const VAULTS: &str = "select workspace_id, vault_ids from sessions where id = $1";

const PLACEHOLDERS: &str = "\
    select secret_name, placeholder from session_placeholders where session_id = $1";

const INSERT: &str = "\
    insert into session_placeholders (session_id, secret_name, placeholder) values ($1, $2, $3) \
    on conflict (session_id, secret_name) do nothing";

const DELETE: &str = "delete from session_placeholders where session_id = $1";

impl Store {
    /// For whoever acts for the session, of any workspace. Of the active credentials of one name, that of
    /// the vault that comes first.
    pub async fn session_variables(
        &self,
        session: SessionId,
    ) -> Result<Vec<SessionVariable>, StoreError> {
        self.db.read(move |tx| find(tx, session)).await
    }

    /// Gives variables their placeholders, unless they have one: the first stays.
    pub async fn keep_placeholders(
        &self,
        session: SessionId,
        placeholders: Vec<(String, String)>,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                for (name, placeholder) in &placeholders {
                    tx.execute(INSERT, &[&session.to_string(), name, placeholder])?;
                }
                Ok(())
            })
            .await
    }

    /// By what they are of: a variable's name, or another.
    pub async fn session_placeholders(
        &self,
        session: SessionId,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        self.db.read(move |tx| placeholders(tx, session)).await
    }
}

fn vaults(
    tx: &Tx<'_>,
    session: SessionId,
) -> Result<Option<(WorkspaceId, Vec<VaultId>)>, StoreError> {
    tx.one(VAULTS, &[&session.to_string()], |row| {
        let vaults = match row.optional_text(1)? {
            Some(_) => row.json(1)?,
            None => Vec::new(),
        };
        Ok((row.id(0)?, vaults))
    })
}

fn placeholders(tx: &Tx<'_>, session: SessionId) -> Result<BTreeMap<String, String>, StoreError> {
    let all = tx.all(PLACEHOLDERS, &[&session.to_string()], |row| {
        Ok((row.text(0)?, row.text(1)?))
    })?;
    Ok(all.into_iter().collect())
}

fn find(tx: &Tx<'_>, session: SessionId) -> Result<Vec<SessionVariable>, StoreError> {
    let Some((workspace, vaults)) = vaults(tx, session)? else {
        return Ok(Vec::new());
    };
    let mut first: BTreeMap<String, SealedCredential> = BTreeMap::new();
    for vault in vaults {
        for found in active_credentials(tx, workspace, vault)? {
            if let Auth::EnvironmentVariable { secret_name, .. } = &found.credential.auth {
                first.entry(secret_name.clone()).or_insert(found);
            }
        }
    }
    if first.is_empty() {
        return Ok(Vec::new());
    }
    let mut placeholders = placeholders(tx, session)?;
    let variables = first.into_iter().map(|(name, credential)| SessionVariable {
        placeholder: placeholders.remove(&name),
        secret_name: name,
        credential,
    });
    Ok(variables.collect())
}

/// With its session.
pub(crate) fn delete_placeholders(tx: &Tx<'_>, session: SessionId) -> Result<(), StoreError> {
    tx.execute(DELETE, &[&session.to_string()])?;
    Ok(())
}

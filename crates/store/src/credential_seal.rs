//! From the secrets of a credential to their sealed form and back. The keys are the caller's.

use hostler_protocol::credential::{Credential, Secrets, UnreadableSecrets};
use hostler_protocol::id::WorkspaceId;
use hostler_vault::{Keyring, OpenError, Record, SealError, Sealed};

use crate::SealedCredential;

/// Why the secrets of a credential can't be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("{credential} can't be opened: {source}")]
    Open {
        credential: String,
        source: OpenError,
    },
    #[error("{credential} can't be read: {source}")]
    Unreadable {
        credential: String,
        source: UnreadableSecrets,
    },
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Seals secrets for the row of this credential with this version.
///
/// # Errors
/// When the system has no randomness to give.
pub fn seal_credential(
    keyring: &Keyring,
    workspace: WorkspaceId,
    credential: &Credential,
    version: i64,
    secrets: &Secrets,
) -> Result<Sealed, CredentialError> {
    let bytes = secrets
        .to_bytes()
        .map_err(|source| CredentialError::Unreadable {
            credential: credential.id.to_string(),
            source,
        })?;
    Ok(keyring.seal(&record(workspace, credential, version), &bytes)?)
}

impl SealedCredential {
    /// The secrets; none of an archived credential.
    ///
    /// # Errors
    /// When the master key is not in the ring, or the row is not as it was written.
    pub fn open(&self, keyring: &Keyring) -> Result<Option<Secrets>, CredentialError> {
        let Some(sealed) = &self.sealed else {
            return Ok(None);
        };
        let credential = || self.credential.id.to_string();
        let bytes =
            keyring
                .open(&self.record(), sealed)
                .map_err(|source| CredentialError::Open {
                    credential: credential(),
                    source,
                })?;
        let secrets =
            Secrets::from_bytes(&bytes).map_err(|source| CredentialError::Unreadable {
                credential: credential(),
                source,
            })?;
        Ok(Some(secrets))
    }

    /// The same under the current master key, if it is under another.
    ///
    /// # Errors
    /// As [`SealedCredential::open`].
    pub fn rewrapped(&self, keyring: &Keyring) -> Result<Option<Sealed>, CredentialError> {
        let Some(sealed) = &self.sealed else {
            return Ok(None);
        };
        let rewrapped = keyring.rewrap(&self.record(), sealed);
        rewrapped.map_err(|source| CredentialError::Open {
            credential: self.credential.id.to_string(),
            source,
        })
    }

    fn record(&self) -> Record {
        record(self.workspace_id, &self.credential, self.version)
    }
}

fn record(workspace: WorkspaceId, credential: &Credential, version: i64) -> Record {
    Record {
        workspace: workspace.to_string(),
        vault: credential.vault_id.to_string(),
        credential: credential.id.to_string(),
        version,
    }
}

//! The token for a server, out of a session's vaults.
//!
//! A token of OAuth is renewed shortly before it expires, and when its server refuses it. A refresh token may be
//! good for one use, and spending it twice can revoke all that came of it. So one renewal of a credential is
//! under way at a time, in this process by a lock and among servers by a mark in the row; what came is stored
//! before anybody uses it; and a renewal goes on to its end though whoever wanted it is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hostler_domain::Env;
use hostler_mcp::{Client, ClientAuth, Refresh, RefreshError, Refreshed, Secret};
use hostler_protocol::Timestamp;
use hostler_protocol::agent::canonical_url;
use hostler_protocol::credential::{Auth, Credential, RefreshSecrets, Secrets, TokenEndpointAuth};
use hostler_protocol::id::{CredentialId, VaultId, WorkspaceId};
use hostler_protocol::secret::SecretText;
use hostler_store::{
    CredentialError, CredentialReplaced, SealedCredential, Store, StoreError, seal_credential,
};
use hostler_vault::Keyring;
use tokio::task::JoinSet;

use crate::limits::{
    MCP_REFRESH_CLAIM, MCP_REFRESH_KEEP_CHANGES, MCP_REFRESH_KEEP_FAILURES, MCP_REFRESH_KEEP_PAUSE,
    MCP_REFRESH_LOOK, MCP_REFRESH_MARGIN,
};

/// Finds and renews tokens. Cheap to clone.
#[derive(Clone)]
pub struct McpTokens {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) env: Env,
    /// Without one no credential can be opened.
    keyring: Option<Arc<Keyring>>,
    pub(super) client: Client,
    renewals: Mutex<Renewals>,
}

#[derive(Default)]
struct Renewals {
    locks: HashMap<CredentialId, Weak<tokio::sync::Mutex<()>>>,
    /// Which version of a credential its server has refused for good: it is not asked again.
    refused: HashMap<CredentialId, (i64, RefreshError)>,
    /// Owns the renewals under way.
    tasks: JoinSet<()>,
}

/// What to show to a server, and what it came from.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) secret: Secret,
    pub(crate) credential: SealedCredential,
}

/// What became of an attempt to write new tokens.
enum Kept {
    /// The row has others than those that are spent.
    Here(SealedCredential),
    /// It was changed in another way.
    NotYet(SealedCredential),
}

/// Why there is no token although a credential names the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("this server has no master key to open its credential with")]
    NoMasterKey,
    #[error(transparent)]
    Closed(#[from] CredentialError),
    #[error(transparent)]
    Refresh(#[from] RefreshError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("its credential was archived, deleted or changed in the meantime")]
    Gone,
    #[error("its renewed token could not be stored")]
    NotKept,
    #[error("another server is renewing its token and does not come to an end")]
    Busy,
}

impl McpTokens {
    pub fn new(store: Store, env: Env, keyring: Option<Arc<Keyring>>, client: Client) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                env,
                keyring,
                client,
                renewals: Mutex::default(),
            }),
        }
    }

    /// The token for a server's address: of the first vault that has one for it. `None`: the server is spoken to
    /// without.
    pub(crate) async fn token(
        &self,
        workspace: WorkspaceId,
        vaults: &[VaultId],
        url: &str,
    ) -> Result<Option<Token>, TokenError> {
        let shared = &self.shared;
        let found =
            shared
                .store
                .credential_for_server(workspace, vaults.to_vec(), canonical_url(url));
        let Some(credential) = found.await? else {
            return Ok(None);
        };
        let token = shared.open(credential)?;
        match token.expires_at() {
            Some(at) if at <= shared.env.now().plus(MCP_REFRESH_MARGIN) => {
                let renewed = self.renewed(token.clone()).await;
                match renewed {
                    // It may be good for a while yet, and its server will say if not.
                    Ok(None) => Ok(Some(token)),
                    Err(TokenError::Refresh(error)) if at > shared.env.now() => {
                        tracing::warn!(credential = %token.credential.credential.id, %error,
                            "a token that is about to expire could not be renewed");
                        Ok(Some(token))
                    }
                    renewed => renewed,
                }
            }
            Some(_) | None => Ok(Some(token)),
        }
    }

    /// What connects to servers.
    pub(crate) fn client(&self) -> &Client {
        &self.shared.client
    }

    /// A newer token than this one, which its server refused or which is about to expire. `None`: there is no
    /// means to get one.
    pub(crate) async fn renewed(&self, old: Token) -> Result<Option<Token>, TokenError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&self.shared);
        {
            let mut renewals = self.shared.renewals();
            while renewals.tasks.try_join_next().is_some() {}
            // Whoever waits may be interrupted. The refresh token is spent by then, and what came must be kept.
            renewals.tasks.spawn(async move {
                _ = sender.send(shared.renew(old).await);
            });
        }
        receiver.await.unwrap_or(Err(TokenError::Gone))
    }
}

impl Shared {
    pub(super) fn open(&self, credential: SealedCredential) -> Result<Token, TokenError> {
        let keyring = self.keyring.as_deref().ok_or(TokenError::NoMasterKey)?;
        let secret = match credential.open(keyring)? {
            Some(Secrets::StaticBearer { token }) => token,
            Some(Secrets::McpOauth { access_token, .. }) => access_token,
            Some(Secrets::EnvironmentVariable { .. }) | None => return Err(TokenError::Gone),
        };
        Ok(Token {
            secret: Secret::new(secret.expose().to_owned()),
            credential,
        })
    }

    async fn renew(&self, old: Token) -> Result<Option<Token>, TokenError> {
        let id = old.credential.credential.id;
        let lock = self.lock_of(id);
        let _one_at_a_time = lock.lock().await;
        let give_up = self.env.now().plus(2 * MCP_REFRESH_CLAIM);
        loop {
            let current = self.read(&old.credential).await?;
            let token = self.open(current)?;
            if token.secret.expose() != old.secret.expose() {
                return Ok(Some(token));
            }
            let Some(refresh) = self.refresh_of(&token.credential)? else {
                return Ok(None);
            };
            if let Some(error) = self.refused(&token.credential) {
                return Err(error.into());
            }
            let now = self.env.now();
            let until = now.plus(MCP_REFRESH_CLAIM);
            let claimed = self.store.claim_refresh(&token.credential, now, until);
            if claimed.await? {
                return self.spend(token.credential, &refresh).await.map(Some);
            }
            if now > give_up {
                return Err(TokenError::Busy);
            }
            tokio::time::sleep(MCP_REFRESH_LOOK).await;
        }
    }

    /// Spends a refresh token and keeps what came of it.
    async fn spend(&self, from: SealedCredential, refresh: &Refresh) -> Result<Token, TokenError> {
        let id = from.credential.id;
        let outcome = match self.client.refresh(refresh).await {
            Ok(refreshed) => {
                metrics::counter!("hostler_token_refreshes_total", "outcome" => "renewed")
                    .increment(1);
                self.keep(from, refresh, &refreshed).await
            }
            Err(error) => {
                metrics::counter!("hostler_token_refreshes_total", "outcome" => "failed")
                    .increment(1);
                tracing::warn!(credential = %id, %error, "a token could not be renewed");
                if let RefreshError::Rejected(_) = &error {
                    let refused = (from.version, error.clone());
                    self.renewals().refused.insert(id, refused);
                }
                Err(error.into())
            }
        };
        // Behind the new tokens, so that nobody spends the old ones. A right that is not given back runs out.
        if let Err(error) = self.store.end_refresh(id).await {
            tracing::warn!(credential = %id, %error, "the right to renew a token was not given back");
        }
        outcome
    }

    /// Writes the new tokens, which are nowhere else while the old ones are spent: a database that fails is waited for.
    async fn keep(
        &self,
        mut from: SealedCredential,
        spent: &Refresh,
        refreshed: &Refreshed,
    ) -> Result<Token, TokenError> {
        let (mut failures, mut changes) = (0, 0);
        loop {
            match self.try_to_keep(&from, spent, refreshed).await {
                Ok(Kept::Here(kept)) => return self.open(kept),
                Ok(Kept::NotYet(changed)) if changes < MCP_REFRESH_KEEP_CHANGES => {
                    changes += 1;
                    from = changed;
                }
                Err(TokenError::Store(error)) if failures < MCP_REFRESH_KEEP_FAILURES => {
                    failures += 1;
                    let id = from.credential.id;
                    tracing::warn!(credential = %id, %error, "a renewed token is not kept yet");
                    tokio::time::sleep(MCP_REFRESH_KEEP_PAUSE).await;
                }
                Ok(Kept::NotYet(_)) | Err(TokenError::Store(_)) => return Err(TokenError::NotKept),
                Err(other) => return Err(other),
            }
        }
    }

    /// Somebody may have changed the credential while its server was asked: what else it says is kept, and its tokens
    /// are left alone if they are others by now.
    async fn try_to_keep(
        &self,
        from: &SealedCredential,
        spent: &Refresh,
        refreshed: &Refreshed,
    ) -> Result<Kept, TokenError> {
        let keyring = self.keyring.as_deref().ok_or(TokenError::NoMasterKey)?;
        let credential = renewed(&from.credential, refreshed, self.env.now());
        let secrets = new_secrets(spent, refreshed);
        let next = from.version + 1;
        let sealed = seal_credential(keyring, from.workspace_id, &credential, next, &secrets)?;
        let replaced = self.store.replace_credential(from, credential, sealed);
        let replaced = replaced.await?;
        let found = self.read(from).await?;
        if replaced == CredentialReplaced::Replaced {
            return Ok(Kept::Here(found));
        }
        let current = self.refresh_of(&found)?;
        let is_spent = current
            .is_some_and(|current| current.refresh_token.expose() == spent.refresh_token.expose());
        Ok(match is_spent {
            true => Kept::NotYet(found),
            false => Kept::Here(found),
        })
    }

    async fn read(&self, of: &SealedCredential) -> Result<SealedCredential, TokenError> {
        let credential = &of.credential;
        let found = self
            .store
            .credential(of.workspace_id, credential.vault_id, credential.id);
        let found = found.await?.ok_or(TokenError::Gone)?;
        match found.sealed {
            Some(_) => Ok(found),
            None => Err(TokenError::Gone),
        }
    }

    /// What it takes to renew the token of a credential, if it can be renewed.
    pub(super) fn refresh_of(
        &self,
        credential: &SealedCredential,
    ) -> Result<Option<Refresh>, TokenError> {
        let keyring = self.keyring.as_deref().ok_or(TokenError::NoMasterKey)?;
        let Auth::McpOauth {
            refresh: Some(how), ..
        } = &credential.credential.auth
        else {
            return Ok(None);
        };
        let Some(Secrets::McpOauth {
            refresh: Some(secrets),
            ..
        }) = credential.open(keyring)?
        else {
            return Ok(None);
        };
        let client_secret = secrets.client_secret;
        let client_secret = client_secret.map(|secret| Secret::new(secret.expose().to_owned()));
        let client_auth = match (how.token_endpoint_auth, client_secret) {
            (TokenEndpointAuth::ClientSecretBasic, Some(secret)) => ClientAuth::Basic(secret),
            (TokenEndpointAuth::ClientSecretPost, Some(secret)) => ClientAuth::Post(secret),
            (TokenEndpointAuth::None, _) | (_, None) => ClientAuth::None,
        };
        Ok(Some(Refresh {
            token_endpoint: how.token_endpoint.clone(),
            client_id: how.client_id.clone(),
            client_auth,
            refresh_token: Secret::new(secrets.refresh_token.expose().to_owned()),
            scope: how.scope.clone(),
            resource: how.resource.clone(),
        }))
    }

    fn refused(&self, credential: &SealedCredential) -> Option<RefreshError> {
        let renewals = self.renewals();
        let (version, error) = renewals.refused.get(&credential.credential.id)?;
        (*version == credential.version).then(|| error.clone())
    }

    fn lock_of(&self, id: CredentialId) -> Arc<tokio::sync::Mutex<()>> {
        let mut renewals = self.renewals();
        if let Some(lock) = renewals.locks.get(&id).and_then(Weak::upgrade) {
            return lock;
        }
        renewals.locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        renewals.locks.insert(id, Arc::downgrade(&lock));
        lock
    }

    fn renewals(&self) -> MutexGuard<'_, Renewals> {
        self.renewals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    fn expires_at(&self) -> Option<Timestamp> {
        match &self.credential.credential.auth {
            Auth::McpOauth { expires_at, .. } => *expires_at,
            Auth::StaticBearer { .. } | Auth::EnvironmentVariable { .. } => None,
        }
    }
}

/// The credential with the new token's time. A server that names none has given one that lasts until refused.
fn renewed(from: &Credential, refreshed: &Refreshed, now: Timestamp) -> Credential {
    let mut credential = from.clone();
    credential.updated_at = now;
    if let Auth::McpOauth { expires_at, .. } = &mut credential.auth {
        let lasts = |lasts: Duration| now.plus(lasts);
        *expires_at = refreshed.expires_in.map(lasts);
    }
    credential
}

fn new_secrets(spent: &Refresh, refreshed: &Refreshed) -> Secrets {
    let text = |secret: &Secret| SecretText::new(secret.expose().to_owned());
    let refresh_token = refreshed.refresh_token.as_ref();
    Secrets::McpOauth {
        access_token: text(&refreshed.access_token),
        refresh: Some(RefreshSecrets {
            refresh_token: text(refresh_token.unwrap_or(&spent.refresh_token)),
            client_secret: match &spent.client_auth {
                ClientAuth::None => None,
                ClientAuth::Basic(secret) | ClientAuth::Post(secret) => Some(text(secret)),
            },
        }),
    }
}

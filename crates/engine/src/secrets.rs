//! The secrets of a session's vaults, on their way out of its sandbox.
//!
//! The sandbox is started with a placeholder under each secret's name, and with an authority of its own
//! that vouches for the gateway. What a placeholder stands for is found anew for each request: first in the
//! rows, so that a rotation or a revocation counts at once and on every server, then under its seal.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use hostler_egress::{
    Authority, Locations, SecretHosts, Secrets, Substitution, Substitutions, new_placeholder,
};
use hostler_protocol::credential::{Auth, CredentialNetworking, Secrets as Opened};
use hostler_protocol::id::SessionId;
use hostler_sandbox::{Keepsake, Network, SandboxError, Spec};
use hostler_store::{SessionVariable, Store};
use hostler_vault::Keyring;

use crate::options::Parts;
use crate::out_of_reach;
use crate::repositories::{git_variables, placeholder_name, substitution};

/// Gives a sandbox that is about to start what it needs of its session's secrets.
pub(crate) async fn equip(
    parts: &Parts,
    session: SessionId,
    spec: &mut Spec,
) -> Result<(), SandboxError> {
    let mut variables = variables(parts, session).await?;
    let is_isolated = parts.sandboxes.isolation().network != Network::Host;
    if is_isolated {
        variables.extend(of_repositories(parts, session).await?);
    }
    if variables.is_empty() {
        return Ok(());
    }
    if !is_isolated {
        return Err(refused(
            "the vaults of this session have environment variables, and this server runs tools \
             without isolation, where nothing can keep their secrets"
                .to_owned(),
        ));
    }
    let taken = |name: &String| spec.environment.contains_key(name);
    if let Some(name) = variables.keys().find(|name| taken(name)) {
        tracing::warn!(%session, name, "a secret takes the place of a variable of the root");
    }
    spec.variables = variables;
    if parts.networks.gateway().is_some() {
        let now = now(parts);
        let authority = Authority::new(now).map_err(|error| refused(error.to_string()))?;
        spec.authority = Some(authority.certificate());
        spec.keepsake = Some(keepsake(&authority, now));
    }
    Ok(())
}

/// What the gateway is to put in place of a running sandbox's placeholders. `None`: it has none.
pub(crate) async fn of_sandbox(
    parts: &Parts,
    session: SessionId,
    keepsake: Option<Keepsake>,
) -> Result<Option<Secrets>, SandboxError> {
    let Some(keepsake) = keepsake else {
        return Ok(None);
    };
    let Some(keyring) = &parts.options.vault_keys else {
        tracing::warn!(%session, "this server has no master key: no secret of the session is sent");
        return Ok(None);
    };
    // Neither can be added later.
    let repositories = parts.store.session_repositories(session).await;
    let source = Source {
        store: parts.store.clone(),
        keyring: Arc::clone(keyring),
        session,
        has_repositories: !repositories.map_err(unreadable)?.is_empty(),
        opened: Mutex::default(),
    };
    let source = Arc::new(source);
    Ok(Some(Secrets {
        authority: authority(&keepsake)?,
        source: Arc::new(move || {
            let source = Arc::clone(&source);
            async move { source.now().await }.boxed()
        }),
    }))
}

/// Names and placeholders; whoever has none yet gets one.
async fn variables(
    parts: &Parts,
    session: SessionId,
) -> Result<BTreeMap<String, String>, SandboxError> {
    let found = parts.store.session_variables(session).await;
    let mut found = found.map_err(unreadable)?;
    if found.iter().any(|variable| variable.placeholder.is_none()) {
        let mut new = Vec::new();
        for variable in &found {
            if variable.placeholder.is_none() {
                let placeholder = new_placeholder().map_err(SandboxError::from)?;
                new.push((variable.secret_name.clone(), placeholder));
            }
        }
        let kept = parts.store.keep_placeholders(session, new).await;
        kept.map_err(unreadable)?;
        // Another server may have been first.
        let again = parts.store.session_variables(session).await;
        found = again.map_err(unreadable)?;
    }
    out_of_reach::look(parts, session, &found).await?;
    let known = found
        .into_iter()
        .filter_map(|variable| Some((variable.secret_name, variable.placeholder?)));
    Ok(known.collect())
}

/// What makes `git` inside sign in with placeholders, for the repositories that have a token now.
async fn of_repositories(
    parts: &Parts,
    session: SessionId,
) -> Result<BTreeMap<String, String>, SandboxError> {
    let found = parts.store.session_repositories(session).await;
    let mut found = found.map_err(unreadable)?;
    found.retain(|repository| repository.token.is_some());
    if found.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut new = Vec::new();
    for repository in &found {
        let placeholder = new_placeholder().map_err(SandboxError::from)?;
        new.push((placeholder_name(repository.id), placeholder));
    }
    // Those that were there stay.
    let kept = parts.store.keep_placeholders(session, new).await;
    kept.map_err(unreadable)?;
    let known = parts.store.session_placeholders(session).await;
    let known = known.map_err(unreadable)?;
    let with_placeholder = found.iter().filter_map(|repository| {
        let placeholder = known.get(&placeholder_name(repository.id))?;
        Some((&repository.url, placeholder.as_str()))
    });
    Ok(git_variables(with_placeholder))
}

/// Where the secrets of one session come from.
struct Source {
    store: Store,
    keyring: Arc<Keyring>,
    session: SessionId,
    has_repositories: bool,
    opened: Mutex<Known>,
}

/// What was opened, by the version that it was opened at: a row that changed is opened anew. `None`: it
/// can't be.
type Known = HashMap<(String, i64), Option<Arc<Substitution>>>;

impl Source {
    async fn now(&self) -> io::Result<Substitutions> {
        let variables = self.store.session_variables(self.session).await;
        let variables = variables.map_err(io::Error::other)?;
        let mut before = std::mem::take(&mut *self.lock());
        let mut now = HashMap::new();
        for variable in variables {
            // Nobody inside can know of one without a placeholder.
            let Some(placeholder) = &variable.placeholder else {
                continue;
            };
            let id = variable.credential.credential.id.to_string();
            let key = (id, variable.credential.version);
            let opened = before.remove(&key);
            let opened = opened.unwrap_or_else(|| self.open(&variable, placeholder));
            now.insert(key, opened);
        }
        if self.has_repositories {
            self.add_repositories(&mut before, &mut now).await?;
        }
        let all = now.values().flatten().map(Arc::clone).collect();
        *self.lock() = now;
        Ok(all)
    }

    async fn add_repositories(&self, before: &mut Known, now: &mut Known) -> io::Result<()> {
        let repositories = self.store.session_repositories(self.session).await;
        let placeholders = self.store.session_placeholders(self.session).await;
        let placeholders = placeholders.map_err(io::Error::other)?;
        for repository in repositories.map_err(io::Error::other)? {
            let placeholder = placeholders.get(&placeholder_name(repository.id));
            let (Some(token), Some(placeholder)) = (&repository.token, placeholder) else {
                continue;
            };
            let key = (repository.id.to_string(), token.version());
            let opened = before.remove(&key).unwrap_or_else(|| {
                let token = token.open(&self.keyring).inspect_err(|error| {
                    tracing::warn!(session = %self.session, %error, "a token is not sent");
                });
                Some(substitution(&repository.url, placeholder, &token.ok()?))
            });
            now.insert(key, opened);
        }
        Ok(())
    }

    /// One that stays closed is no reason to keep the others back: its placeholder is what is sent.
    fn open(&self, variable: &SessionVariable, placeholder: &str) -> Option<Arc<Substitution>> {
        let opened = match variable.credential.open(&self.keyring) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::warn!(session = %self.session, %error, "a secret is not sent");
                return None;
            }
        };
        let Some(Opened::EnvironmentVariable { secret_value }) = opened else {
            return None;
        };
        let Auth::EnvironmentVariable {
            networking,
            injection_location,
            ..
        } = &variable.credential.credential.auth
        else {
            return None;
        };
        Some(Arc::new(Substitution {
            placeholder: placeholder.to_owned(),
            value: secret_value.expose().to_owned().into(),
            place: None,
            hosts: match networking {
                CredentialNetworking::Unrestricted => SecretHosts::Any,
                CredentialNetworking::Limited { allowed_hosts } => {
                    SecretHosts::these(allowed_hosts)
                }
            },
            locations: Locations {
                header: injection_location.header,
                body: injection_location.body,
            },
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When it was made, and its key.
fn keepsake(authority: &Authority, made_at: SystemTime) -> Keepsake {
    let since = made_at.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.unwrap_or_default().as_secs();
    Keepsake(format!("{seconds}\n{}", authority.key().as_str()))
}

fn authority(keepsake: &Keepsake) -> Result<Authority, SandboxError> {
    let broken = || refused("its authority can't be read".to_owned());
    let (seconds, key) = keepsake.0.split_once('\n').ok_or_else(broken)?;
    let seconds = seconds.parse().map_err(|_| broken())?;
    let made_at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    Authority::from_key(key, made_at).map_err(|_| broken())
}

pub(crate) fn now(parts: &Parts) -> SystemTime {
    let micros = u64::try_from(parts.env.now().as_micros()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}

fn refused(reason: String) -> SandboxError {
    SandboxError::Refused { reason }
}

fn unreadable(error: hostler_store::StoreError) -> SandboxError {
    refused(format!("its vaults can't be read: {error}"))
}

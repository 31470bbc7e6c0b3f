//! The clones that are kept, one for each address, so that the next session fetches only what is
//! new: who may use one when, and which go when there are too many.
//!
//! A mirror is fetched by one sandbox at a time, however many sessions want it, and whoever asked
//! before a fetch began takes what came of it. A copy of it goes to each session, so a mirror is in
//! use for the time of a copy only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hostler_image::Digest;
use hostler_protocol::session_repository::{Checkout, RepositoryUrl};
use hostler_sandbox::{SandboxError, SandboxName};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use super::access::Access;
use super::clone::{self, Fetched};
use super::failure::Failure;
use super::working_boxes::named;
use crate::limits::{MIRRORS_REMEMBERED_MAX, REPOSITORY_COMMITS_REMEMBERED_MAX};
use crate::options::Parts;

/// Another one makes all mirrors anew.
const RECIPE: &str = "1";
/// Who may see a mirror. What was fetched with a token is for who has the same one.
const PUBLIC: &str = "public";
/// Of 256 bits of a hash, as digits: enough that no two addresses ever meet.
const KEY_DIGITS: usize = 32;

/// Of all addresses.
#[derive(Default)]
pub(super) struct Mirrors(Mutex<HashMap<SandboxName, Arc<RwLock<State>>>>);

/// What this process knows of one mirror, by what was fetched: the branches, or one commit.
#[derive(Default)]
pub(super) struct State(HashMap<Option<String>, Outcome>);

struct Outcome {
    began: Instant,
    failure: Option<Failure>,
}

/// A mirror that nobody changes or removes as long as this exists.
pub(super) struct Mirror {
    pub(super) key: SandboxName,
    _use: OwnedRwLockReadGuard<State>,
}

impl Mirrors {
    fn of(&self, key: &SandboxName) -> Arc<RwLock<State>> {
        let mut mirrors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if mirrors.len() >= MIRRORS_REMEMBERED_MAX && !mirrors.contains_key(key) {
            // Whoever is forgotten is fetched once more.
            mirrors.retain(|_, mirror| Arc::strong_count(mirror) > 1);
        }
        Arc::clone(mirrors.entry(key.clone()).or_default())
    }
}

/// The mirror that everybody may see, as it was left, if there is one.
pub(super) async fn as_it_is(parts: &Parts, url: &RepositoryUrl) -> Result<Mirror, Failure> {
    let key = key(url, None)?;
    let mirror = parts.repositories.mirrors.of(&key);
    Ok(Mirror {
        key,
        _use: mirror.read_owned().await,
    })
}

/// The mirror with what its server has now.
pub(super) async fn fresh(
    parts: &Parts,
    url: &RepositoryUrl,
    checkout: Option<&Checkout>,
    access: Option<&Access>,
) -> Result<Mirror, Failure> {
    let asked = Instant::now();
    let key = key(url, access)?;
    let mirror = parts.repositories.mirrors.of(&key);
    let mut state = mirror.write_owned().await;
    let wanted = match checkout {
        Some(Checkout::Commit { sha }) => Some(sha.to_ascii_lowercase()),
        Some(Checkout::Branch { .. }) | None => None,
    };
    let is_fresh = |outcome: &&Outcome| outcome.began >= asked;
    let failure = match state.0.get(&wanted).filter(is_fresh) {
        Some(outcome) => outcome.failure.clone(),
        None => {
            let began = Instant::now();
            let fetched = clone::fetch(parts, &key, url, checkout, access).await;
            let failure = match fetched {
                Ok(Fetched::Replaced) => {
                    evict(parts).await;
                    None
                }
                Ok(Fetched::Unchanged) => None,
                Err(failure) => Some(failure),
            };
            if state.0.len() >= REPOSITORY_COMMITS_REMEMBERED_MAX {
                state.0.clear();
            }
            let outcome = Outcome {
                began,
                failure: failure.clone(),
            };
            state.0.insert(wanted, outcome);
            failure
        }
    };
    match failure {
        Some(failure) => Err(failure),
        None => Ok(Mirror {
            key,
            _use: state.downgrade(),
        }),
    }
}

/// Removes the mirrors that were used longest ago until the rest has room. One in use stays.
pub(crate) async fn evict(parts: &Parts) {
    let mut trees = match parts.sandboxes.trees().await {
        Ok(trees) => trees,
        Err(error) => return tracing::error!(%error, "kept repositories can't be listed"),
    };
    trees.sort_by_key(|tree| tree.used_at);
    let mut bytes: u64 = trees.iter().map(|tree| tree.bytes).sum();
    for tree in trees {
        if bytes <= parts.options.repositories.cache_bytes_max {
            return;
        }
        let mirror = parts.repositories.mirrors.of(&tree.key);
        let Ok(_alone) = mirror.try_write() else {
            continue;
        };
        match parts.sandboxes.throw_away_tree(&tree.key).await {
            Ok(()) => {
                bytes = bytes.saturating_sub(tree.bytes);
                tracing::info!(key = %tree.key, "a kept repository was removed to make room");
            }
            Err(error) => tracing::error!(%error, "a kept repository can't be removed"),
        }
    }
}

fn key(url: &RepositoryUrl, access: Option<&Access>) -> Result<SandboxName, SandboxError> {
    let audience = access.map_or(PUBLIC, |access| &access.audience);
    let text = format!("{RECIPE}\n{audience}\n{}", url.canonical());
    let digest = Digest::of(text.as_bytes());
    named(digest.hex()[..KEY_DIGITS].to_owned())
}

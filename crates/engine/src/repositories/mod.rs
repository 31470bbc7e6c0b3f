//! Repositories of sessions: cloned outside their sandboxes, and placed inside before a tool runs.
//!
//! A repository is placed once in the life of a sandbox and is the agent's from then on: it is part
//! of the workspace, kept and restored with it. What can't be cloned is told to the model and in an
//! event, and the session goes on without; it is tried again later. Nothing that a server on the
//! other side says is believed, see `clone.rs`.

mod access;
mod clone;
mod failure;
mod found_skills;
mod mirrors;
mod scripts;
mod working_boxes;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use hostler_protocol::event::SessionError;
use hostler_protocol::id::{ResourceId, SessionId};
use hostler_protocol::session_repository::RepositoryHosts;
use hostler_sandbox::{InnerPath, Mode, Moved, Sandbox, SandboxError};
use hostler_store::{SealedToken, SessionRepository, StoreError};
use tokio::sync::Semaphore;

pub(crate) use self::access::{git_variables, placeholder_name, substitution};
pub(crate) use self::failure::Failure;
use self::mirrors::Mirrors;
use self::working_boxes::WorkingBoxes;
use crate::limits::{
    REPOSITORIES_AT_ONCE, REPOSITORY_BYTES, REPOSITORY_CACHE_BYTES, REPOSITORY_CLONE_TIME,
    REPOSITORY_CLONES_AT_ONCE, REPOSITORY_FAILURE_KEPT, REPOSITORY_FILES, SYNCED_SESSIONS_MAX,
};
use crate::options::Parts;

pub(crate) use self::mirrors::evict;
pub(crate) use self::working_boxes::is_one as is_working_box;

/// What an operator decides about repositories.
#[derive(Debug, Clone)]
pub struct RepositoryOptions {
    pub hosts: RepositoryHosts,
    /// For one clone or fetch, and again for one checkout.
    pub clone_time_max: Duration,
    /// Of what is fetched, and again of the files of a checkout.
    pub bytes_max: u64,
    pub files_max: u64,
    /// Of all clones that are kept for the next session.
    pub cache_bytes_max: u64,
}

impl Default for RepositoryOptions {
    fn default() -> Self {
        Self {
            hosts: RepositoryHosts::default(),
            clone_time_max: REPOSITORY_CLONE_TIME,
            bytes_max: REPOSITORY_BYTES,
            files_max: REPOSITORY_FILES,
            cache_bytes_max: REPOSITORY_CACHE_BYTES,
        }
    }
}

/// Of all sessions of an engine.
pub(crate) struct Repositories {
    sessions: Mutex<HashMap<SessionId, Place>>,
    mirrors: Mirrors,
    boxes: WorkingBoxes,
    /// One for each sandbox that clones or checks out.
    places: Semaphore,
}

/// Held while repositories are placed: calls that run side by side wait for the first.
type Place = Arc<tokio::sync::Mutex<Placing>>;

#[derive(Default)]
struct Placing {
    /// The sandbox has all that its session was made with.
    is_done: bool,
    failed: HashMap<ResourceId, Failed>,
}

/// So that not every call tries what has just failed.
struct Failed {
    at: Instant,
    token_version: Option<i64>,
    /// Until it is told.
    untold: Option<SessionError>,
}

impl Default for Repositories {
    fn default() -> Self {
        Self {
            sessions: Mutex::default(),
            mirrors: Mirrors::default(),
            boxes: WorkingBoxes::default(),
            places: Semaphore::new(REPOSITORY_CLONES_AT_ONCE),
        }
    }
}

impl Repositories {
    fn place(&self, session: SessionId) -> Place {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SYNCED_SESSIONS_MAX && !sessions.contains_key(&session) {
            // Whoever is forgotten is looked at again, which costs a moment.
            sessions.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(sessions.entry(session).or_default())
    }

    fn forget(&self, session: SessionId) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&session);
    }

    /// Whether a sandbox that clones is at work for somebody.
    pub(crate) fn is_under_way(&self, name: &hostler_sandbox::SandboxName) -> bool {
        self.boxes.has(name)
    }
}

impl Placing {
    /// Another token is worth another try.
    fn may_try(&self, repository: &SessionRepository) -> bool {
        let failed = self.failed.get(&repository.id);
        failed.is_none_or(|failed| {
            failed.token_version != token_version(repository)
                || failed.at.elapsed() >= REPOSITORY_FAILURE_KEPT
        })
    }
}

/// Sees to it that the session's sandbox has its repositories, as far as they can be had.
pub(crate) async fn place(
    parts: &Parts,
    session: SessionId,
    sandbox: &Sandbox,
) -> Result<(), SandboxError> {
    let place = parts.repositories.place(session);
    let mut placing = place.lock().await;
    if placing.is_done {
        return Ok(());
    }
    let repositories = parts.store.session_repositories(session).await;
    let mut missing = repositories.map_err(unreadable)?;
    missing.retain(|repository| !repository.is_placed);
    let (now, later): (Vec<_>, Vec<_>) = missing
        .into_iter()
        .partition(|repository| placing.may_try(repository));
    let mut is_done = later.is_empty();
    let mut tried = futures::stream::iter(now)
        .map(|repository| async move {
            let placed = place_one(parts, sandbox, &repository).await;
            (repository, placed)
        })
        .buffer_unordered(REPOSITORIES_AT_ONCE);
    while let Some((repository, placed)) = tried.next().await {
        match placed {
            Ok(()) => _ = placing.failed.remove(&repository.id),
            Err(failure) => {
                is_done = false;
                let (url, reason) = (&repository.url, &failure.message);
                tracing::warn!(%session, %url, reason, "a repository can't be had");
                let failed = Failed {
                    at: Instant::now(),
                    token_version: token_version(&repository),
                    untold: Some(failure.told_of(&repository)),
                };
                placing.failed.insert(repository.id, failed);
            }
        }
    }
    placing.is_done = is_done;
    Ok(())
}

/// What went wrong and nobody was told yet.
pub(crate) async fn take_untold(parts: &Parts, session: SessionId) -> Vec<SessionError> {
    let place = parts.repositories.place(session);
    let mut placing = place.lock().await;
    let failed = placing.failed.values_mut();
    failed.filter_map(|failed| failed.untold.take()).collect()
}

/// Before the session's sandbox begins anew: it will have nothing of what the one before had.
pub(crate) async fn forget(parts: &Parts, session: SessionId) -> Result<(), SandboxError> {
    parts.repositories.forget(session);
    let repositories = parts.store.session_repositories(session).await;
    let repositories = repositories.map_err(unreadable)?;
    // A look is cheap, and most sessions have none.
    if !repositories.iter().any(|repository| repository.is_placed) {
        return Ok(());
    }
    let forgotten = parts.store.forget_placed_repositories(session).await;
    forgotten.map_err(unreadable)
}

async fn place_one(
    parts: &Parts,
    sandbox: &Sandbox,
    repository: &SessionRepository,
) -> Result<(), Failure> {
    let place = repository.mount_path.relative().parse::<InnerPath>();
    let place = place.map_err(|error| Failure::clone(error.to_string()))?;
    // What stands there is the repository, from before a crash, or the agent's: it stays.
    if sandbox.is_free(place.clone()).await? {
        check(parts, repository)?;
        let made = clone::working_tree(parts, repository).await?;
        // Before it is there: nobody looks at a repository that stands in its place.
        let found = parts
            .store
            .repository_skills_found(repository.id, made.skills.clone());
        found.await?;
        let moved = parts
            .sandboxes
            .move_tree(made.name(), made.place(), sandbox, &place);
        match moved.await? {
            Moved::Moved => {
                tracing::info!(url = %repository.url, "a repository was placed");
            }
            Moved::Occupied => {}
        }
    }
    let placed = parts
        .store
        .repository_placed(repository.id, parts.env.now());
    Ok(placed.await?)
}

/// What the operator permitted when the session was made may be permitted no more.
fn check(parts: &Parts, repository: &SessionRepository) -> Result<(), Failure> {
    let permitted = parts.options.repositories.hosts.check(&repository.url);
    permitted.map_err(Failure::clone)?;
    match parts.sandboxes.isolation().mode {
        Mode::Isolated | Mode::Container => Ok(()),
        Mode::Pod => Err(Failure::clone(
            "repositories cannot be cloned into pods yet",
        )),
        Mode::UnsafeProcess => Err(Failure::clone(
            "this server runs tools without isolation, and a repository is cloned in a sandbox \
             only",
        )),
    }
}

fn token_version(repository: &SessionRepository) -> Option<i64> {
    repository.token.as_ref().map(SealedToken::version)
}

fn unreadable(error: StoreError) -> SandboxError {
    SandboxError::Unavailable {
        reason: format!("the session's repositories can't be read: {error}"),
    }
}

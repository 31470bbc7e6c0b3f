//! What nobody is waiting for: sandboxes of sessions that are gone or idle, and expired files.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use hostler_domain::session::SessionStatus;
use hostler_protocol::Timestamp;
use hostler_protocol::id::SessionId;
use hostler_sandbox::{Listed, NetworkAccess, SandboxError, SandboxName, Stop};
use hostler_store::SessionBrief;

use crate::checkpoints;
use crate::network::Way;
use crate::options::{Checkpoints, Parts};
use crate::outputs;
use crate::packages;
use crate::repositories;
use crate::session_sandbox;

/// What becomes of a sandbox.
#[derive(Clone, Copy)]
enum Fate {
    Stay,
    /// Its processes end, its files stay.
    Stop,
    /// Its session is gone.
    ThrowAway,
    /// It was kept long enough.
    Expire,
}

/// Which sandboxes a sweep looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those with processes: few, and worth a look each time.
    Alive,
    /// Those that are but files too.
    All,
}

/// Destroys the sandboxes of deleted sessions, stops those of archived and idle ones, and replaces
/// those that were kept long enough: what an agent made stays with the session's record until then.
/// Those of `busy` are left alone. Gives the sessions whose sandboxes rest.
pub(crate) async fn sandboxes(
    parts: &Parts,
    scope: Scope,
    busy: &HashSet<SessionId>,
) -> Vec<SessionId> {
    let mut rested = Vec::new();
    let ways = parts.networks.ways();
    let listed = match parts.sandboxes.list().await {
        Ok(listed) => listed,
        Err(error) => {
            tracing::error!(%error, "sandboxes can't be listed");
            return rested;
        }
    };
    let alive = alive(&listed);
    close_ways(parts, &ways, &alive);
    parts.kept_servers.end_others(&alive);
    for sandbox in listed {
        if scope == Scope::Alive && !sandbox.is_alive {
            continue;
        }
        let name = &sandbox.name;
        let Ok(session) = name.as_str().parse::<SessionId>() else {
            continue;
        };
        if busy.contains(&session) {
            continue;
        }
        let brief = match parts.store.session_brief(session).await {
            Ok(brief) => brief,
            Err(error) => {
                tracing::error!(%session, %error, "a session can't be looked up");
                continue;
            }
        };
        let fate = fate(parts, &sandbox, brief.as_ref());
        match fate {
            Fate::Stay => {}
            Fate::Stop | Fate::ThrowAway | Fate::Expire => parts.kept_servers.end(session).await,
        }
        let done = match fate {
            Fate::Stay if sandbox.is_alive && !ways.contains_key(&session) => {
                open_way(parts, session).await
            }
            Fate::Stay => Ok(()),
            // One in use is a session that has begun a turn a moment ago: it stays.
            Fate::Stop => match stop(parts, session, name).await {
                Ok(Stop::Stopped) => {
                    rested.push(session);
                    Ok(())
                }
                Ok(Stop::InUse) => Ok(()),
                Err(error) => Err(error),
            },
            Fate::ThrowAway => parts.sandboxes.throw_away(name).await,
            Fate::Expire => expire(parts, session, name).await,
        };
        if let Err(error) = done {
            tracing::error!(%session, %error, "a sandbox can't be ended");
        }
    }
    rested
}

fn alive(listed: &[Listed]) -> HashSet<SessionId> {
    let alive = listed.iter().filter(|sandbox| sandbox.is_alive);
    alive
        .filter_map(|sandbox| sandbox.name.as_str().parse().ok())
        .collect()
}

/// Sandboxes that have ended, by themselves or by a sweep, need no way out any more.
fn close_ways(parts: &Parts, ways: &HashMap<SessionId, Arc<Way>>, alive: &HashSet<SessionId>) {
    for (session, way) in ways {
        match way.get() {
            _ if !alive.contains(session) => parts.networks.close(*session, way),
            Some(Some(metered)) => metered.count(),
            Some(None) | None => {}
        }
    }
}

/// A sandbox that has outlived a server gets its way out back, for the jobs that go on in it.
async fn open_way(parts: &Parts, session: SessionId) -> Result<(), SandboxError> {
    match parts.networks.access() {
        NetworkAccess::None => Ok(()),
        NetworkAccess::Gateway => session_sandbox::open_way(parts, session).await,
    }
}

/// What jobs in the background have written is kept once they are gone.
async fn stop(parts: &Parts, session: SessionId, name: &SandboxName) -> Result<Stop, SandboxError> {
    let stop = parts.sandboxes.stop(name).await?;
    if stop == Stop::Stopped {
        outputs::capture(parts, session).await;
    }
    Ok(stop)
}

async fn expire(parts: &Parts, session: SessionId, name: &SandboxName) -> Result<(), SandboxError> {
    outputs::capture(parts, session).await;
    checkpoints::expire(parts, session, name).await
}

fn fate(parts: &Parts, sandbox: &Listed, brief: Option<&SessionBrief>) -> Fate {
    let Some(SessionBrief { summary, .. }) = brief else {
        return Fate::ThrowAway;
    };
    match summary.status {
        SessionStatus::Terminated if sandbox.is_alive => Fate::Stop,
        SessionStatus::Terminated => Fate::Stay,
        SessionStatus::Running | SessionStatus::Rescheduling => Fate::Stay,
        SessionStatus::Idle => {
            let now = parts.env.now();
            let idle = now.since(summary.updated_at);
            // One that was stopped but not packed is found again by this.
            let keeps_archives = sandbox.was_launched
                && matches!(parts.options.sandbox_checkpoints, Checkpoints::Blobs { .. });
            let is_old = parts
                .options
                .sandbox_keep
                .is_some_and(|keep| age(sandbox, now) >= keep);
            if is_old && sandbox.was_launched {
                return Fate::Expire;
            }
            match parts.options.sandbox_idle_stop {
                Some(limit) if (sandbox.is_alive || keeps_archives) && idle >= limit => Fate::Stop,
                Some(_) | None => Fate::Stay,
            }
        }
    }
}

/// Deletes the archives of deleted sessions, and those that were kept long enough.
pub(crate) async fn archives(parts: &Parts) {
    if let Err(error) = parts.store.delete_checkpoints_of_nobody().await {
        tracing::error!(%error, "archives of sandboxes can't be deleted");
    }
    if let Err(error) = checkpoints::expire_old(parts).await {
        tracing::error!(%error, "old archives of sandboxes can't be let go");
    }
}

/// A clock that was set back makes a sandbox young, not old.
fn age(sandbox: &Listed, now: Timestamp) -> Duration {
    let now = Duration::from_micros(u64::try_from(now.as_micros()).unwrap_or(0));
    let created = sandbox.created_at.duration_since(UNIX_EPOCH);
    now.saturating_sub(created.unwrap_or_default())
}

/// Removes installed packages that nobody uses, and what is left of installations and clones that
/// ended with their server.
pub(crate) async fn packages(parts: &Parts) {
    if let Some(age) = parts.options.packages.keep_unused {
        match parts.sandboxes.remove_unused_layers(age).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "unused packages were removed"),
            Err(error) => tracing::error!(%error, "unused packages can't be removed"),
        }
    }
    // What an operator permits may have become less.
    repositories::evict(parts).await;
    let listed = match parts.sandboxes.list().await {
        Ok(listed) => listed,
        Err(error) => return tracing::error!(%error, "sandboxes can't be listed"),
    };
    for Listed { name, .. } in listed {
        let is_left_of_a_clone =
            repositories::is_working_box(&name) && !parts.repositories.is_under_way(&name);
        let is_left = packages::key_of(&name).is_some_and(|key| !parts.builds.is_under_way(&key));
        if (is_left || is_left_of_a_clone)
            && let Err(error) = parts.sandboxes.throw_away(&name).await
        {
            tracing::error!(%name, %error, "what is left of an installation or a clone can't be removed");
        }
    }
}

/// Deletes what sweeps have thrown away. It may take long, so nothing waits for it.
pub(crate) async fn trash(parts: &Parts) {
    if let Err(error) = parts.sandboxes.empty_trash().await {
        tracing::error!(%error, "what was thrown away can't be deleted");
    }
}

/// Deletes the bytes of files that nobody sees any more, a bounded number at a time.
pub(crate) async fn expired_files(parts: &Parts) {
    match parts.store.delete_expired_files(parts.env.now()).await {
        Ok(0) => {}
        Ok(deleted) => tracing::info!(deleted, "expired files were deleted"),
        Err(error) => tracing::error!(%error, "expired files can't be deleted"),
    }
}

/// Gives up what was sent to a bucket of uploads that nobody goes on with.
pub(crate) async fn dropped_uploads(parts: &Parts) {
    if let Err(error) = parts.store.end_dropped_uploads().await {
        tracing::error!(%error, "uploads that broke off can't be given up");
    }
}

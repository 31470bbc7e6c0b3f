//! What nobody is waiting for: sandboxes of sessions that are gone or idle, and expired files.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use hostler_domain::session::{SessionStatus, Summary};
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
#[derive(Clone, Copy, PartialEq, Eq)]
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
    let mut looked_at = Vec::new();
    for sandbox in listed {
        if scope == Scope::All || sandbox.is_alive {
            looked_at.extend(look_at(parts, sandbox, busy).await);
        }
    }
    stop_the_longest_idle(parts.options.sandbox_idle_max, &mut looked_at);
    for one in looked_at {
        let session = one.session;
        let has_way = ways.contains_key(&session);
        match settle(parts, one, has_way).await {
            Ok(Some(Stop::Stopped)) => rested.push(session),
            Ok(Some(Stop::InUse) | None) => {}
            Err(error) => tracing::error!(%session, %error, "a sandbox can't be ended"),
        }
    }
    rested
}

/// A sandbox of a session that no runner of this process is busy with.
struct Looked {
    session: SessionId,
    sandbox: Listed,
    fate: Fate,
    /// Since when its session has been idle, if it goes on all the same.
    idle_since: Option<Timestamp>,
}

/// `None`: it is none of this sweep's.
async fn look_at(parts: &Parts, sandbox: Listed, busy: &HashSet<SessionId>) -> Option<Looked> {
    let session = sandbox.name.as_str().parse::<SessionId>().ok()?;
    if busy.contains(&session) {
        return None;
    }
    let brief = parts.store.session_brief(session).await;
    let brief = brief
        .inspect_err(|error| tracing::error!(%session, %error, "a session can't be looked up"))
        .ok()?;
    let fate = fate(parts, &sandbox, brief.as_ref());
    let summary = brief.map(|brief| brief.summary);
    let goes_on = |summary: &Summary| {
        fate == Fate::Stay && sandbox.is_alive && summary.status == SessionStatus::Idle
    };
    Some(Looked {
        idle_since: summary.filter(goes_on).map(|summary| summary.updated_at),
        session,
        sandbox,
        fate,
    })
}

/// Of more than may go on.
fn stop_the_longest_idle(most: Option<usize>, looked_at: &mut [Looked]) {
    let mut idle: Vec<&mut Looked> = looked_at.iter_mut().collect();
    idle.retain(|one| one.idle_since.is_some());
    let too_many = most.map_or(0, |most| idle.len().saturating_sub(most));
    if too_many > 0 {
        idle.sort_by_key(|one| one.idle_since);
        tracing::info!(too_many, "sandboxes of idle sessions are ended early");
    }
    for one in idle.into_iter().take(too_many) {
        one.fate = Fate::Stop;
    }
}

/// Does with it what is to be done. One that is to be stopped may be in use: its session has begun a turn a
/// moment ago, and it stays.
async fn settle(parts: &Parts, one: Looked, has_way: bool) -> Result<Option<Stop>, SandboxError> {
    let (session, name) = (one.session, &one.sandbox.name);
    match one.fate {
        Fate::Stay => {}
        Fate::Stop | Fate::ThrowAway | Fate::Expire => parts.kept_servers.end(session).await,
    }
    match one.fate {
        Fate::Stay if one.sandbox.is_alive && !has_way => open_way(parts, session).await?,
        Fate::Stay => {}
        Fate::Stop => return stop(parts, session, name).await.map(Some),
        Fate::ThrowAway => parts.sandboxes.throw_away(name).await?,
        Fate::Expire => expire(parts, session, name).await?,
    }
    Ok(None)
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

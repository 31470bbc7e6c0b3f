//! How much waits for the database: who would have to wait too long is told so at once, before
//! latency or memory run away.
//!
//! How long it takes is measured: a change that found `n` others waiting and took `t` says that
//! one takes `t / n`. When it gets crowded each workspace has its share, so that one which sends
//! too much is refused and the others are not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hostler_protocol::id::WorkspaceId;
use tokio::time::Instant;

use crate::limits::{CHANGE_TIME_FIRST, CHANGE_WAIT_MAX, CHANGES_ALWAYS, STALLED_AFTER};

/// New measurements count one to this many.
const SMOOTHING: u32 = 16;

#[derive(Debug)]
pub(crate) struct Load(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    count: usize,
    by_workspace: HashMap<WorkspaceId, usize>,
    /// What one change takes, while others are made too.
    each: Duration,
    /// When a change was last made, or waiting began.
    progress_at: Instant,
}

/// A place among those who wait. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    load: Arc<Load>,
    workspace: WorkspaceId,
    since: Instant,
    /// Who waited then, this one included.
    count: usize,
}

impl Load {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Waiting {
            count: 0,
            by_workspace: HashMap::new(),
            each: CHANGE_TIME_FIRST,
            progress_at: Instant::now(),
        }))
    }

    /// `None`: it would take too long, for this workspace.
    pub(crate) fn enter(self: &Arc<Self>, workspace: WorkspaceId, now: Instant) -> Option<Place> {
        let mut waiting = self.waiting();
        if waiting.count == 0 {
            waiting.progress_at = now;
        }
        if !waiting.has_room_for(workspace, now) {
            return None;
        }
        waiting.count += 1;
        *waiting.by_workspace.entry(workspace).or_default() += 1;
        Some(Place {
            load: Arc::clone(self),
            workspace,
            since: now,
            count: waiting.count,
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn has_room_for(&self, workspace: WorkspaceId, now: Instant) -> bool {
        if self.count > 0 && now.duration_since(self.progress_at) > STALLED_AFTER {
            return false;
        }
        let expected = times(self.each, self.count);
        if self.count < CHANGES_ALWAYS || expected <= CHANGE_WAIT_MAX / 2 {
            return true;
        }
        // Its part of the time that may be waited, while others want theirs.
        let own = self.by_workspace.get(&workspace).copied().unwrap_or(0);
        let workspaces = self.by_workspace.len() + usize::from(own == 0);
        let has_share = times(self.each, own.saturating_mul(workspaces)) <= CHANGE_WAIT_MAX;
        // Who was alone has filled the time before others came.
        has_share && expected <= 2 * CHANGE_WAIT_MAX
    }
}

impl Place {
    /// The change has been made.
    pub(crate) fn done(self, now: Instant) {
        let mut waiting = self.load.waiting();
        let took = now.duration_since(self.since);
        let each = took / u32::try_from(self.count).unwrap_or(u32::MAX).max(1);
        waiting.each = (waiting.each * (SMOOTHING - 1) + each) / SMOOTHING;
        waiting.progress_at = now;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.load.waiting();
        waiting.count -= 1;
        if let Some(own) = waiting.by_workspace.get_mut(&self.workspace) {
            *own -= 1;
            if *own == 0 {
                waiting.by_workspace.remove(&self.workspace);
            }
        }
    }
}

fn times(duration: Duration, count: usize) -> Duration {
    duration.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_domain::Env;

    fn load() -> (Arc<Load>, Instant) {
        (Arc::new(Load::new()), Instant::now())
    }

    /// As many places as the workspace gets.
    fn fill(load: &Arc<Load>, workspace: WorkspaceId, now: Instant) -> Vec<Place> {
        std::iter::from_fn(|| load.enter(workspace, now)).collect()
    }

    #[test]
    fn as_many_wait_as_can_be_served_in_time() {
        let (load, now) = load();
        let workspace = Env::fixed(1).id();
        let most = CHANGE_WAIT_MAX.as_micros() / CHANGE_TIME_FIRST.as_micros();
        let mut places = fill(&load, workspace, now);
        assert_eq!(places.len() as u128, most + 1);
        // The last of them was served at ten times the speed, again and again.
        for _ in 0..100 {
            let took = CHANGE_TIME_FIRST / 10 * u32::try_from(places.len()).unwrap();
            let last = places.pop().unwrap();
            last.done(now + took);
            places.extend(load.enter(workspace, now + took));
        }
        places.extend(fill(&load, workspace, now));
        assert!(places.len() as u128 > 9 * most, "{}", places.len());
        drop(places);
        assert_eq!(load.waiting().count, 0);
        assert!(load.waiting().by_workspace.is_empty());
    }

    #[test]
    fn who_sends_too_much_is_refused_and_the_others_are_not() {
        let (load, now) = load();
        let env = Env::fixed(1);
        let (greedy, modest) = (env.id(), env.id());
        let _greedy = fill(&load, greedy, now);
        let _modest = load.enter(modest, now).expect("it has had nothing yet");
        assert!(load.enter(greedy, now).is_none());
        let rest = fill(&load, modest, now);
        let most = 2 * CHANGE_WAIT_MAX.as_micros() / CHANGE_TIME_FIRST.as_micros();
        assert!(!rest.is_empty() && load.waiting().count as u128 <= most + 1);
    }

    #[test]
    fn nobody_joins_a_queue_that_stands_still() {
        let (load, now) = load();
        let workspace = Env::fixed(1).id();
        let late = now + STALLED_AFTER + Duration::from_millis(1);
        let first = load.enter(workspace, now).unwrap();
        assert!(load.enter(workspace, late).is_none());
        first.done(late);
        assert!(load.enter(workspace, late).is_some());
    }
}

//! How much waits for the database: who would have to wait too long is told so at once, before
//! latency or memory run away.
//!
//! How long it takes is measured: while somebody waited for a time `t`, `n` were done, which says that one takes
//! `t / n`, whatever they waited for and however many were worked on together. A burst may wait for longer than a crowd that stays: where more comes than can be done, a
//! long queue only makes everybody late. When it gets crowded each workspace has its share, so that
//! one which sends too much is refused and the others are not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hostler_protocol::id::WorkspaceId;
use tokio::time::Instant;

use crate::limits::{
    BURST_TIME, BURST_WAIT_MAX, CHANGES_ALWAYS, CROWD_CALM, CROWD_WAIT_MAX, MEASURED_TIME,
    READS_ALWAYS, STALLED_AFTER, TIME_EACH_FIRST,
};
use crate::{Store, StoreError};

/// What a new measurement counts, to the one before.
const SMOOTHING: u32 = 4;

/// What somebody wants of the database. The two wait for different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Reads,
    Changes,
}

impl Store {
    /// A place among the clients who wait for the database.
    ///
    /// # Errors
    /// [`StoreError::Busy`], at once, where it would wait for too long.
    pub fn enter(&self, wanted: Wanted, workspace: WorkspaceId) -> Result<Place, StoreError> {
        let place = self.load(wanted).enter(workspace, Instant::now());
        place.ok_or(StoreError::Busy)
    }

    /// Whether [`Store::enter`] would give a place now.
    pub fn has_room(&self, wanted: Wanted, workspace: WorkspaceId) -> bool {
        let now = Instant::now();
        self.load(wanted).waiting().has_room_for(workspace, now)
    }

    fn load(&self, wanted: Wanted) -> &Arc<Load> {
        match wanted {
            Wanted::Reads => &self.reads,
            Wanted::Changes => &self.changes,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Load(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    /// So many may wait in any case: what they wait for works on some of them together.
    always: usize,
    count: usize,
    by_workspace: HashMap<WorkspaceId, usize>,
    /// What one takes, while others are done too.
    each: Duration,
    /// For how long somebody has waited since that was measured, and who was done in that time.
    busy: Duration,
    done: u32,
    /// When one was last done, or waiting began.
    progress_at: Instant,
    /// Since when more wait than a crowd may.
    long_since: Option<Instant>,
    /// Until then there is a crowd: it is more than a burst, or was lately.
    crowd_until: Option<Instant>,
}

/// A place among those who wait. Dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    load: Arc<Load>,
    workspace: WorkspaceId,
}

impl Load {
    pub(crate) fn of_changes() -> Arc<Self> {
        Self::new(CHANGES_ALWAYS)
    }

    pub(crate) fn of_reads() -> Arc<Self> {
        Self::new(READS_ALWAYS)
    }

    fn new(always: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Waiting {
            always,
            count: 0,
            by_workspace: HashMap::new(),
            each: TIME_EACH_FIRST,
            busy: Duration::ZERO,
            done: 0,
            progress_at: Instant::now(),
            long_since: None,
            crowd_until: None,
        })))
    }

    /// `None`: it would take too long, for this workspace.
    fn enter(self: &Arc<Self>, workspace: WorkspaceId, now: Instant) -> Option<Place> {
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
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn has_room_for(&mut self, workspace: WorkspaceId, now: Instant) -> bool {
        if self.count > 0 && now.duration_since(self.progress_at) > STALLED_AFTER {
            return false;
        }
        let expected = times(self.each, self.count);
        let most = self.wait_max(expected, now);
        if self.count < self.always || expected <= most / 2 {
            return true;
        }
        // Its part of the time that may be waited, while others want theirs.
        let own = self.by_workspace.get(&workspace).copied().unwrap_or(0);
        let workspaces = self.by_workspace.len() + usize::from(own == 0);
        let has_share = times(self.each, own.saturating_mul(workspaces)) <= most;
        // Who was alone has filled the time before others came, or before there was a crowd.
        let has_room = has_share && expected <= 2 * BURST_WAIT_MAX;
        if !has_room {
            self.crowd_until = Some(now + CROWD_CALM);
        }
        has_room
    }

    /// How long one may wait: for a burst, until it has lasted for longer than bursts do.
    fn wait_max(&mut self, expected: Duration, now: Instant) -> Duration {
        if self.count < self.always || expected <= CROWD_WAIT_MAX {
            self.long_since = None;
        } else if now.duration_since(*self.long_since.get_or_insert(now)) > BURST_TIME {
            self.crowd_until = Some(now + CROWD_CALM);
        }
        match self.crowd_until.is_some_and(|until| now < until) {
            true => CROWD_WAIT_MAX,
            false => BURST_WAIT_MAX,
        }
    }
}

impl Waiting {
    /// One was done. How long that took by itself says nothing, since many are worked on together.
    fn note_done(&mut self, now: Instant) {
        self.busy += now.duration_since(self.progress_at);
        self.done = self.done.saturating_add(1);
        self.progress_at = now;
        if self.busy >= MEASURED_TIME {
            let each = self.busy / self.done;
            self.each = (self.each * (SMOOTHING - 1) + each) / SMOOTHING;
            (self.busy, self.done) = (Duration::ZERO, 0);
        }
    }
}

impl Place {
    /// What it waited for has been done, and how many are is to be learned from.
    pub(crate) fn done(self, now: Instant) {
        self.load.waiting().note_done(now);
    }

    /// A read was answered.
    pub fn read(self) {
        self.done(Instant::now());
    }

    /// It need not wait any more, whatever it did besides.
    pub fn finished(self) {
        self.load.waiting().progress_at = Instant::now();
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
        (Load::of_changes(), Instant::now())
    }

    /// As many places as the workspace gets.
    fn fill(load: &Arc<Load>, workspace: WorkspaceId, now: Instant) -> Vec<Place> {
        std::iter::from_fn(|| load.enter(workspace, now)).collect()
    }

    #[test]
    fn as_many_wait_as_can_be_served_in_time() {
        let (load, mut now) = load();
        let workspace = Env::fixed(1).id();
        let most = BURST_WAIT_MAX.as_micros() / TIME_EACH_FIRST.as_micros();
        let mut places = fill(&load, workspace, now);
        assert_eq!(places.len() as u128, most + 1);
        // They are served at ten times the speed, 64 of them together, again and again.
        for _ in 0..5 {
            for (number, place) in (0_u32..).zip(places.drain(..)) {
                place.done(now + TIME_EACH_FIRST / 10 * (number / 64 * 64));
            }
            now += CROWD_CALM;
            places.extend(fill(&load, workspace, now));
        }
        // So the next burst may be as much longer.
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
        let most = 2 * BURST_WAIT_MAX.as_micros() / TIME_EACH_FIRST.as_micros();
        assert!(!rest.is_empty() && load.waiting().count as u128 <= most + 1);
    }

    #[test]
    fn a_burst_may_wait_for_longer_than_a_crowd_that_stays() {
        let (load, start) = load();
        let workspace = Env::fixed(1).id();
        let burst = fill(&load, workspace, start);
        let later = start + BURST_TIME + Duration::from_millis(1);
        let most = CROWD_WAIT_MAX.as_micros() / TIME_EACH_FIRST.as_micros();
        assert!(burst.len() as u128 > 10 * most);
        // As fast as it was thought, but as many come as go.
        let mut waiting = burst;
        let now = start + BURST_WAIT_MAX / 4;
        for _ in 0..100 {
            waiting.remove(0);
            waiting.extend(load.enter(workspace, now));
        }
        assert!(
            load.enter(workspace, later).is_none(),
            "this has lasted for too long"
        );
        // It is worked off, until it is what a crowd may be.
        while load.enter(workspace, later).is_none() {
            waiting.remove(0);
        }
        let kept = waiting.len() as u128;
        assert!(kept <= most && kept > most / 2, "{kept} of {most}");
        // Nobody was refused for a while: the next burst is one again.
        drop(waiting);
        let calm = later + CROWD_CALM;
        assert!(fill(&load, workspace, calm).len() as u128 > 10 * most);
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

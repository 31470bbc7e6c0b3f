//! Which session has a runner: a wake-up or the sweep says "look", the lease says "yours".

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hostler_protocol::id::SessionId;
use hostler_store::{Claim, Lease, StoreError};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::fence::Breach;
use crate::giving_up::{Fault, give_up, terminate};
use crate::journal::JournalError;
use crate::keeping::Keeping;
use crate::leases::Leases;
use crate::limits::{DUE_INTERVAL, DUE_SESSIONS, FULL_SWEEP_EVERY, PANICS_MAX};
use crate::options::{Engine, Parts};
use crate::runner::run_session;
use crate::session_sandbox;
use crate::suspects::{Suspects, Turn, is_hopeless};
use crate::sweep::{self, Scope};

/// How a runner ended: at its fence, or by itself.
type RunnerResult = Result<Result<(), JournalError>, Breach>;

struct Supervisor {
    parts: Arc<Parts>,
    soft: CancellationToken,
    runners: JoinSet<RunnerResult>,
    /// What each of them runs under.
    held: HashMap<Id, Lease>,
    leases: Arc<Leases>,
    running: HashMap<SessionId, Id>,
    panics: HashMap<SessionId, u32>,
    suspects: Suspects,
    /// At most one.
    sweeps_under_way: JoinSet<Vec<SessionId>>,
    keeping: Keeping,
    /// At most one: deletes what sweeps have thrown away.
    emptying_trash: JoinSet<()>,
    /// Sweeps so far.
    sweeps: u32,
}

impl Engine {
    /// Runs sessions until `stop` is called and every runner has ended its present activity.
    /// Dropping the future stops them all at once: the log knows where they were.
    pub async fn run(self, stop: CancellationToken) {
        let Some(dirty) = self.parts.store.take_dirty() else {
            tracing::error!("a second engine on one store: it does nothing");
            return;
        };
        let leases = Arc::new(Leases::new(&self.parts));
        let supervisor = Supervisor {
            soft: stop.clone(),
            runners: JoinSet::new(),
            held: HashMap::new(),
            leases: Arc::clone(&leases),
            running: HashMap::new(),
            panics: HashMap::new(),
            suspects: Suspects::default(),
            sweeps_under_way: JoinSet::new(),
            keeping: Keeping::default(),
            emptying_trash: JoinSet::new(),
            sweeps: 0,
            parts: Arc::clone(&self.parts),
        };
        tokio::select! {
            biased;
            () = supervisor.run(dirty, stop) => {}
            never = leases.renew() => match never {},
        }
    }
}

impl Supervisor {
    async fn run(mut self, mut dirty: mpsc::Receiver<SessionId>, stop: CancellationToken) {
        let mut sweeps = ticker(self.parts.options.sweep_interval);
        let mut dues = ticker(match self.parts.store.has_rivals() {
            true => DUE_INTERVAL.min(self.parts.options.sweep_interval),
            false => self.parts.options.sweep_interval,
        });
        while !stop.is_cancelled() {
            self.turn(&mut dirty, &mut dues, &mut sweeps, &stop).await;
        }
        self.drain(&mut dues).await;
    }

    /// Waits for one thing and does it. Every branch is cancel-safe: queues, timers, join sets. What
    /// comes at its time or once goes before the queue, which may never be empty.
    async fn turn(
        &mut self,
        dirty: &mut mpsc::Receiver<SessionId>,
        dues: &mut Interval,
        sweeps: &mut Interval,
        stop: &CancellationToken,
    ) {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            Some(ended) = self.runners.join_next_with_id() => self.ended(ended).await,
            turn = self.suspects.next() => self.suspect(turn).await,
            Some(ended) = self.sweeps_under_way.join_next() => self.swept(ended),
            Some(ended) = self.keeping.ended() => self.keeping.after(&self.parts, ended),
            _ = dues.tick() => {
                self.give_back_strays().await;
                self.start_due().await;
            }
            _ = sweeps.tick() => self.sweep_sandboxes(),
            Some(session) = dirty.recv() => self.start(session).await,
        }
    }

    async fn start(&mut self, session: SessionId) {
        let full = self.running.len() >= self.parts.options.running_sessions_max;
        if full || self.running.contains_key(&session) {
            // A runner sees new rows by itself; without a place the sweep comes back to it.
            return;
        }
        let now = self.parts.env.now();
        let owner = &self.parts.options.owner;
        let ttl = self.parts.options.lease;
        let begun = Instant::now();
        let takes_max = self.suspects.takes_max(session);
        let claim = self.parts.store.claim(session, owner, now, ttl, takes_max);
        let lease = match claim.await {
            Ok(Claim::Taken(lease)) => lease,
            Ok(Claim::NotFree) => return,
            Ok(Claim::Suspect { takes }) => {
                self.suspects.wait(session, takes, Instant::now());
                return;
            }
            // If it was taken all the same, the next renewal finds it without a runner.
            Err(error) => {
                tracing::error!(%session, %error, "a lease can't be taken");
                return;
            }
        };
        if is_hopeless(lease.takes) {
            tracing::error!(%session, takes = lease.takes, "no server gets on with it: it is given up");
            let given_up = terminate(&self.parts, &lease, Fault::Process).await;
            if let Err(error) = given_up {
                tracing::error!(%session, %error, "it can't be terminated");
                self.release(lease).await;
            }
            return;
        }
        // From before the first look at the log to the end of the turn: a sweep that still takes
        // the session for idle must not stop the sandbox between two calls.
        let in_use = session_sandbox::name(session).map(|name| self.parts.sandboxes.hold(&name));
        let fence = self.leases.hold(session, begun);
        let (parts, soft) = (Arc::clone(&self.parts), self.soft.clone());
        let got_on = self.suspects.got_on(session).unwrap_or_default();
        let run = run_session(parts, lease.clone(), fence.clone(), got_on, soft);
        let task = self.runners.spawn(async move {
            let _in_use = in_use;
            fence.guard(run).await
        });
        self.running.insert(session, task.id());
        self.held.insert(task.id(), lease);
        self.count();
    }

    /// It is its turn, or it has kept the others waiting for long enough.
    async fn suspect(&mut self, turn: Turn) {
        match turn {
            Turn::Start(session) => {
                tracing::warn!(%session, "servers have died while they worked at it; it runs without others like it");
                self.suspects.begin(session, Instant::now());
                self.start(session).await;
                if !self.running.contains_key(&session) {
                    self.suspects.ended(session);
                }
            }
            Turn::Harmless(session) => {
                let held = self.running.get(&session).and_then(|id| self.held.get(id));
                if let Some(lease) = held
                    && let Err(error) = self.parts.store.pardon(lease).await
                {
                    tracing::error!(%session, %error, "a session can't be pardoned");
                }
            }
        }
    }

    async fn start_due(&mut self) {
        match self
            .parts
            .store
            .sessions_due(self.parts.env.now(), DUE_SESSIONS)
            .await
        {
            Ok(due) => {
                for session in due {
                    self.start(session).await;
                }
            }
            Err(error) => tracing::error!(%error, "due sessions can't be looked up"),
        }
    }

    /// Beside everything else: the end of a process may take its time, and no session's start
    /// waits for it.
    fn sweep_sandboxes(&mut self) {
        if self.sweeps_under_way.is_empty() {
            let parts = Arc::clone(&self.parts);
            let scope = if self.sweeps.is_multiple_of(FULL_SWEEP_EVERY) {
                Scope::All
            } else {
                Scope::Alive
            };
            self.sweeps = self.sweeps.wrapping_add(1);
            let busy = self.keeping.sessions();
            self.sweeps_under_way.spawn(async move {
                let rested = sweep::sandboxes(&parts, scope, &busy).await;
                sweep::expired_files(&parts).await;
                sweep::dropped_uploads(&parts).await;
                if scope == Scope::All {
                    sweep::packages(&parts).await;
                }
                sweep::archives(&parts).await;
                rested
            });
        }
    }

    fn swept(&mut self, ended: Result<Vec<SessionId>, JoinError>) {
        match ended {
            Ok(rested) => self.keeping.add(&self.parts, rested),
            Err(error) => tracing::error!(%error, "a sweep broke off"),
        }
        while let Some(ended) = self.emptying_trash.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "emptying the trash broke off");
            }
        }
        // One at a time; what is left is found after the next sweep.
        if self.emptying_trash.is_empty() && self.parts.sandboxes.has_trash() {
            let parts = Arc::clone(&self.parts);
            self.emptying_trash
                .spawn(async move { sweep::trash(&parts).await });
        }
    }

    async fn ended(&mut self, ended: Result<(Id, RunnerResult), JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some(lease) = self.held.remove(&id) else {
            return;
        };
        let session = lease.session;
        self.leases.drop_hold(session);
        self.running.remove(&session);
        self.suspects.ended(session);
        self.count();
        match ended {
            Ok((_, Ok(Ok(())))) => {
                self.panics.remove(&session);
                // An input may have come between the runner's last look and its end.
                self.look_again(session).await;
            }
            Ok((_, Ok(Err(JournalError::NotOurs)))) => {}
            Ok((_, Ok(Err(JournalError::Store(error @ StoreError::Damaged { .. }))))) => {
                tracing::error!(%session, %error, "a session is given up");
                self.release(lease).await;
                give_up(&self.parts, session, Fault::Log).await;
            }
            Ok((_, Ok(Err(JournalError::Store(error))))) => {
                tracing::error!(%session, %error, "a runner ended because of the store");
                self.release(lease).await;
            }
            // If nobody has taken it, the next renewal finds it without a runner.
            Ok((_, Err(Breach::RanOut))) => {
                tracing::error!(%session, "a runner stopped: its lease may have run out");
            }
            Ok((_, Err(Breach::TakenOver))) => {
                tracing::warn!(%session, "another server has taken it over");
            }
            Err(_) => {
                self.release(lease).await;
                self.panicked(session).await;
            }
        }
    }

    async fn look_again(&mut self, session: SessionId) {
        if self.soft.is_cancelled() {
            return;
        }
        match self.parts.store.session_brief(session).await {
            Ok(Some(brief)) if brief.is_due(self.parts.env.now()) => self.start(session).await,
            Ok(_) => {}
            Err(error) => tracing::error!(%session, %error, "a session can't be looked up"),
        }
    }

    /// A bug in a runner must hurt no other session, and this one not for ever: the sweep starts
    /// it again, a few times.
    async fn panicked(&mut self, session: SessionId) {
        let panics = self.panics.entry(session).or_default();
        *panics += 1;
        tracing::error!(%session, panics = *panics, "a runner panicked");
        if *panics >= PANICS_MAX {
            self.panics.remove(&session);
            give_up(&self.parts, session, Fault::Runner).await;
        }
    }

    /// One that can't be given back now is found by the next renewal.
    async fn release(&mut self, lease: Lease) {
        if let Err(error) = self.parts.store.release(&lease).await {
            tracing::error!(session = %lease.session, %error, "a lease can't be released");
        }
    }

    /// Renewed with the others they would keep everybody off for ever. One that fails says enough
    /// about the others.
    async fn give_back_strays(&mut self) {
        for session in self.leases.take_strays() {
            if self.running.contains_key(&session) {
                continue;
            }
            let owner = &self.parts.options.owner;
            match self.parts.store.release_stray(session, owner).await {
                Ok(true) => tracing::warn!(%session, "a lease without a runner was given back"),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%session, %error, "a lease without a runner can't be given back");
                    return;
                }
            }
        }
    }

    async fn drain(mut self, dues: &mut Interval) {
        while !self.runners.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.runners.join_next_with_id() => self.ended(ended).await,
                _ = dues.tick() => self.give_back_strays().await,
            }
        }
    }

    fn count(&self) {
        let running = u32::try_from(self.running.len()).unwrap_or(u32::MAX);
        metrics::gauge!("hostler_sessions_running").set(f64::from(running));
    }
}

fn ticker(period: Duration) -> Interval {
    let mut ticker = interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

//! Which session has a runner: a wake-up or the sweep says "look", the lease says "yours".

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hostler_protocol::id::SessionId;
use hostler_store::Lease;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::journal::JournalError;
use crate::keeping::Keeping;
use crate::limits::{DUE_INTERVAL, DUE_SESSIONS, FULL_SWEEP_EVERY, LEASE_MARGIN_PART, PANICS_MAX};
use crate::options::{Engine, Parts};
use crate::runner::run_session;
use crate::session_sandbox;
use crate::sweep::{self, Scope};

/// A runner, and what it runs under.
struct Held {
    lease: Lease,
    task: AbortHandle,
}

type RunnerResult = Result<(), JournalError>;

struct Supervisor {
    parts: Arc<Parts>,
    soft: CancellationToken,
    runners: JoinSet<RunnerResult>,
    held: HashMap<Id, Held>,
    running: HashMap<SessionId, Id>,
    panics: HashMap<SessionId, u32>,
    /// Of runners that have ended while the store failed: one for each at most.
    unreleased: Vec<Lease>,
    /// At most one.
    sweeps_under_way: JoinSet<Vec<SessionId>>,
    keeping: Keeping,
    /// At most one: deletes what sweeps have thrown away.
    emptying_trash: JoinSet<()>,
    /// Sweeps so far.
    sweeps: u32,
    /// When the last renewal that has succeeded began: leases hold from here.
    renewed: Instant,
}

impl Engine {
    /// Runs sessions until `stop` is called and every runner has ended its present activity.
    /// Dropping the future stops them all at once: the log knows where they were.
    pub async fn run(self, stop: CancellationToken) {
        let Some(mut dirty) = self.parts.store.take_dirty() else {
            tracing::error!("a second engine on one store: it does nothing");
            return;
        };
        let mut supervisor = Supervisor {
            soft: stop.clone(),
            runners: JoinSet::new(),
            held: HashMap::new(),
            running: HashMap::new(),
            panics: HashMap::new(),
            unreleased: Vec::new(),
            sweeps_under_way: JoinSet::new(),
            keeping: Keeping::default(),
            emptying_trash: JoinSet::new(),
            sweeps: 0,
            renewed: Instant::now(),
            parts: Arc::clone(&self.parts),
        };
        let mut sweeps = ticker(self.parts.options.sweep_interval);
        let mut renewals = ticker(self.parts.options.lease / 3);
        let mut dues = ticker(match self.parts.store.has_rivals() {
            true => DUE_INTERVAL.min(self.parts.options.sweep_interval),
            false => self.parts.options.sweep_interval,
        });
        while !stop.is_cancelled() {
            supervisor
                .turn(&mut dirty, &mut dues, &mut sweeps, &mut renewals, &stop)
                .await;
        }
        supervisor.drain(&mut renewals).await;
    }
}

impl Supervisor {
    /// Waits for one thing and does it. Every branch is cancel-safe: queues, timers, join sets.
    async fn turn(
        &mut self,
        dirty: &mut mpsc::Receiver<SessionId>,
        dues: &mut Interval,
        sweeps: &mut Interval,
        renewals: &mut Interval,
        stop: &CancellationToken,
    ) {
        tokio::select! {
            () = stop.cancelled() => {}
            Some(session) = dirty.recv() => self.start(session).await,
            Some(ended) = self.runners.join_next_with_id() => self.ended(ended).await,
            Some(ended) = self.sweeps_under_way.join_next() => self.swept(ended),
            Some(ended) = self.keeping.ended() => self.keeping.after(&self.parts, ended),
            _ = renewals.tick() => self.renew().await,
            _ = dues.tick() => {
                self.release_again().await;
                self.start_due().await;
            }
            _ = sweeps.tick() => self.sweep_sandboxes(),
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
        let lease = match self.parts.store.claim(session, owner, now, ttl).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%session, %error, "a lease can't be taken");
                return;
            }
        };
        // From before the first look at the log to the end of the turn: a sweep that still takes
        // the session for idle must not stop the sandbox between two calls.
        let in_use = session_sandbox::name(session).map(|name| self.parts.sandboxes.hold(&name));
        let run = run_session(Arc::clone(&self.parts), lease.clone(), self.soft.clone());
        let task = self.runners.spawn(async move {
            let _in_use = in_use;
            run.await
        });
        self.running.insert(session, task.id());
        self.held.insert(task.id(), Held { lease, task });
        self.count();
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
        let Some(Held { lease, .. }) = self.held.remove(&id) else {
            return;
        };
        let session = lease.session;
        self.running.remove(&session);
        self.count();
        match ended {
            Ok((_, Ok(()))) => {
                self.panics.remove(&session);
                // An input may have come between the runner's last look and its end.
                self.look_again(session).await;
            }
            Ok((_, Err(JournalError::NotOurs))) => {}
            Ok((_, Err(JournalError::Store(error)))) => {
                tracing::error!(%session, %error, "a runner ended because of the store");
                self.release(lease).await;
            }
            // It was stopped because the lease may have run out. If it hasn't, it must not be renewed.
            Err(error) if error.is_cancelled() => self.unreleased.push(lease),
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
            sweep::give_up(&self.parts, session).await;
        }
    }

    async fn release(&mut self, lease: Lease) {
        if let Err(error) = self.parts.store.release(&lease).await {
            tracing::error!(session = %lease.session, %error, "a lease can't be released");
            // Renewed with the others it would keep everybody off for ever.
            self.unreleased.push(lease);
        }
    }

    /// One that fails says enough about the others.
    async fn release_again(&mut self) {
        while let Some(lease) = self.unreleased.pop() {
            let before = self.unreleased.len();
            self.release(lease).await;
            if self.unreleased.len() > before {
                return;
            }
        }
    }

    /// Where others may take what has run out, runners whose leases may have are stopped: the log
    /// takes nothing from a lost lease, but tools run outside of the log. Another call to the
    /// database that this loop waits for makes it late, by as long as such a call may take.
    async fn renew(&mut self) {
        let (owner, now) = (&self.parts.options.owner, self.parts.env.now());
        let begun = Instant::now();
        let lease = self.parts.options.lease;
        let renewal = self.parts.store.renew_leases(owner, now, lease);
        let last = self.renewed + (lease - lease / LEASE_MARGIN_PART);
        // After a long time without the database there is nothing left to lose by waiting.
        let most = if last > begun {
            last
        } else {
            begun + lease / 3
        };
        let renewed = match self.parts.store.has_rivals() {
            true => timeout_at(most, renewal).await,
            false => Ok(renewal.await),
        };
        match renewed {
            Ok(Ok(renewed)) => {
                self.renewed = begun;
                if self.parts.store.has_rivals() {
                    self.stop_all_but(&renewed);
                }
            }
            Ok(Err(error)) => tracing::error!(%error, "leases can't be renewed"),
            Err(_) => tracing::error!("leases can't be renewed in time"),
        }
        let is_over = self.parts.store.has_rivals() && Instant::now() >= last;
        if is_over && self.renewed < begun && !self.runners.is_empty() {
            let runners = self.runners.len();
            tracing::error!(
                runners,
                "all runners are stopped: their leases may have run out"
            );
            self.runners.abort_all();
        }
    }

    /// A runner whose lease has run out while this process stood still hears of it now.
    fn stop_all_but(&self, renewed: &[SessionId]) {
        let ours: HashSet<&SessionId> = renewed.iter().collect();
        for held in self.held.values() {
            if !ours.contains(&held.lease.session) {
                tracing::warn!(session = %held.lease.session, "another server has taken it over");
                held.task.abort();
            }
        }
    }

    async fn drain(mut self, renewals: &mut Interval) {
        while !self.runners.is_empty() {
            tokio::select! {
                Some(ended) = self.runners.join_next_with_id() => self.ended(ended).await,
                _ = renewals.tick() => self.renew().await,
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

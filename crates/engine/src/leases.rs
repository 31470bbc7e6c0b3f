//! The leases of this process: each is renewed, and with each renewal its runner's fence moves.
//!
//! Nothing here waits for the supervisor, nor it for this: a database that does not answer one of
//! them is no reason for the other to be late. What the database says is held and nobody here
//! knows of (a claim whose answer was lost) is kept for the supervisor to give back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hostler_protocol::id::SessionId;
use hostler_store::StoreError;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::fence::{Fence, Hold};
use crate::limits::{LEASE_MARGIN_PART, RENEWALS_AT_ONCE};
use crate::options::Parts;

pub(crate) struct Leases {
    parts: Arc<Parts>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    held: BTreeMap<SessionId, Held>,
    /// Of the last renewal that was answered: at most as many as this process has ever claimed at
    /// the same time.
    strays: Vec<SessionId>,
}

struct Held {
    /// A renewal that began earlier may not know of it.
    since: Instant,
    fence: watch::Sender<Hold>,
}

/// A renewal that is over.
struct Renewal {
    begun: Instant,
    answer: Option<Result<Vec<SessionId>, StoreError>>,
}

impl Leases {
    pub(crate) fn new(parts: &Arc<Parts>) -> Self {
        Self {
            parts: Arc::clone(parts),
            known: Mutex::default(),
        }
    }

    /// A lease that was claimed, by a call that began at `begun`.
    pub(crate) fn hold(&self, session: SessionId, begun: Instant) -> Fence {
        let (mover, fence) = Fence::new(self.held_from(begun));
        let since = Instant::now();
        let held = Held {
            since,
            fence: mover,
        };
        self.known().held.insert(session, held);
        fence
    }

    /// Its runner has ended.
    pub(crate) fn drop_hold(&self, session: SessionId) {
        self.known().held.remove(&session);
    }

    /// Sessions that are held for nobody, unless they were claimed meanwhile.
    pub(crate) fn take_strays(&self) -> Vec<SessionId> {
        std::mem::take(&mut self.known().strays)
    }

    /// Renews for ever. A renewal that is not answered does not keep the next from being tried,
    /// over another connection.
    pub(crate) async fn renew(&self) -> std::convert::Infallible {
        let mut ticks = interval(self.lease() / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewals = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => if renewals.len() < RENEWALS_AT_ONCE {
                    renewals.push(self.renewal());
                },
                Some(renewal) = renewals.next() => self.renewed(renewal),
            }
        }
    }

    async fn renewal(&self) -> Renewal {
        let begun = Instant::now();
        let (owner, lease) = (&self.parts.options.owner, self.lease());
        let now = self.parts.env.now();
        let answer = self.parts.store.renew_leases(owner, now, lease);
        // Later there is nothing left to be prolonged.
        let answer = timeout(lease, answer).await.ok();
        Renewal { begun, answer }
    }

    fn renewed(&self, Renewal { begun, answer }: Renewal) {
        let mut renewed: BTreeSet<SessionId> = match answer {
            Some(Ok(sessions)) => sessions.into_iter().collect(),
            Some(Err(error)) => {
                tracing::error!(%error, "leases can't be renewed");
                return;
            }
            None => {
                tracing::error!("leases can't be renewed in time");
                return;
            }
        };
        let hold = self.held_from(begun);
        let has_rivals = self.parts.store.has_rivals();
        let mut known = self.known();
        for (session, held) in &known.held {
            if renewed.remove(session) {
                held.fence
                    .send_if_modified(|present| prolong(present, hold));
            } else if has_rivals && held.since < begun {
                held.fence.send_replace(Hold::Lost);
            }
        }
        known.strays = renewed.into_iter().collect();
    }

    /// The database counts the lease from when it hears of it, which is later.
    fn held_from(&self, begun: Instant) -> Hold {
        let lease = self.lease();
        match self.parts.store.has_rivals() {
            true => Hold::Until(begun + (lease - lease / LEASE_MARGIN_PART)),
            false => Hold::Unrivalled,
        }
    }

    fn lease(&self) -> Duration {
        self.parts.options.lease
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renewals may be answered in another order than they began in. Answers whether it is later now.
fn prolong(present: &mut Hold, hold: Hold) -> bool {
    let is_later = match (*present, hold) {
        (Hold::Until(present), Hold::Until(next)) => next > present,
        (Hold::Unrivalled | Hold::Lost, _) | (Hold::Until(_), Hold::Unrivalled | Hold::Lost) => {
            false
        }
    };
    if is_later {
        *present = hold;
    }
    is_later
}

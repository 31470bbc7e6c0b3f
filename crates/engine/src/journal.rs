//! A runner's view of its session's log: the state folded so far, and what is about to be
//! appended.
//!
//! Facts (what a model or a tool answered) and the decisions that follow from them are appended
//! together, with the position that they were decided at. **Invariant:** if the log has moved,
//! nothing is written; the journal reads what is new, keeps the facts, and decides anew (ADR 3). So
//! no decision is ever taken on an old state, and a turn waits for few syncs.

use std::sync::Arc;

use hostler_domain::session::{Policy, State, Step, is_progress};
use hostler_protocol::event::{Draft, Event, Seq};
use hostler_store::{AppendError, Lease, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::folding::{Snapshots, apply, fold};
use crate::limits::{DECISIONS_MAX, LOG_PAGE, TOOL_ROUNDS_MAX};
use crate::options::Parts;

/// Why a runner ends other than by having nothing to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// Another runner has the session, or it is gone. Nothing is wrong.
    #[error("the session belongs to another runner or is gone")]
    NotOurs,
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(crate) struct Journal {
    parts: Arc<Parts>,
    lease: Lease,
    /// Cancelled as soon as the session gets on.
    got_on: CancellationToken,
    state: State,
    /// The last row that is known to be in the log and folded.
    durable: Seq,
    /// What the world answered and the log does not hold yet.
    facts: Vec<Draft>,
    /// When rows of others were last read.
    looked_at: Instant,
    snapshots: Snapshots,
}

impl Journal {
    pub(crate) async fn open(
        parts: Arc<Parts>,
        lease: Lease,
        got_on: CancellationToken,
    ) -> Result<Self, JournalError> {
        let (state, kept) = fold(&parts.store, lease.session)
            .await?
            .ok_or(JournalError::NotOurs)?;
        let durable = state.last_seq();
        Ok(Self {
            snapshots: Snapshots::new(parts.store.clone(), lease.session, kept),
            parts,
            lease,
            got_on,
            state,
            durable,
            facts: Vec::new(),
            looked_at: Instant::now(),
        })
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The last row that is known to be in the log.
    pub(crate) fn durable(&self) -> Seq {
        self.durable
    }

    /// What goes on beside the runner's work.
    pub(crate) fn snapshots(&mut self) -> &mut Snapshots {
        &mut self.snapshots
    }

    /// Facts to be appended by the next [`Journal::settle`].
    pub(crate) fn note(&mut self, facts: Vec<Draft>) {
        self.facts.extend(facts);
    }

    pub(crate) fn looked_at(&self) -> Instant {
        self.looked_at
    }

    /// Folds rows that others have appended.
    pub(crate) async fn read(&mut self) -> Result<(), JournalError> {
        self.looked_at = Instant::now();
        loop {
            let rows = self
                .parts
                .store
                .read_log(self.lease.session, self.durable, LOG_PAGE)
                .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            self.durable = last.seq;
            apply(&mut self.state, &rows);
        }
    }

    /// Appends the noted facts and every decision that follows, until there is something to do.
    /// Whatever the returned step relies on is on disk by then.
    pub(crate) async fn settle(&mut self) -> Result<Step, JournalError> {
        loop {
            let (drafts, step, before) = self.decide();
            let Some(before) = before else {
                self.snapshots.consider(&self.state);
                return Ok(step);
            };
            let gets_on = drafts.iter().any(|draft| is_progress(&draft.event));
            match self
                .parts
                .store
                .append(&self.lease, self.durable, drafts)
                .await
            {
                Ok(()) => {
                    self.durable = self.state.last_seq();
                    self.facts.clear();
                    if gets_on {
                        self.lease.takes = 0;
                        self.got_on.cancel();
                    }
                    self.snapshots.consider(&self.state);
                    return Ok(step);
                }
                // What was decided is in the state and not in the log: back to where they agreed.
                Err(AppendError::Moved) => {
                    self.state = before;
                    self.read().await?;
                }
                Err(AppendError::LostLease | AppendError::NoSuchSession) => {
                    return Err(JournalError::NotOurs);
                }
                Err(AppendError::Store(error)) => return Err(error.into()),
            }
        }
    }

    /// Folds the facts, then decision after decision, into the state; none is in the log yet. With
    /// them comes the state before, if there are any.
    fn decide(&mut self) -> (Vec<Draft>, Step, Option<State>) {
        let epoch = self.lease.epoch;
        let mut drafts = self.facts.clone();
        let mut before = (!drafts.is_empty()).then(|| self.state.clone());
        for fact in &drafts {
            self.state.apply_draft(fact, epoch);
        }
        for _ in 0..DECISIONS_MAX {
            let now = self.parts.env.now();
            match self.state.next(epoch, now, &self.policy()) {
                Step::Record(events) => {
                    before.get_or_insert_with(|| self.state.clone());
                    for event in events {
                        let draft = self.parts.draft(event);
                        self.state.apply_draft(&draft, epoch);
                        drafts.push(draft);
                    }
                }
                step @ (Step::Wait { .. } | Step::CallModel(_) | Step::RunTools(_)) => {
                    return (drafts, step, before);
                }
            }
        }
        panic!("the domain decided {DECISIONS_MAX} times in a row without anything to do");
    }

    fn policy(&self) -> Policy {
        let options = &self.parts.options;
        let model = self.parts.catalog.find(&self.state.agent().model.id);
        Policy {
            attempts_max: options.model_attempts_max,
            tool_rounds_max: TOOL_ROUNDS_MAX,
            context_window: model.and_then(|model| model.context_window),
            compaction_percent: options.compaction_percent,
        }
    }
}

impl Parts {
    /// An event of now, with a new id.
    pub(crate) fn draft(&self, event: Event) -> Draft {
        Draft {
            id: self.env.id(),
            at: self.env.now(),
            thread: None,
            event,
        }
    }
}

//! The newest rows of a session that somebody has read, for all who follow it: one reader looks
//! into the database, and the others take what it has found.
//!
//! A wake-up still says "look", never "here": rows come from a look at the log and from nowhere
//! else. Whoever is behind what is kept here reads the log by himself. **Invariant:** a follower
//! is told that there is nothing new only by a look that began after he had reason to ask.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hostler_protocol::event::Seq;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::{TAIL_BYTES, TAIL_BYTES_ALL, TAIL_EVENTS};
use crate::wire_event::WireEvent;

/// What is behind the last event.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Deleted(Arc<WireEvent>),
    Nothing,
}

/// What one look at the log found.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) events: Vec<Arc<WireEvent>>,
    pub(crate) read_to: Seq,
    /// There is more behind the events.
    pub(crate) more: bool,
    pub(crate) end: Option<End>,
}

/// A reason to look, by number: what happened before it is seen by every look that begins after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Reason(u64);

/// What a follower at some position has to do.
#[derive(Debug)]
pub(crate) enum Advice {
    /// What a look for everybody would find: take it.
    Take(Look),
    /// He is behind what is kept: read the log for himself.
    ReadAlone,
    /// Look, for everybody, and report with [`Looking::found`].
    Look(Looking),
    /// Somebody looks: ask again when [`Tail::looked`] says so.
    Wait,
}

/// Bytes that all tails of a store hold.
#[derive(Debug, Default)]
pub(crate) struct TailBudget(AtomicUsize);

#[derive(Debug)]
pub(crate) struct Tail {
    kept: Mutex<Kept>,
    /// The last reason to look.
    asked: AtomicU64,
    looked: Notify,
    budget: Arc<TailBudget>,
}

/// Public rows behind `from` up to `to`: all of them.
#[derive(Debug, Default)]
struct Kept {
    from: Seq,
    to: Seq,
    rows: VecDeque<Arc<WireEvent>>,
    bytes: usize,
    end: Option<End>,
    /// The last reason that a look has answered, and when that look began.
    answered: Reason,
    looked_at: Option<Instant>,
    is_looked_at: bool,
}

/// The right to look for everybody. Dropped without a result it goes to the next who asks.
#[derive(Debug)]
pub(crate) struct Looking {
    tail: Arc<Tail>,
    after: Seq,
    answers: Reason,
    began: Instant,
}

impl Tail {
    pub(crate) fn new(budget: Arc<TailBudget>) -> Self {
        Self {
            kept: Mutex::default(),
            asked: AtomicU64::new(0),
            looked: Notify::new(),
            budget,
        }
    }

    /// A new reason to look, as after an append.
    pub(crate) fn ask(&self) -> Reason {
        Reason(self.asked.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// The last reason that anybody had.
    pub(crate) fn asked(&self) -> Reason {
        Reason(self.asked.load(Ordering::SeqCst))
    }

    /// Whether somebody has looked, to the end of the log, within `period`.
    pub(crate) fn was_looked_at_within(&self, period: Duration) -> bool {
        let looked_at = self.kept().looked_at;
        looked_at.is_some_and(|at| at.elapsed() < period)
    }

    /// Ready after the next look has ended, if it is enabled before [`Tail::advise`] is asked.
    pub(crate) fn looked(&self) -> tokio::sync::futures::Notified<'_> {
        self.looked.notified()
    }

    /// What to do for a follower who has read up to `after` and has `reason` to look.
    pub(crate) fn advise(self: &Arc<Self>, after: Seq, reason: Reason) -> Advice {
        let mut kept = self.kept();
        if after < kept.to {
            return match after >= kept.from {
                true => Advice::Take(kept.behind(after, reason)),
                false => Advice::ReadAlone,
            };
        }
        if kept.answered >= reason {
            return Advice::Take(kept.behind(after, reason));
        }
        if std::mem::replace(&mut kept.is_looked_at, true) {
            return Advice::Wait;
        }
        Advice::Look(Looking {
            tail: Arc::clone(self),
            after,
            answers: self.asked(),
            began: Instant::now(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let bytes = self.kept().bytes;
        self.budget.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Kept {
    /// The rows behind `after`, which is not before `from`. There may be more for whom they don't
    /// answer.
    fn behind(&self, after: Seq, reason: Reason) -> Look {
        let first = self.rows.partition_point(|row| row.seq <= Some(after));
        Look {
            events: self.rows.range(first..).cloned().collect(),
            read_to: self.to.max(after),
            more: self.answered < reason,
            end: self.end.clone(),
        }
    }

    fn push(&mut self, row: &Arc<WireEvent>, budget: &TailBudget) {
        let bytes = row.json.len();
        budget.0.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        self.rows.push_back(Arc::clone(row));
    }

    /// Lets go of the oldest until the rest is within the limits.
    fn shrink(&mut self, budget: &TailBudget) {
        while self.rows.len() > TAIL_EVENTS
            || self.bytes > TAIL_BYTES
            || (self.bytes > 0 && budget.0.load(Ordering::Relaxed) > TAIL_BYTES_ALL)
        {
            let Some(oldest) = self.rows.pop_front() else {
                break;
            };
            self.from = oldest.seq.unwrap_or(self.to);
            self.bytes -= oldest.json.len();
            budget.0.fetch_sub(oldest.json.len(), Ordering::Relaxed);
        }
    }

    /// Lets go of everything: what comes next is behind `to`.
    fn restart(&mut self, to: Seq, budget: &TailBudget) {
        budget.0.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
        self.rows = VecDeque::new();
        (self.from, self.to) = (to, to);
    }
}

impl Looking {
    /// Shares what a look found. `keep`: there are others to share it with.
    pub(crate) fn found(self, look: &Look, keep: bool) {
        let (budget, mut kept) = (&self.tail.budget, self.tail.kept());
        if look.more || look.read_to < kept.to {
            // A piece of the past: of that everybody reads his own.
            return;
        }
        if kept.to != self.after {
            kept.restart(self.after, budget);
        }
        for row in &look.events {
            kept.push(row, budget);
        }
        kept.to = look.read_to;
        match keep {
            true => kept.shrink(budget),
            false => kept.restart(look.read_to, budget),
        }
        kept.end.clone_from(&look.end);
        kept.answered = self.answers;
        kept.looked_at = Some(self.began);
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.tail.kept().is_looked_at = false;
        self.tail.looked.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail() -> Arc<Tail> {
        Arc::new(Tail::new(Arc::default()))
    }

    fn row(seq: i64, bytes: usize) -> Arc<WireEvent> {
        Arc::new(WireEvent {
            seq: Some(Seq(seq)),
            id: format!("sevt_{seq}"),
            name: "agent.thinking".to_owned(),
            json: "x".repeat(bytes),
        })
    }

    fn look(events: &[Arc<WireEvent>], read_to: i64) -> Look {
        Look {
            events: events.to_vec(),
            read_to: Seq(read_to),
            more: false,
            end: None,
        }
    }

    fn looking(advice: Advice) -> Looking {
        let Advice::Look(looking) = advice else {
            panic!("asked to look, not {advice:?}");
        };
        looking
    }

    fn taken(advice: Advice) -> (Vec<i64>, bool) {
        let Advice::Take(look) = advice else {
            panic!("asked to take, not {advice:?}");
        };
        let seqs = look.events.iter().filter_map(|row| row.seq);
        (seqs.map(|seq| seq.0).collect(), look.more)
    }

    #[test]
    fn one_looks_and_the_others_take_what_was_found() {
        let tail = tail();
        let reason = tail.ask();
        let first = looking(tail.advise(Seq(4), reason));
        assert!(matches!(tail.advise(Seq(4), reason), Advice::Wait));
        first.found(&look(&[row(5, 1), row(7, 1)], 8), true);
        assert_eq!(taken(tail.advise(Seq(4), reason)), (vec![5, 7], false));
        assert_eq!(taken(tail.advise(Seq(5), reason)), (vec![7], false));
        assert_eq!(taken(tail.advise(Seq(8), reason)), (vec![], false));
        assert!(matches!(tail.advise(Seq(3), reason), Advice::ReadAlone));
    }

    #[test]
    fn a_look_answers_no_reason_that_came_after_it_began() {
        let tail = tail();
        let early = tail.ask();
        let first = looking(tail.advise(Seq(4), early));
        let late = tail.ask();
        first.found(&look(&[row(5, 1)], 5), true);
        assert_eq!(taken(tail.advise(Seq(4), late)), (vec![5], true));
        looking(tail.advise(Seq(5), late)).found(&look(&[row(6, 1)], 6), true);
        assert_eq!(taken(tail.advise(Seq(4), late)), (vec![5, 6], false));
    }

    #[test]
    fn a_look_that_was_given_up_goes_to_the_next() {
        let tail = tail();
        let reason = tail.ask();
        drop(looking(tail.advise(Seq(0), reason)));
        looking(tail.advise(Seq(0), reason));
    }

    #[test]
    fn a_piece_of_the_past_is_not_kept() {
        let tail = tail();
        let reason = tail.ask();
        let more = Look {
            more: true,
            ..look(&[row(1, 1)], 1)
        };
        looking(tail.advise(Seq(0), reason)).found(&more, true);
        looking(tail.advise(Seq(0), reason));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_rest_is_read_from_the_log() {
        let budget: Arc<TailBudget> = Arc::default();
        let tail = Arc::new(Tail::new(Arc::clone(&budget)));
        let reason = tail.ask();
        let half = TAIL_BYTES / 2;
        let rows = [row(1, half), row(2, half), row(3, half)];
        looking(tail.advise(Seq(0), reason)).found(&look(&rows, 3), true);
        assert!(matches!(tail.advise(Seq(0), reason), Advice::ReadAlone));
        assert_eq!(taken(tail.advise(Seq(1), reason)).0, [2, 3]);
        let reason = tail.ask();
        looking(tail.advise(Seq(3), reason)).found(&look(&[row(4, 1)], 4), false);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0, "nobody to share with");
        drop(tail);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }
}

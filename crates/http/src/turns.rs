//! How long a request waits for its turn on the processors. Where that is long, requests come faster than they can
//! be read, and no queue that could be looked at holds them: they lie in the sockets.
//!
//! It is measured in the server's own CPU time, so that a machine on which others are busy is not taken
//! for a server that has too much to do. Nothing runs while no requests come.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{TURN_BURST_TIME, TURN_MEASURED_EVERY, TURN_WAIT_MAX};
use crate::options::CpuTime;

#[derive(Debug)]
pub(crate) struct Turns(Mutex<Measured>);

#[derive(Debug)]
struct Measured {
    at: Option<Instant>,
    /// Since when each measurement was longer than may be.
    long_since: Option<Instant>,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Measured {
            at: None,
            long_since: None,
        }))
    }

    /// Now and then a request lets all others go first that are ready, and sees what that took.
    pub(crate) async fn measure(&self, cpu_time: &CpuTime) {
        if !self.is_due(Instant::now()) {
            return;
        }
        let before = cpu_time();
        tokio::task::yield_now().await;
        self.note(cpu_time().saturating_sub(before), Instant::now());
    }

    fn is_due(&self, now: Instant) -> bool {
        let mut measured = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = measured
            .at
            .is_none_or(|at| now.duration_since(at) >= TURN_MEASURED_EVERY);
        if is_due {
            measured.at = Some(now);
        }
        is_due
    }

    fn note(&self, waited: Duration, now: Instant) {
        let mut measured = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        measured.long_since = match waited > TURN_WAIT_MAX {
            true => Some(measured.long_since.unwrap_or(now)),
            false => None,
        };
    }

    /// Whether it is too long, and not for a moment only.
    pub(crate) fn are_late(&self, now: Instant) -> bool {
        let measured = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        measured
            .long_since
            .is_some_and(|since| now.duration_since(since) > TURN_BURST_TIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lasts_is_too_long() {
        let (turns, start) = (Turns::new(), Instant::now());
        let long = TURN_WAIT_MAX + Duration::from_millis(1);
        let later = start + TURN_BURST_TIME + Duration::from_millis(1);
        turns.note(long, start);
        assert!(!turns.are_late(start) && turns.are_late(later));
        turns.note(TURN_WAIT_MAX, later);
        assert!(!turns.are_late(later));
        turns.note(long, later);
        assert!(!turns.are_late(later));
    }

    #[test]
    fn it_is_measured_now_and_then() {
        let (turns, start) = (Turns::new(), Instant::now());
        assert!(turns.is_due(start) && !turns.is_due(start));
        assert!(turns.is_due(start + TURN_MEASURED_EVERY));
    }
}

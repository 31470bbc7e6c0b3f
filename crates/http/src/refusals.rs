//! Requests that were refused because there was too much of something: counted one by one, and told to the log
//! now and then. When they come by the thousand, a line for each would cost more than the refusal.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::api_error::Excess;
use crate::limits::REFUSALS_LOGGED_EVERY;

#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    count: u64,
    told_at: Option<Instant>,
}

impl Refusals {
    pub(crate) fn note(&self, excess: Excess) {
        metrics::counter!("hostler_http_refused_total", "excess" => excess.as_str()).increment(1);
        if let Some(count) = self.due(Instant::now()) {
            let excess = excess.as_str();
            tracing::warn!(
                count,
                excess,
                "requests are refused: there is too much to do"
            );
        }
    }

    /// How many there were since the log was last told, if it is time for that.
    fn due(&self, now: Instant) -> Option<u64> {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.count += 1;
        let is_fresh = |told: Instant| now.duration_since(told) < REFUSALS_LOGGED_EVERY;
        if untold.told_at.is_some_and(is_fresh) {
            return None;
        }
        untold.told_at = Some(now);
        Some(std::mem::take(&mut untold.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_hears_of_many_at_once() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.due(start), Some(1));
        for _ in 0..41 {
            assert_eq!(refusals.due(start), None);
        }
        assert_eq!(refusals.due(start + REFUSALS_LOGGED_EVERY), Some(42));
    }
}

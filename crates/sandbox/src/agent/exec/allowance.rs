//! How much of a stream is read in a second.

use std::time::{Duration, Instant};

use crate::limits::EXEC_FRAME_BYTES_MAX;

/// So many bytes at once, and as many more in each second.
pub(super) struct Allowance {
    per_second: usize,
    left: usize,
    counted_at: Instant,
}

impl Allowance {
    pub(super) fn new(per_second: usize) -> Self {
        Self {
            per_second,
            left: per_second,
            counted_at: Instant::now(),
        }
    }

    /// How long it is until a frame may be read. `None`: it may be now.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.counted_at);
        let earned = passed.as_micros() * self.per_second as u128 / 1_000_000;
        let earned = usize::try_from(earned).unwrap_or(usize::MAX);
        // What is less than a byte is earned later.
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(self.per_second);
            self.counted_at = now;
        }
        let lacking = EXEC_FRAME_BYTES_MAX.checked_sub(self.left)?;
        (lacking > 0).then(|| {
            let micros = (lacking as u64 * 1_000_000).div_ceil(self.per_second as u64);
            Duration::from_micros(micros)
        })
    }

    pub(super) fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_earned_again_and_not_saved_up() {
        let mut allowance = Allowance::new(1 << 20);
        let begin = allowance.counted_at;
        assert_eq!(allowance.pause(begin), None);
        allowance.spend(1 << 20);
        let pause = allowance.pause(begin).unwrap();
        assert_eq!(pause, Duration::from_micros(31_250));
        assert!(allowance.pause(begin + pause / 2).is_some());
        assert_eq!(allowance.pause(begin + pause), None);
        let much_later = begin + Duration::from_secs(3600);
        assert_eq!(allowance.pause(much_later), None);
        allowance.spend(1 << 20);
        assert!(allowance.pause(much_later).is_some());
    }
}

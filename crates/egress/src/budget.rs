//! A bound on how often something happens: so many at once, and so many in a second.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Budget {
    per_second: u32,
    at_once: u32,
    left: f64,
    counted_at: Instant,
}

impl Budget {
    pub(crate) fn new(per_second: u32, at_once: u32) -> Self {
        Self {
            per_second,
            at_once,
            left: f64::from(at_once),
            counted_at: Instant::now(),
        }
    }

    /// Takes one, or says how long it is until there is one.
    pub(crate) fn take(&mut self) -> Result<(), Duration> {
        let now = Instant::now();
        let earned = (now - self.counted_at).as_secs_f64() * f64::from(self.per_second);
        self.left = (self.left + earned).min(f64::from(self.at_once));
        self.counted_at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(
            (1.0 - self.left) / f64::from(self.per_second),
        ))
    }
}

//! Where time and new ids come from. Code that records facts is handed an [`Env`]; tests hand in
//! one whose clock and ids repeat.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hostler_protocol::Timestamp;

/// Time and ids. Cheap to clone; clones share the clock.
#[derive(Clone)]
pub struct Env {
    source: Source,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}

#[derive(Clone)]
enum Source {
    System,
    Fixed(Arc<Mutex<FixedSource>>),
    Told(Clock, Arc<Mutex<FixedSource>>),
}

/// Somebody who tells the time.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

#[derive(Debug)]
struct FixedSource {
    now: Timestamp,
    /// The state of a small generator (SplitMix64): tests want ids that repeat, not secrecy.
    random: u64,
}

impl Env {
    pub fn system() -> Self {
        Self {
            source: Source::System,
        }
    }

    /// A clock that stands still until [`Env::advance`], and ids that follow from `seed`.
    pub fn fixed(seed: u64) -> Self {
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        Self {
            source: Source::Fixed(Arc::new(Mutex::new(FixedSource { now, random: seed }))),
        }
    }

    /// The time that `clock` tells, as in a simulation, and ids that follow from `seed`.
    pub fn told(clock: impl Fn() -> Timestamp + Send + Sync + 'static, seed: u64) -> Self {
        let now = Timestamp::from_micros(0);
        let source = Arc::new(Mutex::new(FixedSource { now, random: seed }));
        Self {
            source: Source::Told(Arc::new(clock), source),
        }
    }

    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::System => system_now(),
            Source::Told(clock, _) => clock(),
            Source::Fixed(fixed) => fixed.lock().unwrap_or_else(PoisonError::into_inner).now,
        }
    }

    /// A new id: sortable by time of making, as far as the clock goes forward.
    pub fn id<T: From<uuid::Uuid>>(&self) -> T {
        match &self.source {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the place that others use"
            )]
            Source::System => uuid::Uuid::now_v7().into(),
            Source::Fixed(fixed) | Source::Told(_, fixed) => {
                let millis = u64::try_from(self.now().as_micros() / 1000).unwrap_or(0);
                let mut fixed = fixed.lock().unwrap_or_else(PoisonError::into_inner);
                let mut bytes = [0; 10];
                bytes[..8].copy_from_slice(&fixed.random().to_be_bytes());
                bytes[8..].copy_from_slice(&fixed.random().to_be_bytes()[..2]);
                uuid::Builder::from_unix_timestamp_millis(millis, &bytes)
                    .into_uuid()
                    .into()
            }
        }
    }

    /// A number from 0 to 1, for jitter.
    pub fn jitter(&self) -> f64 {
        let bits = match &self.source {
            Source::System => {
                let mut bytes = [0; 8];
                // No jitter is better than no server: a failing generator yields 0.
                let _ = aws_lc_rs::rand::fill(&mut bytes);
                u64::from_be_bytes(bytes)
            }
            Source::Fixed(fixed) | Source::Told(_, fixed) => fixed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .random(),
        };
        // 32 bits fit a float exactly.
        f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }

    /// Moves a fixed clock; no other can be moved.
    pub fn advance(&self, duration: Duration) {
        if let Source::Fixed(fixed) = &self.source {
            let mut fixed = fixed.lock().unwrap_or_else(PoisonError::into_inner);
            fixed.now = fixed.now.plus(duration);
        }
    }
}

impl FixedSource {
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the place that others use"
)]
fn system_now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_protocol::id::EventId;

    #[test]
    fn a_fixed_env_repeats() {
        let (one, two) = (Env::fixed(7), Env::fixed(7));
        assert_eq!(one.id::<EventId>(), two.id::<EventId>());
        assert_ne!(one.id::<EventId>(), one.id::<EventId>());
        let before = one.now();
        one.clone().advance(Duration::from_secs(1));
        assert_eq!(one.now().since(before), Duration::from_secs(1));
    }
}

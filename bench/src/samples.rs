//! What a series of measurements says: percentiles by the nearest rank, nothing interpolated.

use std::time::Duration;

use serde_json::{Value, json};

/// A series of durations in milliseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn push(&mut self, taken: Duration) {
        self.0.push(taken.as_secs_f64() * 1e3);
    }

    /// For differences, which noise can make negative.
    pub(crate) fn push_ms(&mut self, taken_ms: f64) {
        self.0.push(taken_ms);
    }

    pub(crate) fn extend(&mut self, other: &Samples) {
        self.0.extend_from_slice(&other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn summary(&self) -> Summary {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        Summary {
            n: sorted.len(),
            p50: rank(&sorted, 0.50),
            p95: rank(&sorted, 0.95),
            p99: rank(&sorted, 0.99),
            max: rank(&sorted, 1.0),
        }
    }
}

/// All in milliseconds; all zero when there is no sample, and `n` says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) n: usize,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Summary {
    pub(crate) fn json(&self) -> Value {
        json!({ "n": self.n, "p50_ms": self.p50, "p95_ms": self.p95, "p99_ms": self.p99, "max_ms": self.max })
    }
}

/// The smallest value that at least this share of all values doesn't exceed.
fn rank(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len() as f64).ceil() as usize;
    sorted
        .get(place.clamp(1, sorted.len().max(1)) - 1)
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut samples = Samples::default();
        for ms in (1..=200).rev() {
            samples.push(Duration::from_millis(ms));
        }
        let summary = samples.summary();
        let expected = Summary {
            n: 200,
            p50: 100.0,
            p95: 190.0,
            p99: 198.0,
            max: 200.0,
        };
        assert_eq!(summary, expected);
    }

    #[test]
    fn a_single_sample_is_every_percentile() {
        let mut samples = Samples::default();
        samples.push_ms(-3.0);
        let expected = Summary {
            n: 1,
            p50: -3.0,
            p95: -3.0,
            p99: -3.0,
            max: -3.0,
        };
        assert_eq!(samples.summary(), expected);
    }

    #[test]
    fn no_sample_is_told_by_the_count() {
        assert_eq!(Samples::default().summary().n, 0);
    }
}

//! What lists have in common: their order, and bounds on a moment.

use hostler_protocol::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// Bounds on a moment; all that are given hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    pub gt: Option<Timestamp>,
    pub gte: Option<Timestamp>,
    pub lt: Option<Timestamp>,
    pub lte: Option<Timestamp>,
}

impl TimeRange {
    pub(crate) fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// The first and the last microsecond that are inside.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        let micros = |moment: Option<Timestamp>| moment.map(Timestamp::as_micros);
        let after = micros(self.gt).map(|moment| moment.saturating_add(1));
        let before = micros(self.lt).map(|moment| moment.saturating_sub(1));
        let first = micros(self.gte).max(after).unwrap_or(i64::MIN);
        let last = [micros(self.lte), before].into_iter().flatten().min();
        (first, last.unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_bounds_hold() {
        let at = |micros| Some(Timestamp::from_micros(micros));
        assert_eq!(TimeRange::default().bounds(), (i64::MIN, i64::MAX));
        let range = TimeRange {
            gt: at(5),
            gte: at(3),
            lt: at(9),
            lte: at(20),
        };
        assert_eq!(range.bounds(), (6, 8));
        let range = TimeRange {
            gte: at(7),
            lte: at(8),
            ..range
        };
        assert_eq!(range.bounds(), (7, 8));
    }
}

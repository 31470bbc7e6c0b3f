//! An event with its place in the log.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::id::{EventId, ThreadId};
use crate::time::Timestamp;

/// A position in a session's log: 1, 2, 3, … without gaps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub i64);

impl Seq {
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Which holder of the session's lease wrote a row; 0 for clients. Grows with each take-over.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub i64);

impl Epoch {
    pub const CLIENT: Self = Self(0);
}

/// An event that is about to be appended: its id and time are known, its position is not.
#[derive(Debug, Clone)]
pub struct Draft {
    pub id: EventId,
    /// When it happened; on the wire `processed_at`.
    pub at: Timestamp,
    /// The child thread that it belongs to; `None` is the primary thread.
    pub thread: Option<ThreadId>,
    pub event: Event,
}

/// An event as it stands in the log.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub seq: Seq,
    pub epoch: Epoch,
    pub id: EventId,
    pub at: Timestamp,
    pub thread: Option<ThreadId>,
    pub event: Event,
}

impl Draft {
    pub fn recorded(self, seq: Seq, epoch: Epoch) -> Recorded {
        let Self {
            id,
            at,
            thread,
            event,
        } = self;
        Recorded {
            seq,
            epoch,
            id,
            at,
            thread,
            event,
        }
    }
}

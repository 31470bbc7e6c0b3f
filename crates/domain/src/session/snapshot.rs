//! A state as text, so that a fold can go on from there. It is a cache: the log is the truth, and a
//! snapshot that can't be read, or is of another format, is as good as none.
//!
//! **Invariant:** [`SNAPSHOT_FORMAT`] changes with what a fold makes of a log and with the form of a
//! [`State`]. The golden file of `tests/it/snapshot.rs` sees most of such changes; whoever makes one that it
//! does not see changes the number all the same.

use std::sync::Arc;

use hostler_protocol::event::Seq;

use super::sealed::{Earlier, Sealed};
use super::state::State;

/// What snapshots this version writes, and the only ones that it reads.
pub const SNAPSHOT_FORMAT: i64 = 4;

/// What is to be kept of a state.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The last row that is in it.
    pub seq: Seq,
    /// Everything but the sealed texts.
    pub body: String,
    /// Those are never changed: one that is kept already need not be written again.
    pub sealed: Vec<Sealed>,
    /// The number that the next of them will have.
    pub next_number: i64,
}

/// Why a snapshot is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("it can't be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("the part {number} of its conversation is missing")]
    NoText { number: i64 },
    #[error("it is of another position than it says")]
    Position,
}

impl State {
    /// # Errors
    /// None that is known of: a state has a JSON form.
    pub fn snapshot(&self) -> Result<Snapshot, SnapshotError> {
        let earlier = self.conversation.earlier.iter();
        let sealed = earlier.filter_map(|earlier| match earlier {
            Earlier::Sealed(sealed) => Some(sealed.clone()),
            Earlier::Message(_) => None,
        });
        Ok(Snapshot {
            seq: self.last_seq,
            body: serde_json::to_string(self)?,
            sealed: sealed.collect(),
            next_number: self.conversation.next_number,
        })
    }

    /// The state that the rows up to `seq` amount to. `text` answers the sealed text of a number.
    ///
    /// # Errors
    /// See [`SnapshotError`]: then the log is folded from its beginning.
    pub fn restore(
        seq: Seq,
        body: &str,
        mut text: impl FnMut(i64) -> Option<Arc<str>>,
    ) -> Result<Self, SnapshotError> {
        let mut state: Self = serde_json::from_str(body)?;
        if state.last_seq != seq {
            return Err(SnapshotError::Position);
        }
        for earlier in &mut state.conversation.earlier {
            if let Earlier::Sealed(sealed) = earlier {
                let number = sealed.number;
                sealed.json = text(number).ok_or(SnapshotError::NoText { number })?;
            }
        }
        Ok(state)
    }
}

//! The commands that the operator runs in the sandbox, and servers, so that no call takes one for its own: a
//! command that runs out of time, and a restart of the shell, end what they started and no visitor.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::reaper::Started;

/// Cheap to clone. Their number is bounded by those that may run.
#[derive(Clone, Default)]
pub(super) struct Visitors(Arc<Mutex<HashSet<i32>>>);

impl Visitors {
    /// Whoever asks meanwhile waits, and then knows of this one.
    pub(super) fn admit(&self, start: impl FnOnce() -> io::Result<Started>) -> io::Result<Started> {
        let mut visitors = self.lock();
        let started = start()?;
        visitors.insert(started.pid);
        Ok(started)
    }

    /// It has ended.
    pub(super) fn forget(&self, pid: i32) {
        self.lock().remove(&pid);
    }

    pub(super) fn now(&self) -> Vec<i32> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

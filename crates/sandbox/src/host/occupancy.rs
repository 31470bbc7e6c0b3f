//! Who is at which sandbox. Whoever opens, stops or destroys one has it alone; one that
//! somebody uses is not stopped.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::name::SandboxName;

/// Cheap to clone. A name is in it only while somebody is there.
#[derive(Clone, Default)]
pub(super) struct Occupancy {
    entries: Arc<Mutex<HashMap<SandboxName, Entry>>>,
}

#[derive(Default)]
struct Entry {
    /// It is held across awaits, which is its purpose: the second to open a sandbox waits for
    /// the first.
    lock: Arc<tokio::sync::Mutex<()>>,
    /// Those who have the lock or wait for it.
    claims: usize,
    uses: usize,
}

/// One sandbox, for its holder alone.
pub(super) struct Claim {
    /// Given back before the entry may go: fields are dropped in this order.
    _guard: OwnedMutexGuard<()>,
    _waiting: Waiting,
}

struct Waiting(Occupancy, SandboxName);

/// As long as this exists, its sandbox is not stopped. Every [`super::Sandbox`] holds one.
pub struct SandboxUse(Occupancy, SandboxName);

impl Occupancy {
    pub(super) async fn claim(&self, name: &SandboxName) -> Claim {
        let lock = {
            let mut entries = self.entries();
            let entry = entries.entry(name.clone()).or_default();
            entry.claims += 1;
            Arc::clone(&entry.lock)
        };
        // Made before the wait, so that giving up the wait is noticed.
        let waiting = Waiting(self.clone(), name.clone());
        Claim {
            _guard: lock.lock_owned().await,
            _waiting: waiting,
        }
    }

    pub(super) fn hold(&self, name: &SandboxName) -> SandboxUse {
        self.entries().entry(name.clone()).or_default().uses += 1;
        SandboxUse(self.clone(), name.clone())
    }

    pub(super) fn is_used(&self, name: &SandboxName) -> bool {
        self.entries().get(name).is_some_and(|entry| entry.uses > 0)
    }

    /// Whether anybody but the holder of a claim uses the sandbox or waits for it.
    pub(super) fn is_wanted(&self, name: &SandboxName) -> bool {
        let wants = |entry: &Entry| entry.uses > 0 || entry.claims > 1;
        self.entries().get(name).is_some_and(wants)
    }

    fn leave(&self, name: &SandboxName, what: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(name) else {
            return;
        };
        what(entry);
        if entry.claims == 0 && entry.uses == 0 {
            entries.remove(name);
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<SandboxName, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.leave(&self.1, |entry| entry.claims -= 1);
    }
}

impl Drop for SandboxUse {
    fn drop(&mut self) {
        self.0.leave(&self.1, |entry| entry.uses -= 1);
    }
}

impl fmt::Debug for SandboxUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SandboxUse").field(&self.1.as_str()).finish()
    }
}

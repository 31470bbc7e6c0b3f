//! The sandboxes that have answered this server, so that a call to one need not ask again.
//!
//! Only a memory of what was seen: whether the process is still there is looked at each time,
//! and whoever loses a sandbox during a call says so, after which it is asked before it is used.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::name::SandboxName;

/// Cheap to clone. A name goes when its sandbox is stopped or destroyed, so there are as many as
/// the host has sandboxes.
#[derive(Clone, Default)]
pub(super) struct Living(Arc<Mutex<HashSet<SandboxName>>>);

impl Living {
    pub(super) fn remember(&self, name: &SandboxName) {
        self.lock().insert(name.clone());
    }

    pub(super) fn forget(&self, name: &SandboxName) {
        self.lock().remove(name);
    }

    pub(super) fn has(&self, name: &SandboxName) -> bool {
        self.lock().contains(name)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<SandboxName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

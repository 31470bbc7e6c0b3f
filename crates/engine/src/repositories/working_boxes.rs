//! The sandboxes that clone and check out: what they are called, and which are at work.
//!
//! One that is at work for nobody is left of a server that ended, or of somebody who gave up
//! waiting: a sweep throws it away, and whoever needs its name does so before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_protocol::id::ResourceId;
use hostler_sandbox::{SandboxError, SandboxName};

/// Before the key of a mirror, and before the id of a resource.
const CLONE: &str = "clone_";
const CHECKOUT: &str = "checkout_";

#[derive(Default)]
pub(super) struct WorkingBoxes(Arc<Mutex<HashMap<SandboxName, usize>>>);

/// As long as this exists, the sandbox of this name is at work.
pub(super) struct AtWork {
    names: Arc<Mutex<HashMap<SandboxName, usize>>>,
    name: SandboxName,
}

/// Whether a sandbox of this name clones or checks out.
pub(crate) fn is_one(name: &SandboxName) -> bool {
    let name = name.as_str();
    name.starts_with(CLONE) || name.starts_with(CHECKOUT)
}

pub(super) fn clone_name(mirror: &SandboxName) -> Result<SandboxName, SandboxError> {
    named(format!("{CLONE}{mirror}"))
}

pub(super) fn checkout_name(repository: ResourceId) -> Result<SandboxName, SandboxError> {
    named(format!("{CHECKOUT}{repository}"))
}

pub(super) fn named(name: String) -> Result<SandboxName, SandboxError> {
    name.parse().map_err(|error| SandboxError::Refused {
        reason: format!("{error}"),
    })
}

impl WorkingBoxes {
    pub(super) fn enter(&self, name: SandboxName) -> AtWork {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *names.entry(name.clone()).or_default() += 1;
        drop(names);
        AtWork {
            names: Arc::clone(&self.0),
            name,
        }
    }

    pub(super) fn has(&self, name: &SandboxName) -> bool {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.contains_key(name)
    }
}

impl AtWork {
    pub(super) fn name(&self) -> &SandboxName {
        &self.name
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = names.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                names.remove(&self.name);
            }
        }
    }
}

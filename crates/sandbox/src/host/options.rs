//! What a host is made with.

use std::path::PathBuf;
use std::time::Duration;

use super::backend::Backend;
use crate::disk::DiskChoice;
use crate::limits::{Limits, ORPHAN_CHECK_DEFAULT};
use crate::spec::{NetworkAccess, Spec};
use crate::tier::Tier;

#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Belongs to this server alone; made if it does not exist.
    pub state_dir: PathBuf,
    pub backend: Backend,
    /// The server's own binary: it is called with the argument `sandbox-init`.
    pub launcher: PathBuf,
    /// For a server that is root: the first of the ids of the host that sandboxes get, 65,536
    /// each. 0: root inside is root itself, which only makes sense within a container that is
    /// isolated already.
    pub uid_base: u32,
    pub limits: Limits,
    /// What bounds the files of a new sandbox. One that is there keeps what it was made with.
    pub disk: DiskChoice,
    /// Sandboxes that are made ahead, at most [`crate::POOL_MAX`]; somebody has to call
    /// [`crate::SandboxHost::make_ahead`] for it. Only those that are isolated are.
    pub pool: usize,
    /// What the sandbox that proves that there can be any is made with: all that is asked for
    /// later should be in it.
    pub probe: Spec,
    /// Less than this is not accepted: the host refuses to start.
    pub require: Option<Tier>,
    /// How often a sandbox looks whether its directory still exists, where the kernel does not
    /// tell: outside of namespaces of its own. One whose directory was deleted belongs to nobody
    /// any more and ends itself.
    pub orphan_check: Duration,
}

impl HostOptions {
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            backend: Backend::Local,
            launcher: "/proc/self/exe".into(),
            uid_base: 300_000,
            limits: Limits::default(),
            disk: DiskChoice::Auto,
            pool: 0,
            probe: Spec {
                network: NetworkAccess::Gateway,
                ..Spec::default()
            },
            require: None,
            orphan_check: ORPHAN_CHECK_DEFAULT,
        }
    }
}

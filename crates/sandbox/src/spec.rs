//! What one sandbox is made with, beyond what is the same for all of a host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host::Keepsake;
use crate::packages::Packages;
use crate::root::Root;
use crate::upload_link::UploadLink;

/// Read whenever the processes of a sandbox are started; those that run go on as they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Only what is isolated has one of its own.
    #[serde(default)]
    pub root: Root,
    /// The same for two roots of the same layers, wherever a host has these. `None`: nobody knows.
    #[serde(default)]
    pub identity: Option<String>,
    #[serde(default)]
    pub packages: Packages,
    /// Variables that each new shell starts with; `PATH` may be one of them.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Paths of uploads that are good besides those below `/mnt/session/uploads`.
    #[serde(default)]
    pub upload_links: Vec<UploadLink>,
    #[serde(default)]
    pub network: NetworkAccess,
    /// Variables besides, which stand on no record: each start may have others.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The certificate, as PEM, of an authority that programs inside trust besides those of the root.
    #[serde(default)]
    pub authority: Option<String>,
    /// Stays with the host, see [`crate::SandboxHost::keepsake`].
    #[serde(skip)]
    pub keepsake: Option<Keepsake>,
}

impl Spec {
    pub(crate) fn all_variables(&self) -> BTreeMap<String, String> {
        let mut all = self.environment.clone();
        all.extend(self.variables.clone());
        all
    }
}

/// Whether anything but itself can be reached from inside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkAccess {
    #[default]
    None,
    /// All that leaves arrives at the sockets of [`crate::Sandbox::gateway_sockets`]. As long as
    /// nobody serves those, it waits there.
    Gateway,
}

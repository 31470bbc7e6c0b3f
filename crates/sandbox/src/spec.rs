//! What one sandbox is made with, beyond what is the same for all of a host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::root::Root;
use crate::upload_link::UploadLink;

/// Read whenever the processes of a sandbox are started; those that run go on as they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Only what is isolated has one of its own.
    #[serde(default)]
    pub root: Root,
    /// Variables that each new shell starts with; `PATH` may be one of them.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Paths of uploads that are good besides those below `/mnt/session/uploads`.
    #[serde(default)]
    pub upload_links: Vec<UploadLink>,
}

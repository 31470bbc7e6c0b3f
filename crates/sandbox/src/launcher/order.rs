//! What the host asks of a launcher, and what it hears back.
//!
//! Both travel over a connection of their own, never in arguments or the environment: those of the sandbox's
//! first process can be read inside the sandbox.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::isolation::{IsolationReport, Mode, Network};
use crate::limits::Limits;
use crate::spec::Spec;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaunchOrder {
    /// The sandbox's own directory, laid out by the host.
    pub(crate) directory: PathBuf,
    pub(crate) mode: Mode,
    /// The host uid of the sandbox's root, the first of its range. 0: the server's own.
    pub(crate) uid_base: u32,
    pub(crate) limits: Limits,
    pub(crate) spec: Spec,
    pub(crate) files_in: FilesIn,
    /// The directory of all sandboxes of this host, whose the cgroups are.
    pub(crate) state_dir: PathBuf,
    /// The name of the cgroups to make, unique on the host.
    pub(crate) cgroup_name: String,
    /// How often the sandbox looks whether its directory still exists.
    pub(crate) orphan_check: Duration,
}

/// Where the files are that the sandbox writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FilesIn {
    /// In the sandbox's directory.
    Directory,
    /// In a file system of their own, see [`crate::disk`].
    Image,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum LaunchAnswer {
    Ready { isolation: IsolationReport },
    Failed { reason: String },
}

/// What the new sandbox tells its launcher, over their socket pair.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ChildAnswer {
    Ready {
        landlock_abi: Option<u32>,
        network: Network,
    },
    Failed {
        reason: String,
    },
}

/// A step that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub(crate) struct Refused {
    step: String,
    source: std::io::Error,
}

pub(crate) trait At<T> {
    /// Names the step that failed.
    fn at(self, step: &str) -> Result<T, Refused>;
}

impl<T, E: Into<std::io::Error>> At<T> for Result<T, E> {
    fn at(self, step: &str) -> Result<T, Refused> {
        self.map_err(|error| Refused {
            step: step.to_owned(),
            source: error.into(),
        })
    }
}

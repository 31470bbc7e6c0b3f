//! How much separates a sandbox from its host, in one word, and what is missing for more.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Unavailable;
use crate::isolation::{DiskLimit, IsolationReport, LimitSource, Mode, Network, UserNamespace};

/// The higher, the more. Each has what the one below it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Nothing: commands may do what the server may.
    None,
    /// File system, processes and network of its own, and a filter in front of the kernel.
    Restricted,
    /// Memory and processes of the whole sandbox are bounded.
    User,
    /// User ids that own nothing outside, a bounded disk, and Landlock as a second line.
    Full,
}

/// A layer that is not there, and how to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub what: &'static str,
    pub how: &'static str,
}

impl Tier {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Restricted => "restricted",
            Self::User => "user",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl IsolationReport {
    pub fn tier(&self) -> Tier {
        [Tier::Full, Tier::User, Tier::Restricted]
            .into_iter()
            .find(|tier| self.missing_for(*tier).is_empty())
            .unwrap_or(Tier::None)
    }

    /// What this host would have to give for `tier`, the most fundamental first.
    pub fn missing_for(&self, tier: Tier) -> Vec<Missing> {
        let layers = [
            (Tier::Restricted, self.is_isolated(), ISOLATION),
            (Tier::Restricted, self.seccomp, SECCOMP),
            (Tier::Restricted, self.no_new_privileges, PRIVILEGES),
            (Tier::Restricted, self.network != Network::Host, NETWORK),
            (Tier::User, is_whole(self.memory_limit), MEMORY),
            (Tier::User, is_whole(self.process_limit), PROCESSES),
            (Tier::Full, self.has_own_ids(), USER_IDS),
            (Tier::Full, self.disk_limit == DiskLimit::Image, DISK),
            (Tier::Full, self.inode_limit == DiskLimit::Image, FILES),
            (Tier::Full, self.landlock_abi.is_some(), LANDLOCK),
        ];
        layers
            .into_iter()
            .filter(|(of, is_there, _)| *of <= tier && !is_there)
            .map(|(_, _, (what, how))| Missing { what, how })
            .collect()
    }

    /// Refuses with what is missing and how to get it.
    pub(crate) fn demand(&self, required: Tier) -> Result<(), Unavailable> {
        let missing = self.missing_for(required);
        if missing.is_empty() {
            return Ok(());
        }
        let what: Vec<_> = missing.iter().map(|layer| layer.what).collect();
        let mut how: Vec<_> = missing.iter().map(|layer| layer.how).collect();
        how.dedup();
        Err(Unavailable {
            reason: format!(
                "sandbox.require asks for the tier {required}, and this host gives {}; missing: {}",
                self.tier(),
                what.join(", ")
            ),
            hint: how.join("; "),
        })
    }

    fn is_isolated(&self) -> bool {
        self.mode != Mode::UnsafeProcess
    }

    fn has_own_ids(&self) -> bool {
        matches!(self.user_namespace, UserNamespace::Range { .. })
    }
}

fn is_whole(source: LimitSource) -> bool {
    matches!(source, LimitSource::CgroupV1 | LimitSource::CgroupV2)
}

const IMAGE: &str = "run the server as root with loop devices and e2fsprogs, and sandbox.disk at \
     \"auto\" or \"image\"";

type Layer = (&'static str, &'static str);

const ISOLATION: Layer = ("isolation", "set sandbox.mode to \"isolated\"");
const SECCOMP: Layer = (
    "a filter of system calls",
    "use a kernel with CONFIG_SECCOMP_FILTER",
);
const PRIVILEGES: Layer = (
    "the ban on new privileges",
    "use a container engine that sets no-new-privileges",
);
const NETWORK: Layer = ("a network of its own", "set sandbox.mode to \"isolated\"");
const MEMORY: Layer = (
    "a bound on the memory of a whole sandbox",
    "run the server as root, or as a systemd service with Delegate=yes and \
     DelegateSubgroup=hostler-server",
);
const PROCESSES: Layer = (
    "a bound on the processes of a whole sandbox",
    "run the server as root, or as a systemd service with Delegate=yes and \
     DelegateSubgroup=hostler-server",
);
const USER_IDS: Layer = (
    "user ids that own nothing outside",
    "run the server as root with sandbox.uid_base above 0",
);
const DISK: Layer = ("a bound on the disk of a whole sandbox", IMAGE);
const FILES: Layer = ("a bound on the number of its files", IMAGE);
const LANDLOCK: Layer = (
    "Landlock",
    "use Linux 5.13 or newer with landlock in its list of security modules",
);

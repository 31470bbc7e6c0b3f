//! Where the processes of an opened sandbox come from, and what was lost since it was used last.

use serde::{Deserialize, Serialize};

/// Whether an opened sandbox is the one that was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// New, with empty directories.
    Created,
    /// It was running, and its shell is as it was left. What was lost before, and nobody was told
    /// yet, is in [`crate::Opened::news`].
    Attached,
    /// It had been stopped on purpose. Its files are there, and its shell starts as it was left,
    /// except for these.
    Restored(Losses),
    /// Its files were there and its processes were gone: the state of its shell and all
    /// background jobs are lost. The model should be told.
    Replaced,
    /// The machine that it ran on was lost, or what ran it: its processes are gone, and its files
    /// are as they were when it was stopped last. The model should be told.
    Lost,
    /// It had been kept as long as it may be: its files are gone too. The model should be told.
    Expired,
}

/// What a stop took away. It is told by the sandbox itself, so it is good for a message only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    /// Directory, variables, functions and options of the shell could not be kept.
    pub shell: bool,
    /// Something still ran.
    pub processes: bool,
    /// There were files in `/tmp`.
    pub temporary_files: bool,
}

impl Losses {
    pub const EVERYTHING: Self = Self {
        shell: true,
        processes: true,
        temporary_files: true,
    };

    pub(crate) fn and(self, more: Self) -> Self {
        Self {
            shell: self.shell || more.shell,
            processes: self.processes || more.processes,
            temporary_files: self.temporary_files || more.temporary_files,
        }
    }
}

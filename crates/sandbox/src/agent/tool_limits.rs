//! What holds for the shell and all that it starts, and not for the agent beside it.

use std::os::fd::OwnedFd;
use std::process::Command;

use crate::sys::command::limit_tools;

/// The agent keeps some processes for itself: when tools have used up theirs, it still answers.
#[derive(Default)]
pub(crate) struct ToolLimits {
    /// Files that take a process into a cgroup.
    pub(crate) cgroups: Vec<OwnedFd>,
    pub(crate) processes: Option<u64>,
}

impl ToolLimits {
    pub(super) fn apply(&self, command: &mut Command) {
        limit_tools(command, &self.cgroups, self.processes);
    }
}

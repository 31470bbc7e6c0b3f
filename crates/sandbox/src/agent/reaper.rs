//! Collects every child that ends, whoever's it was, and remembers those asked about.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::tool_limits::ToolLimits;
use super::visitors::Visitors;
use rustix::process::{Pid, PidfdFlags, WaitOptions, WaitStatus, pidfd_open, wait};

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Exit(i32),
    Signal(i32),
}

/// A child, and a descriptor that becomes readable when it ends.
pub(super) struct Started {
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
}

pub(super) struct Reaper {
    limits: ToolLimits,
    visitors: Visitors,
    /// Children that somebody will ask about; the end is `None` while they live.
    children: Mutex<HashMap<i32, Option<End>>>,
    changed: Condvar,
}

impl Reaper {
    pub(super) fn new(limits: ToolLimits) -> Self {
        Self {
            limits,
            visitors: Visitors::default(),
            children: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Starts a child whose end can be waited for. The lock is held throughout: a child that
    /// ends at once must not be reaped before it is known, nor one whose exec failed, which
    /// `Command` waits for itself.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Started> {
        self.limits.apply(command);
        let mut children = self.lock();
        let mut child = command.spawn()?;
        let pid = child.id().cast_signed();
        let opened = Pid::from_raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
        let Some(Ok(pidfd)) = opened else {
            child.kill()?;
            return Err(io::Error::other("its end could not be watched for"));
        };
        // When memory runs out, what runs here goes before the agent does. Inherited by all that
        // the child starts; best effort, since not every kernel lets us.
        let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "500");
        children.insert(pid, None);
        Ok(Started { pid, pidfd })
    }

    /// The same for a command of the operator or a server, which is none of the agent's calls' to end.
    pub(super) fn spawn_visitor(&self, command: &mut Command) -> io::Result<Started> {
        self.visitors.admit(|| self.spawn(command))
    }

    /// The commands of the operator that run now.
    pub(super) fn visitors(&self) -> Visitors {
        self.visitors.clone()
    }

    /// Waits for the end of a child that [`Reaper::spawn`] started, and forgets it.
    pub(super) fn wait(&self, pid: i32) -> End {
        let mut children = self.lock();
        loop {
            if let Some(end) = children.get(&pid).copied().flatten() {
                children.remove(&pid);
                return end;
            }
            children = self
                .changed
                .wait(children)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn reap(&self) {
        let mut children = self.lock();
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(child) = children.get_mut(&pid.as_raw_nonzero().get()) {
                *child = Some(End::of(status));
            }
        }
        drop(children);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Option<End>>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl End {
    fn of(status: WaitStatus) -> Self {
        match status.exit_status() {
            Some(code) => Self::Exit(code),
            None => Self::Signal(status.terminating_signal().unwrap_or_default()),
        }
    }
}

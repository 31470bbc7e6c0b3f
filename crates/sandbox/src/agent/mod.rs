//! The agent: the first process of a sandbox. It serves tool calls and reaps zombies.
//!
//! One thread accepts connections and collects ended children, one owns the shell, and each
//! connection has its own, up to a limit. An agent whose directory on the host was deleted
//! ends itself. The agent is part of the sandbox: the host believes nothing that it says
//! without checking.

mod bash_result;
mod calls;
mod collector;
mod connection;
mod door;
mod exec;
mod gateway_sockets;
mod orphan;
mod process_tree;
mod reaper;
mod shell;
pub(crate) mod shell_memory;
mod shell_output;
mod shell_owner;
mod shell_queue;
mod shell_rest;
mod tool_limits;
mod visitors;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags};

use self::calls::Calls;
use self::connection::Connections;
pub(crate) use self::door::Door;
use self::exec::Execs;
pub(crate) use self::gateway_sockets::GatewaySockets;
pub(crate) use self::orphan::{MountWatch, OrphanCheck};
use self::reaper::Reaper;
use self::shell_memory::ShellMemory;
use self::shell_owner::ShellOwner;
use crate::isolation::Network;
use crate::sys::process::{child_signals, exit_now};

use self::collector::SpillDirectory;
pub(crate) use self::tool_limits::ToolLimits;

/// Where things are, as this process sees them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Relative paths of tools start here; so does a new shell.
    pub(crate) workspace: PathBuf,
    pub(crate) home: PathBuf,
    /// Where outputs go that are too long for a result.
    pub(crate) spill: PathBuf,
    /// Variables that a new shell starts with.
    pub(crate) environment: BTreeMap<String, String>,
}

impl Places {
    pub(crate) fn isolated(environment: BTreeMap<String, String>) -> Self {
        Self {
            workspace: "/workspace".into(),
            home: "/root".into(),
            spill: "/tmp/tool_outputs".into(),
            environment,
        }
    }
}

pub(crate) struct Agent {
    door: Door,
    signals: OwnedFd,
    reaper: Arc<Reaper>,
    connections: Connections,
    orphan_check: OrphanCheck,
}

impl Agent {
    /// Starts no thread that outlives an error: the owner of the shell is the last step.
    pub(crate) fn new(
        door: impl Into<Door>,
        places: Places,
        memory: ShellMemory,
        network: Network,
        gateway: GatewaySockets,
        orphan_check: OrphanCheck,
        tool_limits: ToolLimits,
    ) -> io::Result<Self> {
        let signals = child_signals()?;
        let reaper = Arc::new(Reaper::new(tool_limits));
        let calls = Arc::new(Calls::default());
        let shell = ShellOwner::start(
            places.clone(),
            memory,
            network,
            Arc::clone(&reaper),
            Arc::clone(&calls),
        )?;
        let execs = Execs::new(places.clone(), network, Arc::clone(&reaper));
        let connections = Connections::new(places, shell, calls, execs, gateway);
        Ok(Self {
            door: door.into(),
            signals,
            reaper,
            connections,
            orphan_check,
        })
    }

    /// Until a shutdown request, a signal or the loss of its directory ends this process.
    pub(crate) fn serve(mut self) -> ! {
        loop {
            let mut waiting = vec![
                PollFd::new(&self.signals, PollFlags::IN),
                PollFd::new(&self.door, PollFlags::IN),
            ];
            let watch = self.orphan_check.watch();
            waiting.extend(watch.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::PRI)));
            let until_check = self.orphan_check.time_left();
            if rustix::event::poll(&mut waiting, until_check.as_ref()).is_err() {
                // Interrupted; what there is to do is still there.
                continue;
            }
            let came = |position: usize| {
                let waited_for = waiting.get(position);
                waited_for.is_some_and(|fd| !fd.revents().is_empty())
            };
            let [children, calls, watch_told] = [0, 1, 2].map(came);
            if self.orphan_check.finds_orphan(watch_told) {
                self.connections.end();
            }
            if children {
                self.forget_signals();
                self.reaper.reap();
            }
            if calls {
                match self.door.accept() {
                    Ok(stream) => self.connections.attend(stream),
                    // Without descriptors or memory left this would spin: the sandbox has
                    // used up what it may, and a new one is better than a busy one.
                    Err(error) if error.kind() != io::ErrorKind::Interrupted => exit_now(1),
                    Err(_) => {}
                }
            }
        }
    }

    fn forget_signals(&self) {
        let mut buffer = [0; 1024];
        while rustix::io::read(self.signals.as_fd(), &mut buffer).is_ok_and(|length| length > 0) {}
    }
}

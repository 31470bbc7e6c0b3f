//! Where calls wait for the shell, and what its owner tells them.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::calls::Call;
use super::process_tree::Census;
use crate::provenance::Losses;
use crate::tool::Tool;

/// What is asked of the shell.
pub(super) enum Work {
    Tool {
        call: Arc<Call>,
        tool: Tool,
    },
    /// To keep its state, since it will end.
    Rest {
        /// Whoever asks; if it is gone, nobody wants that any more.
        host: UnixStream,
        losses: SyncSender<Losses>,
    },
}

/// Where calls wait for the shell. Their number is that of the open calls and connections.
#[derive(Clone)]
pub(super) struct ShellHandle(pub(super) Arc<Queue>);

pub(super) struct Queue {
    pub(super) work: Mutex<VecDeque<Work>>,
    pub(super) wake: OwnedFd,
}

impl ShellHandle {
    pub(super) fn submit(&self, call: Arc<Call>, tool: Tool) {
        self.0.push(Work::Tool { call, tool });
    }

    pub(super) fn rest(&self, host: UnixStream) -> Receiver<Losses> {
        let (losses, receiver) = sync_channel(1);
        self.0.push(Work::Rest { host, losses });
        receiver
    }

    /// For the end of the agent: in a sandbox without its own pid namespace, children would
    /// otherwise outlive it.
    pub(super) fn kill_everything(&self) {
        Census::default().kill_born_since(None);
    }
}

impl Queue {
    pub(super) fn lock(&self) -> MutexGuard<'_, VecDeque<Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, work: Work) {
        self.lock().push_back(work);
        // Full means that it is awake.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

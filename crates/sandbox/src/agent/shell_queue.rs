//! Where calls wait for the shell, and what its owner tells them.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::process_tree::Census;
use crate::output::Output;
use crate::provenance::Losses;
use crate::tool::Tool;

/// What is asked of the shell.
pub(super) enum Work {
    Tool {
        id: String,
        tool: Tool,
    },
    /// To keep its state, since it will end.
    Rest,
}

pub(super) enum Progress {
    /// The call left the queue.
    Started,
    Done(Output),
    Resting(Losses),
}

/// Where calls wait for the shell. Their number is that of the connections.
#[derive(Clone)]
pub(super) struct ShellHandle(pub(super) Arc<Queue>);

pub(super) struct Queue {
    pub(super) jobs: Mutex<VecDeque<Job>>,
    pub(super) wake: OwnedFd,
}

pub(super) struct Job {
    pub(super) work: Work,
    /// Watched for the hang-up that cancels.
    pub(super) client: UnixStream,
    pub(super) progress: SyncSender<Progress>,
}

impl ShellHandle {
    pub(super) fn submit(&self, work: Work, client: UnixStream) -> Receiver<Progress> {
        let (progress, receiver) = sync_channel(2);
        self.0.lock().push_back(Job {
            work,
            client,
            progress,
        });
        self.0.wake();
        receiver
    }

    /// For the end of the agent: in a sandbox without its own pid namespace, children would
    /// otherwise outlive it.
    pub(super) fn kill_everything(&self) {
        Census::default().kill_born_since(None);
    }
}

impl Queue {
    pub(super) fn lock(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // Full means that it is awake.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

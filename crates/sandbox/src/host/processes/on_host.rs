//! Processes of this machine: in namespaces of their own, or plain ones.

use std::io;
use std::path::Path;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::super::agent_socket::AgentSocket;
use super::super::connection::answers_ping;
use super::super::launch::Launcher;
use super::super::process;
use crate::error::SandboxError;
use crate::isolation::{IsolationReport, Mode};
use crate::launcher::order::LaunchOrder;
use crate::launcher::record::ProcessRecord;
use crate::limits::{LAUNCHES_MAX, PROTOCOL_VERSION};

pub(in super::super) struct OnHost {
    pub(super) mode: Mode,
    pub(super) launcher: Launcher,
    pub(super) uid_base: u32,
    /// Launches that may be under way.
    pub(super) launches: Semaphore,
    /// Told of the end of each.
    pub(super) ended: Notify,
}

impl OnHost {
    pub(super) async fn launch(
        &self,
        order: &LaunchOrder,
    ) -> Result<IsolationReport, SandboxError> {
        let Ok(turn) = self.launches.acquire().await else {
            return Err(SandboxError::lost("the server is closing"));
        };
        let _turn = Turn(Some(turn), &self.ended);
        self.launcher.launch(order).await
    }

    /// Waits until none is under way.
    pub(super) async fn launches_rest(&self) {
        loop {
            let ended = self.ended.notified();
            if self.launches.available_permits() == LAUNCHES_MAX {
                return;
            }
            ended.await;
        }
    }

    pub(super) async fn end(&self, directory: &Path, cgroup_name: &str) -> io::Result<()> {
        process::end(directory, self.mode, cgroup_name).await
    }

    pub(super) fn uid_base(&self) -> Option<u32> {
        let is_root = rustix::process::geteuid().is_root();
        let isolated = self.mode == Mode::Isolated;
        (isolated && is_root && self.uid_base > 0).then_some(self.uid_base)
    }
}

/// Of a launch that is under way.
struct Turn<'a>(Option<SemaphorePermit<'a>>, &'a Notify);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Before others are told.
        self.0 = None;
        self.1.notify_waiters();
    }
}

pub(super) async fn are_running(directory: &Path) -> bool {
    let Ok(Some(record)) = ProcessRecord::load(directory) else {
        return false;
    };
    if record.protocol != PROTOCOL_VERSION || record.living_process().is_none() {
        return false;
    }
    match AgentSocket::in_directory(directory) {
        Ok(agent) => answers_ping(&agent).await,
        Err(_) => false,
    }
}

pub(super) fn seem_alive(directory: &Path) -> bool {
    let record = ProcessRecord::load(directory).ok().flatten();
    record.is_some_and(|record| record.living_process().is_some())
}

pub(super) fn were_launched(directory: &Path) -> bool {
    ProcessRecord::was_ready(directory)
}

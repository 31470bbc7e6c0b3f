//! What makes the processes of a sandbox, says whether they are there, and ends them: the part
//! of a host that differs between backends. Files, names and calls are the same for all.

mod on_host;

use std::io;
use std::path::Path;

use tokio::sync::Semaphore;

use self::on_host::OnHost;
use super::{Backend, HostOptions};
use crate::error::SandboxError;
use crate::isolation::{IsolationReport, Mode};
use crate::launcher::order::LaunchOrder;
use crate::limits::LAUNCHES_MAX;

pub(super) enum Processes {
    /// Children of this machine's init, made by the launcher.
    OnHost(OnHost),
}

impl Processes {
    pub(super) fn of(options: &HostOptions) -> Self {
        let mode = options.backend.mode();
        match &options.backend {
            Backend::Local | Backend::UnsafeProcess => Self::OnHost(OnHost {
                mode,
                launcher: options.launcher.clone(),
                uid_base: options.uid_base,
                launches: Semaphore::new(LAUNCHES_MAX),
            }),
        }
    }

    /// Starts the first process of a sandbox that has none, and waits until it takes calls.
    pub(super) async fn launch(
        &self,
        order: &LaunchOrder,
    ) -> Result<IsolationReport, SandboxError> {
        match self {
            Self::OnHost(on_host) => on_host.launch(order).await,
        }
    }

    /// Whether the first process is there, is ours, and takes calls.
    pub(super) async fn are_running(&self, directory: &Path) -> bool {
        match self {
            Self::OnHost(_) => on_host::are_running(directory).await,
        }
    }

    /// Whether the first process is there, for a list: cheap, and without asking it.
    pub(super) fn seem_alive(&self, directory: &Path) -> bool {
        match self {
            Self::OnHost(_) => on_host::seem_alive(directory),
        }
    }

    /// Whether a sandbox with this directory was ever launched.
    pub(super) fn were_launched(&self, directory: &Path) -> bool {
        match self {
            Self::OnHost(_) => on_host::were_launched(directory),
        }
    }

    /// Ends all of them. `unique_name` is what the sandbox is called on this machine. None left
    /// is fine.
    pub(super) async fn end(&self, directory: &Path, unique_name: &str) -> io::Result<()> {
        match self {
            Self::OnHost(on_host) => on_host.end(directory, unique_name).await,
        }
    }

    /// Where the ids of sandboxes begin on the host, if they have others than the server.
    pub(super) fn uid_base(&self) -> Option<u32> {
        match self {
            Self::OnHost(on_host) => on_host.uid_base(),
        }
    }
}

impl Backend {
    pub const fn mode(&self) -> Mode {
        match self {
            Self::Local => Mode::Isolated,
            Self::UnsafeProcess => Mode::UnsafeProcess,
        }
    }
}

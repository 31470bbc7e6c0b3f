//! What makes the processes of a sandbox, says whether they are there, and ends them: the part
//! of a host that differs between backends. Files, names and calls are the same for all.

mod containers;
mod on_host;

use std::io;
use std::path::Path;

use tokio::sync::Semaphore;

use self::containers::Containers;
pub(super) use self::containers::stop_blocking as stop_container;
use self::on_host::OnHost;
use super::agent_socket::AgentSocket;
use super::launch::Launcher;
use super::state_dir::StateDir;
use super::{Backend, HostOptions};
use crate::error::{SandboxError, Unavailable};
use crate::isolation::IsolationReport;
use crate::launcher::order::LaunchOrder;
use crate::limits::LAUNCHES_MAX;
use crate::name::SandboxName;

pub(super) enum Processes {
    /// Children of this machine's init, made by the launcher.
    OnHost(OnHost),
    /// Those of a container engine.
    InContainers(Containers),
}

impl Processes {
    pub(super) async fn start(
        options: &HostOptions,
        state: &StateDir,
    ) -> Result<Self, Unavailable> {
        let mode = options.backend.mode();
        match &options.backend {
            Backend::Local | Backend::UnsafeProcess => Ok(Self::OnHost(OnHost {
                mode,
                launcher: Launcher::new(options.launcher.clone()),
                uid_base: options.uid_base,
                launches: Semaphore::new(LAUNCHES_MAX),
            })),
            Backend::Docker(docker) => {
                let containers = Containers::start(docker, options, state).await;
                let containers = containers.map_err(|error| Unavailable {
                    reason: error.to_string(),
                    hint: options.backend.hint(),
                });
                Ok(Self::InContainers(containers?))
            }
        }
    }

    /// Starts the first process of a sandbox that has none, and waits until it takes calls.
    pub(super) async fn launch(
        &self,
        order: &LaunchOrder,
        name: &SandboxName,
    ) -> Result<IsolationReport, SandboxError> {
        match self {
            Self::OnHost(on_host) => on_host.launch(order).await,
            Self::InContainers(containers) => containers.launch(order, name.as_str()).await,
        }
    }

    /// Whether the first process is there, is ours, and takes calls.
    pub(super) async fn are_running(&self, directory: &Path) -> bool {
        match self {
            Self::OnHost(_) => on_host::are_running(directory).await,
            Self::InContainers(_) => containers::are_running(directory).await,
        }
    }

    /// Whether the first process is there, for a list: cheap, and without asking it.
    pub(super) fn seem_alive(&self, directory: &Path) -> bool {
        match self {
            Self::OnHost(_) => on_host::seem_alive(directory),
            Self::InContainers(_) => containers::seem_alive(directory),
        }
    }

    /// Whether a sandbox with this directory was ever launched.
    pub(super) fn were_launched(&self, directory: &Path) -> bool {
        match self {
            Self::OnHost(_) => on_host::were_launched(directory),
            Self::InContainers(_) => containers::were_launched(directory),
        }
    }

    /// Ends all of them. `unique_name` is what the sandbox is called on this machine. None left
    /// is fine.
    pub(super) async fn end(&self, directory: &Path, unique_name: &str) -> io::Result<()> {
        match self {
            Self::OnHost(on_host) => on_host.end(directory, unique_name).await,
            Self::InContainers(containers) => containers.end(unique_name).await,
        }
    }

    /// Forgets what is kept of ended ones outside of the sandbox's directory.
    pub(super) async fn forget(&self, unique_name: &str) -> io::Result<()> {
        match self {
            Self::OnHost(_) => Ok(()),
            Self::InContainers(containers) => containers.remove(unique_name).await,
        }
    }

    /// Where the agent listens.
    pub(super) fn agent_socket(&self, directory: &Path) -> io::Result<AgentSocket> {
        match self {
            Self::OnHost(_) => AgentSocket::in_directory(directory),
            Self::InContainers(_) => containers::agent_socket(directory),
        }
    }

    /// Where the ids of sandboxes begin on the host, if they have others than the server.
    pub(super) fn uid_base(&self) -> Option<u32> {
        match self {
            Self::OnHost(on_host) => on_host.uid_base(),
            Self::InContainers(_) => None,
        }
    }
}

/// Where the agent of a sandbox listens, whichever backend made it; `None` if it has no processes.
pub(super) fn living_agent(directory: &Path) -> io::Result<Option<AgentSocket>> {
    if containers::were_launched(directory) && containers::seem_alive(directory) {
        return containers::agent_socket(directory).map(Some);
    }
    if on_host::seem_alive(directory) {
        return AgentSocket::in_directory(directory).map(Some);
    }
    Ok(None)
}

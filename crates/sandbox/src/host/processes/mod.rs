//! What makes the processes of a sandbox, says whether they are there, and ends them: the part
//! of a host that differs between backends. Files, names and calls are the same for all.

mod containers;
mod kubernetes;
mod on_host;
pub(super) mod program;

use std::io;
use std::path::Path;

use tokio::sync::{Notify, Semaphore};

use self::containers::Containers;
pub(super) use self::containers::stop_blocking as stop_container;
use self::kubernetes::InPods;
pub(super) use self::kubernetes::{PodLink, delete_blocking as delete_pod};
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
    /// Those of a cluster, on whatever machine of it.
    InPods(Box<InPods>),
}

/// Where the newest files of a sandbox are that has no processes.
pub(super) enum Newest {
    /// In its directory on this machine, where they always are but for pods.
    Here,
    InPod(PodLink),
    /// Nowhere any more. Its directory has what was there at its last stop.
    Lost,
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
                ended: Notify::new(),
            })),
            Backend::Docker(docker) => {
                let containers = Containers::start(docker, options, state).await;
                let containers = containers.map_err(|error| Unavailable {
                    reason: error.to_string(),
                    hint: options.backend.hint(),
                });
                Ok(Self::InContainers(containers?))
            }
            Backend::Kubernetes(kubernetes) => {
                let pods = InPods::start(kubernetes, options, state).await;
                let pods = pods.map_err(|error| Unavailable {
                    reason: error.to_string(),
                    hint: options.backend.hint(),
                });
                Ok(Self::InPods(Box::new(pods?)))
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
            Self::InPods(pods) => pods.launch(order, name.as_str()).await,
        }
    }

    /// Waits until none of this machine's is being started.
    pub(super) async fn launches_rest(&self) {
        match self {
            Self::OnHost(on_host) => on_host.launches_rest().await,
            Self::InContainers(_) | Self::InPods(_) => {}
        }
    }

    /// Whether the first process is there, is ours, and takes calls.
    pub(super) async fn are_running(&self, directory: &Path) -> bool {
        match self {
            Self::OnHost(_) => on_host::are_running(directory).await,
            Self::InContainers(_) => containers::are_running(directory).await,
            Self::InPods(pods) => pods.are_running(directory).await,
        }
    }

    /// Whether the first process is there, for a list: cheap, and without asking it.
    pub(super) fn seem_alive(&self, directory: &Path) -> bool {
        match self {
            Self::OnHost(_) => on_host::seem_alive(directory),
            Self::InContainers(_) => containers::seem_alive(directory),
            Self::InPods(pods) => pods.seem_alive(directory),
        }
    }

    /// Whether a sandbox with this directory was ever launched. On this host, a launch that came to nothing is none.
    pub(super) fn were_launched(&self, directory: &Path) -> bool {
        match self {
            Self::OnHost(_) => on_host::were_launched(directory),
            Self::InContainers(_) => containers::were_launched(directory),
            Self::InPods(_) => kubernetes::were_launched(directory),
        }
    }

    /// Ends all of them. `unique_name` is what the sandbox is called on this machine. None left
    /// is fine.
    pub(super) async fn end(&self, directory: &Path, unique_name: &str) -> io::Result<()> {
        match self {
            Self::OnHost(on_host) => on_host.end(directory, unique_name).await,
            Self::InContainers(containers) => containers.end(unique_name).await,
            Self::InPods(pods) => pods.end(directory).await,
        }
    }

    /// Forgets what is kept of ended ones outside of the sandbox's directory.
    pub(super) async fn forget(&self, unique_name: &str) -> io::Result<()> {
        match self {
            Self::OnHost(_) | Self::InPods(_) => Ok(()),
            Self::InContainers(containers) => containers.remove(unique_name).await,
        }
    }

    /// Where the agent listens.
    pub(super) fn agent_socket(&self, directory: &Path) -> io::Result<AgentSocket> {
        match self {
            Self::OnHost(_) => AgentSocket::in_directory(directory),
            Self::InContainers(_) => containers::agent_socket(directory),
            Self::InPods(pods) => Ok(pods.agent_socket(directory)),
        }
    }

    /// Where the ids of sandboxes begin on the host, if they have others than the server.
    pub(super) fn uid_base(&self) -> Option<u32> {
        match self {
            Self::OnHost(on_host) => on_host.uid_base(),
            Self::InContainers(_) | Self::InPods(_) => None,
        }
    }

    /// The pod that has the files of this sandbox while it runs, if it is one.
    pub(super) fn living_pod(&self, directory: &Path) -> Option<PodLink> {
        match self {
            Self::OnHost(_) | Self::InContainers(_) => None,
            Self::InPods(pods) => pods.seem_alive(directory).then(|| pods.link(directory)),
        }
    }

    /// Where they are, in the words of [`Newest`]. Processes that still run in a pod are ended.
    pub(super) async fn newest_files(&self, directory: &Path) -> io::Result<Newest> {
        match self {
            Self::OnHost(_) | Self::InContainers(_) => Ok(Newest::Here),
            Self::InPods(_) if kubernetes::are_files_at_home(directory) => Ok(Newest::Here),
            Self::InPods(pods) => {
                let link = pods.files(directory).await?;
                Ok(link.map_or(Newest::Lost, Newest::InPod))
            }
        }
    }

    /// They are in the directory now.
    pub(super) fn note_files_at_home(directory: &Path) -> io::Result<()> {
        kubernetes::note_files_at(directory, kubernetes::Home::Here)
    }
}

/// Where the agent of a sandbox listens, whichever backend made it; `None` if it has no processes.
pub(super) fn living_agent(directory: &Path) -> io::Result<Option<AgentSocket>> {
    if containers::were_launched(directory) && containers::seem_alive(directory) {
        return containers::agent_socket(directory).map(Some);
    }
    if let Some(refusal) = kubernetes::refusal_to_visit(directory)? {
        return Err(refusal);
    }
    if on_host::seem_alive(directory) {
        return AgentSocket::in_directory(directory).map(Some);
    }
    Ok(None)
}

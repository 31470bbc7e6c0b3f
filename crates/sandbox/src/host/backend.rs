//! What makes sandboxes: a choice of the operator's, and the same for all of a host.

use std::path::PathBuf;

use super::hint;
use crate::isolation::Mode;

/// What makes sandboxes. All of them run the same first process and keep the same promises; how
/// much separates a sandbox from its host differs, and [`IsolationReport`] says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Backend {
    /// Namespaces that the launcher makes, without a daemon.
    #[default]
    Local,
    /// Plain processes of the server's user, isolated from nothing.
    UnsafeProcess,
    /// A container of an engine for each.
    Docker(Docker),
}

/// An engine that speaks Docker's API: Docker, or Podman.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    /// Its socket. It sees the same files as this server: it runs on the same machine.
    pub engine: PathBuf,
    /// What sandboxes are made from. The engine has it already, and `/bin/bash` is in it.
    pub image: String,
}

impl Backend {
    pub const fn mode(&self) -> Mode {
        match self {
            Self::Local => Mode::Isolated,
            Self::UnsafeProcess => Mode::UnsafeProcess,
            Self::Docker(_) => Mode::Container,
        }
    }

    /// What an operator can do when no sandbox can be made.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Local | Self::UnsafeProcess => hint::hint(),
            Self::Docker(docker) => format!(
                "start the container engine, let the server's user write to {}, and see that \
                 it has the image {}, with bash in it",
                docker.engine.display(),
                docker.image
            ),
        }
    }
}

//! Section `[sandbox.docker]`: the container engine of the mode `docker`, which is Docker or Podman.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::resolve::Resolving;
use super::sandbox::SandboxMode;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawDocker {
    /// The socket of the engine, on this machine. Podman's is `unix:///run/podman/podman.sock`. Whoever may
    /// write to it can do everything on this machine, and so can this server.
    pub host: String,
    /// What sandboxes are made from. The engine must have it already; `/bin/bash` must be in it.
    /// Example: image = "debian:bookworm"
    pub image: Option<String>,
}

impl Default for RawDocker {
    fn default() -> Self {
        Self {
            host: "unix:///var/run/docker.sock".to_owned(),
            image: None,
        }
    }
}

/// The resolved section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerOptions {
    pub engine: PathBuf,
    /// There is one in the mode `docker`.
    pub image: String,
}

impl RawDocker {
    pub(super) fn resolve(
        &self,
        mode: SandboxMode,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> DockerOptions {
        let mut refuse = |key: &str, message: &str| {
            problems.push(at.problem(&["sandbox", "docker", key], message));
        };
        let engine = self.host.strip_prefix("unix://").unwrap_or_default();
        if !engine.starts_with('/') {
            refuse(
                "host",
                "must be `unix://` and the absolute path of a socket of this machine: an engine \
                 elsewhere would not see the files of the sandboxes",
            );
        }
        let image = self.image.clone().unwrap_or_default();
        if image.is_empty() && mode == SandboxMode::Docker {
            refuse("image", "must name an image when sandbox.mode is `docker`");
        }
        DockerOptions {
            engine: engine.into(),
            image,
        }
    }
}

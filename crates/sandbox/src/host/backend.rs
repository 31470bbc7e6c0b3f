//! What makes sandboxes: a choice of the operator's, and the same for all of a host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
    /// A pod of a cluster for each.
    Kubernetes(Box<Kubernetes>),
}

/// An engine that speaks Docker's API: Docker, or Podman.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docker {
    /// Its socket. It sees the same files as this server: it runs on the same machine.
    pub engine: PathBuf,
    /// What sandboxes are made from. The engine has it already, and `/bin/bash` is in it.
    pub image: String,
}

/// A namespace of a Kubernetes cluster, and what pods are made with there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubernetes {
    pub api: KubernetesApi,
    pub namespace: String,
    /// What tools run in. `/bin/bash` is in it.
    pub image: String,
    /// An image with this program of this version, and where in it.
    pub agent_image: String,
    pub agent_program: String,
    pub image_pull_secrets: Vec<String>,
    pub service_account: Option<String>,
    pub node_selector: BTreeMap<String, String>,
    /// As the API has them.
    pub tolerations: Vec<serde_json::Value>,
    pub runtime_class: Option<String>,
    /// The ids of a pod are others on its machine (`hostUsers: false`).
    pub user_namespaces: bool,
}

/// Where the API of a cluster is, and what is shown there. The files are read again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesApi {
    /// `https://…`, or `http://` on this machine.
    pub server: String,
    /// Authorities of its certificate. `None`: those that this machine believes.
    pub ca_file: Option<PathBuf>,
    /// `None`: none is shown, as for a proxy that has one.
    pub token_file: Option<PathBuf>,
}

impl Backend {
    pub const fn mode(&self) -> Mode {
        match self {
            Self::Local => Mode::Isolated,
            Self::UnsafeProcess => Mode::UnsafeProcess,
            Self::Docker(_) => Mode::Container,
            Self::Kubernetes(_) => Mode::Pod,
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
            Self::Kubernetes(kubernetes) => format!(
                "see that the server may create, delete, list, watch and exec into pods in the \
                 namespace {}, that the cluster can pull the images {} and {}, and that bash is \
                 in the former",
                kubernetes.namespace, kubernetes.image, kubernetes.agent_image
            ),
        }
    }
}

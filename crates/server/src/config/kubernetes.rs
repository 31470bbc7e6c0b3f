//! Section `[sandbox.kubernetes]`: the cluster of the mode `kubernetes`, in which each session has a pod.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::resolve::Resolving;
use super::sandbox::SandboxMode;

/// Where a pod finds what it needs to ask its own cluster.
const OWN_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const OWN_AUTHORITY: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawKubernetes {
    /// The API of the cluster, as a pod in it finds it. From elsewhere, the address in the kubeconfig; or
    /// `http://127.0.0.1:8001`, where `kubectl proxy` listens.
    pub server: String,
    /// The authorities that its certificate is checked with. `""`: those of this machine.
    pub ca_file: String,
    /// A token of a service account, read again for each request. `""`: none is shown, as to a proxy.
    pub token_file: String,
    /// Where the pods are made: a namespace that holds nothing else.
    pub namespace: String,
    /// What tools run in. `/bin/bash` must be in it.
    /// Example: image = "debian:bookworm"
    pub image: Option<String>,
    /// An image with this program of this very version.
    /// Example: agent_image = "registry.example.com/hostler:0.1.0"
    pub agent_image: Option<String>,
    /// Where the program is in that image.
    pub agent_program: String,
    /// Names of secrets in the namespace with which images are pulled.
    pub image_pull_secrets: Vec<String>,
    /// The service account of the pods. Its token is not given to them.
    /// Example: service_account = "sandbox"
    pub service_account: Option<String>,
    /// Labels of the machines that pods may run on.
    /// Example: node_selector = { "example.com/pool" = "sandboxes" }
    pub node_selector: BTreeMap<String, String>,
    /// Taints of machines that pods may run on all the same.
    /// Example: tolerations = [{ key = "sandboxes", operator = "Exists", effect = "NoSchedule" }]
    pub tolerations: Vec<RawToleration>,
    /// The class of runtime of the pods, for example one of gVisor or Kata Containers.
    /// Example: runtime_class = "gvisor"
    pub runtime_class: Option<String>,
    /// Whether the user ids in a pod are others on its machine (`hostUsers: false`). The cluster must know
    /// how.
    pub user_namespaces: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawToleration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

impl Default for RawKubernetes {
    fn default() -> Self {
        Self {
            server: "https://kubernetes.default.svc".to_owned(),
            ca_file: OWN_AUTHORITY.to_owned(),
            token_file: OWN_TOKEN.to_owned(),
            namespace: "hostler-sandboxes".to_owned(),
            image: None,
            agent_image: None,
            agent_program: "/usr/local/bin/hostler".to_owned(),
            image_pull_secrets: Vec::new(),
            service_account: None,
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            runtime_class: None,
            user_namespaces: false,
        }
    }
}

/// The resolved section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesOptions {
    pub server: String,
    pub ca_file: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
    pub namespace: String,
    /// There are both in the mode `kubernetes`.
    pub image: String,
    pub agent_image: String,
    pub agent_program: String,
    pub image_pull_secrets: Vec<String>,
    pub service_account: Option<String>,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<RawToleration>,
    pub runtime_class: Option<String>,
    pub user_namespaces: bool,
}

impl RawKubernetes {
    pub(super) fn resolve(
        &self,
        mode: SandboxMode,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> KubernetesOptions {
        let mut refuse = |key: &str, message: &str| {
            problems.push(at.problem(&["sandbox", "kubernetes", key], message));
        };
        let is_address = self.server.starts_with("https://") || self.server.starts_with("http://");
        if !is_address {
            refuse(
                "server",
                "must begin with `https://`, or with `http://` for this machine",
            );
        }
        if !is_label(&self.namespace) {
            refuse(
                "namespace",
                "must be 1 to 63 lower-case letters, digits and hyphens",
            );
        }
        if !self.agent_program.starts_with('/') {
            refuse("agent_program", "must be an absolute path in `agent_image`");
        }
        let image = self.image.clone().unwrap_or_default();
        let agent_image = self.agent_image.clone().unwrap_or_default();
        if mode == SandboxMode::Kubernetes {
            for (key, image) in [("image", &image), ("agent_image", &agent_image)] {
                if image.is_empty() {
                    refuse(key, "must name an image when sandbox.mode is `kubernetes`");
                }
            }
        }
        let file = |key: &str, path: &str| {
            let key = ["sandbox", "kubernetes", key];
            (!path.is_empty()).then(|| at.path(&key, Path::new(path)))
        };
        KubernetesOptions {
            server: self.server.clone(),
            ca_file: file("ca_file", &self.ca_file),
            token_file: file("token_file", &self.token_file),
            namespace: self.namespace.clone(),
            image,
            agent_image,
            agent_program: self.agent_program.clone(),
            image_pull_secrets: self.image_pull_secrets.clone(),
            service_account: self.service_account.clone(),
            node_selector: self.node_selector.clone(),
            tolerations: self.tolerations.clone(),
            runtime_class: self.runtime_class.clone(),
            user_namespaces: self.user_namespaces,
        }
    }
}

/// It becomes a part of an address.
fn is_label(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(is_good)
}

//! What a pod is made with: the words of the cluster's API.

use serde_json::{Value, json};

use super::super::super::Kubernetes;
use crate::container::{MEMORY_DIRECTORY, PROGRAM_DIRECTORY};
use crate::limits::{
    KEEPER_MEMORY_BYTES, Limits, POD_MEMORY_REQUEST_BYTES, POD_UID_BASE, POD_UIDS,
    POD_UIDS_IN_NAMESPACE, PROGRAM_BYTES_MAX,
};
use crate::pod::{
    BOX_DIRECTORY, DOOR_DIRECTORY, INSTALL, KEEP, KEEPER_ARGUMENT, MEMORY, POD_AGENT_ARGUMENT,
};

pub(super) const INSTALLATION_LABEL: &str = "hostler/installation";
pub(super) const NAME_ANNOTATION: &str = "hostler/sandbox";
/// The containers.
pub(super) const TOOLS: &str = "tools";
pub(super) const KEEPER: &str = "keeper";

pub(super) struct Form<'a> {
    pub(super) kubernetes: &'a Kubernetes,
    pub(super) limits: &'a Limits,
    pub(super) installation: &'a str,
    pub(super) sandbox: &'a str,
    /// The words that start our program where the image knows nothing of it.
    pub(super) program: &'a [String],
}

/// A name that is the same whenever it is asked for, and another one for each sandbox of each
/// installation. Those of sandboxes have letters that a pod's must not have.
pub(super) fn pod_name(installation: &str, sandbox: &str) -> String {
    let server = installation.get(..8).unwrap_or(installation);
    format!("hostler-{server}-{:016x}", number_of(installation, sandbox))
}

/// FNV-1a, which is the same in every version of this program.
fn number_of(installation: &str, sandbox: &str) -> u64 {
    let bytes = installation.bytes().chain(*b"/").chain(sandbox.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Form<'_> {
    pub(super) fn body(&self) -> Value {
        let kubernetes = self.kubernetes;
        let mut spec = json!({
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "shareProcessNamespace": false,
            "hostname": "sandbox",
            // Names tell about the cluster, and nothing in here could ask for one.
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["127.0.0.1"]},
            "securityContext": self.security(),
            "volumes": self.volumes(),
            "initContainers": [self.install()],
            "containers": [self.keeper(), self.tools()],
        });
        let optional = [
            ("runtimeClassName", &kubernetes.runtime_class),
            ("serviceAccountName", &kubernetes.service_account),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                spec[key] = json!(value);
            }
        }
        if !kubernetes.node_selector.is_empty() {
            spec["nodeSelector"] = json!(kubernetes.node_selector);
        }
        if !kubernetes.tolerations.is_empty() {
            spec["tolerations"] = json!(kubernetes.tolerations);
        }
        if !kubernetes.image_pull_secrets.is_empty() {
            let secrets = kubernetes.image_pull_secrets.iter();
            spec["imagePullSecrets"] = secrets.map(|name| json!({"name": name})).collect();
        }
        if kubernetes.user_namespaces {
            spec["hostUsers"] = json!(false);
        }
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": pod_name(self.installation, self.sandbox),
                "labels": {
                    "app.kubernetes.io/name": "hostler-sandbox",
                    "app.kubernetes.io/managed-by": "hostler",
                    INSTALLATION_LABEL: self.installation,
                },
                "annotations": {NAME_ANNOTATION: self.sandbox},
            },
            "spec": spec,
        })
    }

    /// A user of its own, so that what one pod may do and use says nothing about another one.
    fn security(&self) -> Value {
        let number = number_of(self.installation, self.sandbox);
        let user = match self.kubernetes.user_namespaces {
            // Of the ids that there are in a namespace of users.
            true => 1 + number % POD_UIDS_IN_NAMESPACE,
            false => POD_UID_BASE + number % POD_UIDS,
        };
        json!({
            "runAsNonRoot": true,
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    }

    fn volumes(&self) -> Value {
        let mut files = json!({});
        if let Some(bytes) = self.limits.disk_bytes {
            files["sizeLimit"] = json!(bytes.to_string());
        }
        let size = |bytes: u64| json!({"sizeLimit": bytes.to_string()});
        let in_memory = |bytes: u64| json!({"medium": "Memory", "sizeLimit": bytes.to_string()});
        json!([
            {"name": "program", "emptyDir": size(PROGRAM_BYTES_MAX)},
            {"name": "box", "emptyDir": files},
            {"name": "door", "emptyDir": size(1 << 20)},
            {"name": "tmp", "emptyDir": in_memory(self.limits.tmp_bytes)},
        ])
    }

    fn install(&self) -> Value {
        json!({
            "name": "install",
            "image": self.kubernetes.agent_image,
            "command": [self.kubernetes.agent_program, KEEPER_ARGUMENT, INSTALL],
            "securityContext": container_security(),
            "resources": keeper_resources(),
            "volumeMounts": [
                {"name": "program", "mountPath": PROGRAM_DIRECTORY},
                {"name": "box", "mountPath": BOX_DIRECTORY},
            ],
        })
    }

    fn keeper(&self) -> Value {
        json!({
            "name": KEEPER,
            "image": self.kubernetes.agent_image,
            "command": [self.kubernetes.agent_program, KEEPER_ARGUMENT, KEEP],
            "securityContext": container_security(),
            "resources": keeper_resources(),
            "volumeMounts": [
                {"name": "box", "mountPath": BOX_DIRECTORY},
                {"name": "door", "mountPath": DOOR_DIRECTORY},
            ],
        })
    }

    fn tools(&self) -> Value {
        let mut command = self.program.to_vec();
        command.push(POD_AGENT_ARGUMENT.to_owned());
        let of_box = |directory: &str, place: &str, read_only: bool| json!({"name": "box", "subPath": directory, "mountPath": place, "readOnly": read_only});
        json!({
            "name": TOOLS,
            "image": self.kubernetes.image,
            "command": command,
            "workingDir": "/",
            "securityContext": container_security(),
            "resources": self.resources(),
            "volumeMounts": [
                {"name": "program", "mountPath": PROGRAM_DIRECTORY, "readOnly": true},
                {"name": "door", "mountPath": DOOR_DIRECTORY, "readOnly": true},
                {"name": "tmp", "mountPath": "/tmp"},
                of_box("workspace", "/workspace", false),
                of_box("home", "/root", false),
                of_box("outputs", "/mnt/session/outputs", false),
                of_box("uploads", "/mnt/session/uploads", true),
                of_box(MEMORY, MEMORY_DIRECTORY, false),
            ],
        })
    }

    fn resources(&self) -> Value {
        let memory = self.limits.memory_bytes;
        let mut limits = json!({"memory": memory.to_string()});
        if let Some(percent) = self.limits.cpu_percent {
            limits["cpu"] = json!(format!("{}m", u64::from(percent) * 10));
        }
        if let Some(bytes) = self.limits.disk_bytes {
            limits["ephemeral-storage"] = json!(bytes.to_string());
        }
        // Without these a cluster sets aside all that a pod may ever use.
        let request = memory.min(POD_MEMORY_REQUEST_BYTES).to_string();
        let requests = json!({"memory": request, "cpu": "10m", "ephemeral-storage": "0"});
        json!({"limits": limits, "requests": requests})
    }
}

fn container_security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "privileged": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    })
}

fn keeper_resources() -> Value {
    json!({
        "limits": {"memory": KEEPER_MEMORY_BYTES.to_string()},
        "requests": {"memory": "16Mi", "cpu": "10m"},
    })
}

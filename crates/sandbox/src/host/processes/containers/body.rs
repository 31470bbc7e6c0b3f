//! What a container is made with: the words of the engine's API.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};

use super::super::super::Docker;
use super::super::program::{HOSTS_FILE, NO_RESOLVER_FILE, RESOLVER_FILE};
use super::about::About;
use crate::container::{MEMORY_DIRECTORY, PROGRAM_DIRECTORY, TALK_DIRECTORY};
use crate::limits::{AGENT_PROCESSES_MAX, Limits};
use crate::spec::NetworkAccess;

/// Labels of ours on a container.
pub(super) const STATE_LABEL: &str = "hostler.state";
pub(super) const NAME_LABEL: &str = "hostler.sandbox";
pub(super) const FORM_LABEL: &str = "hostler.form";

/// What differs between the containers of a host is the directory.
pub(super) struct Form<'a> {
    pub(super) docker: &'a Docker,
    pub(super) limits: &'a Limits,
    /// The directory of the sandbox and that of the program, on the host.
    pub(super) directory: &'a Path,
    pub(super) program_directory: &'a Path,
    pub(super) program: &'a [String],
    pub(super) about: &'a About,
    pub(super) network: NetworkAccess,
    pub(super) state_label: &'a str,
    pub(super) sandbox: &'a str,
}

impl Form<'_> {
    /// With a label by which a container that was made otherwise is recognised.
    pub(super) fn body(&self) -> Value {
        let mut body = self.unlabelled();
        let mut hasher = DefaultHasher::new();
        body.to_string().hash(&mut hasher);
        body["Labels"] = json!({
            STATE_LABEL: self.state_label,
            NAME_LABEL: self.sandbox,
            FORM_LABEL: format!("{:016x}", hasher.finish()),
        });
        body
    }

    fn unlabelled(&self) -> Value {
        let bind = |name: &str, target: &str, read_only: bool| {
            let source = self.directory.join(name);
            json!({"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only})
        };
        let shared = |name: &str, target: &str| {
            let source = self.program_directory.join(name);
            json!({"Type": "bind", "Source": source, "Target": target, "ReadOnly": true})
        };
        let Limits {
            memory_bytes,
            processes,
            tmp_bytes,
            tmp_files,
            open_files,
            cpu_percent,
            disk_bytes: _,
            disk_files: _,
        } = self.limits;
        let mut tmp = format!("rw,nosuid,nodev,mode=1777,size={tmp_bytes}");
        if !self.about.is_podman {
            tmp.push_str(&format!(",nr_inodes={tmp_files}"));
        }
        json!({
            "Image": self.docker.image,
            "Entrypoint": self.program,
            "Cmd": [],
            "User": self.about.user,
            "Hostname": "sandbox",
            "WorkingDir": "/workspace",
            "StopSignal": "SIGKILL",
            "Healthcheck": {"Test": ["NONE"]},
            "NetworkDisabled": true,
            "HostConfig": {
                "NetworkMode": "none",
                "CapDrop": ["ALL"],
                "CapAdd": self.capabilities(),
                "SecurityOpt": ["no-new-privileges"],
                "Memory": memory_bytes,
                "MemorySwap": memory_bytes,
                "PidsLimit": u64::from(*processes) + AGENT_PROCESSES_MAX,
                // 0: no limit.
                "NanoCpus": cpu_percent.map_or(0, |percent| u64::from(percent) * 10_000_000),
                "Ulimits": self.ulimits(*open_files),
                "ShmSize": tmp_bytes,
                "Tmpfs": {"/tmp": tmp},
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "64k"}},
                "Mounts": [
                    bind("workspace", "/workspace", false),
                    bind("outputs", "/mnt/session/outputs", false),
                    bind("uploads", "/mnt/session/uploads", true),
                    bind("home", "/root", false),
                    bind("talk", TALK_DIRECTORY, false),
                    bind("memory", MEMORY_DIRECTORY, false),
                    shared("", PROGRAM_DIRECTORY),
                    // Those that an engine writes tell about the host.
                    shared(HOSTS_FILE, "/etc/hosts"),
                    shared(self.resolver_file(), "/etc/resolv.conf"),
                ],
            },
        })
    }

    fn resolver_file(&self) -> &'static str {
        match self.network {
            NetworkAccess::None => NO_RESOLVER_FILE,
            NetworkAccess::Gateway => RESOLVER_FILE,
        }
    }

    /// For the agent to put the gateway behind all addresses. It gives them up before anything
    /// else runs.
    fn capabilities(&self) -> &'static [&'static str] {
        match self.network {
            NetworkAccess::None => &[],
            NetworkAccess::Gateway => &["NET_ADMIN", "NET_BIND_SERVICE"],
        }
    }

    /// The number of processes is the cgroup's to limit. What is said of it here is what this
    /// server itself may have, which is nothing new.
    fn ulimits(&self, open_files: u64) -> Value {
        let limit = |name: &str, most: u64| json!({"Name": name, "Soft": most, "Hard": most});
        let mut limits = vec![limit("nofile", open_files)];
        let processes = getrlimit(Resource::Nproc).maximum;
        if let Some(processes) = processes.filter(|_| self.about.is_podman) {
            limits.push(limit("nproc", processes));
        }
        Value::Array(limits)
    }
}

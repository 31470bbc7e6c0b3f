//! What really separates a sandbox from its host, as found by making one.

use serde::{Deserialize, Serialize};

/// How commands run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Namespaces, a read-only base, a private workspace.
    Isolated,
    /// A container that an engine made: its namespaces, mounts and limits.
    Container,
    /// A pod that a cluster made: its namespaces, mounts and limits, on some machine of it.
    Pod,
    /// An ordinary child process that sees and may do what the server may.
    UnsafeProcess,
}

/// The facts for `hostler doctor`; nothing in it is a hope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IsolationReport {
    pub mode: Mode,
    pub user_namespace: UserNamespace,
    pub seccomp: bool,
    pub no_new_privileges: bool,
    /// `None` where the kernel has no Landlock.
    pub landlock_abi: Option<u32>,
    /// Whether a cgroup v2 leaf holds the processes, so that one write ends them all.
    pub cgroup_kill: bool,
    pub memory_limit: LimitSource,
    pub process_limit: LimitSource,
    /// `None` also where no limit was asked for.
    pub cpu_limit: LimitSource,
    /// Bytes in all files of a sandbox.
    pub disk_limit: DiskLimit,
    /// Number of files of a sandbox. `PerFile` cannot bound it.
    pub inode_limit: DiskLimit,
    /// Open files of each process.
    pub open_files_limit: LimitSource,
    pub network: Network,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserNamespace {
    /// Uids 0 to `size` of the sandbox are `base` and up on the host.
    Range {
        base: u32,
        size: u32,
    },
    /// Root of the sandbox is the server's own user on the host; no other uid exists.
    Single,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
    CgroupV2,
    CgroupV1,
    Rlimit,
    None,
}

/// What keeps a sandbox from filling the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskLimit {
    /// Its files are in a file system of their own, of a fixed size.
    Image,
    /// No single file may be larger than the bound; their number is not bounded.
    PerFile,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// A loopback interface of its own, and nothing else.
    None,
    /// The same, with a gateway of ours behind every other address.
    Gateway { ports: GatewayPorts },
    /// The host's own.
    Host,
}

/// Which connections reach the gateway; others are refused at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayPorts {
    All,
    /// The kernel has no nf_tables: those to a few ports that are in general use, where nothing
    /// inside can listen then, and through the proxy.
    Known,
}

impl IsolationReport {
    /// Before anything was tried.
    pub(crate) fn nothing(mode: Mode) -> Self {
        Self {
            mode,
            user_namespace: UserNamespace::None,
            seccomp: false,
            no_new_privileges: false,
            landlock_abi: None,
            cgroup_kill: false,
            memory_limit: LimitSource::None,
            process_limit: LimitSource::None,
            cpu_limit: LimitSource::None,
            disk_limit: DiskLimit::None,
            inode_limit: DiskLimit::None,
            open_files_limit: LimitSource::None,
            network: mode.network(),
        }
    }
}

impl Mode {
    const fn network(self) -> Network {
        match self {
            Self::Isolated | Self::Container | Self::Pod => Network::None,
            Self::UnsafeProcess => Network::Host,
        }
    }
}

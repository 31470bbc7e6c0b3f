//! What host and agent agree on when the sandbox is a container: where things are in it, and
//! what is said before the first call.
//!
//! An engine makes the container, so there is no launcher. The agent is the program that the
//! container runs. Its order is a file that it deletes before anything else can run inside; it
//! answers on a socket that the host listens on, and then listens itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::isolation::{DiskLimit, LimitSource, Network, UserNamespace};
use crate::limits::Limits;
use crate::spec::Spec;

/// The program and what it needs, read-only.
pub(crate) const PROGRAM_DIRECTORY: &str = "/.hostler/bin";
/// Where order and sockets are. It belongs to the sandbox: the host believes nothing in it.
pub(crate) const TALK_DIRECTORY: &str = "/.hostler/talk";
/// Where a shell leaves what the next one begins with. It belongs to the sandbox, too.
pub(crate) const MEMORY_DIRECTORY: &str = "/.hostler/memory";
/// In the directory to talk through.
pub(crate) const ORDER_FILE: &str = "order.json";
pub(crate) const READY_SOCKET: &str = "ready.sock";

/// The subcommand of the program.
pub(crate) const AGENT_ARGUMENT: &str = "sandbox-agent";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentOrder {
    pub(crate) limits: Limits,
    pub(crate) spec: Spec,
    /// How often the sandbox looks whether its directory still exists.
    pub(crate) orphan_check: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum AgentAnswer {
    Ready(Found),
    Failed { reason: String },
}

/// What the agent finds in place, seen from inside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    pub(crate) user_namespace: UserNamespace,
    pub(crate) seccomp: bool,
    pub(crate) no_new_privileges: bool,
    pub(crate) landlock_abi: Option<u32>,
    pub(crate) memory_limit: LimitSource,
    pub(crate) process_limit: LimitSource,
    pub(crate) cpu_limit: LimitSource,
    pub(crate) disk_limit: DiskLimit,
    pub(crate) network: Network,
}

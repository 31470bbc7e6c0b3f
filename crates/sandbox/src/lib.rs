//! Places where commands run: a sandbox per name, without a daemon or a helper binary.
//!
//! [`SandboxHost::start`] proves that the host can make sandboxes, [`SandboxHost::open`] gives
//! one and [`Sandbox::run`] runs one of six tools in it. A sandbox is a tree of processes in
//! namespaces of its own. Its first process is ours: it serves calls over a unix socket and
//! belongs to the host's init, so a sandbox outlives the server and is found again by the
//! next one. It ends when it is destroyed; if it ended otherwise, [`Provenance::Replaced`]
//! says so. It may be stopped when it is idle, with [`SandboxHost::stop`], and goes on later
//! with its files and the state of its shell; and one whose
//! directory was deleted behind its back ends itself. What it sends to
//! other addresses arrives at sockets of its own, see [`Sandbox::gateway_sockets`], or nowhere.
//! [`init_main`] is the entry of the `sandbox-init` subcommand, which the server starts once, to
//! make sandboxes. Under systemd the unit needs `KillMode=process`, or a restart of the server
//! ends its sandboxes.
//!
//! The state directory, mode 0700 and locked by the server that uses it:
//!
//! ```text
//! lock
//! drafts/                   sandboxes that are being made from an archive
//! pool/<label>/             sandboxes made ahead, like those in boxes/, that nobody has claimed
//! trash/                    what was destroyed and is being deleted
//! layers/<key>              what a sandbox wrote that others share read-only
//! trees/<key>               what a sandbox wrote that others begin with a copy of
//! templates/                the empty file system that images of disks begin as
//! boxes/<name>/
//!   layout                  written last; without it the rest is thrown away
//!   shell_state             how a stopped sandbox's shell was left, for the next one
//!   archive.json            the archive that is as good as these files, and those before it
//!   news.json               what was lost and nobody was told yet
//!   user_ids                the first of the ids that its files belong to, where it has a range
//!   process.json            pid, start time, boot and cgroups of the first process
//!   agent.sock              its socket
//!   root/                   empty; the new root is mounted on it
//!   uploads/                /mnt/session/uploads inside, read-only
//!   uploads.jsonl           what the host placed there
//!   workspace/              /workspace inside
//!   outputs/                /mnt/session/outputs inside
//!   home/                   /root inside
//!   upper/, work/           what it wrote over the layers of its root, if it has layers
//!   root.json               the root that it was made with
//!   extras.json             the packages and variables that it was started with
//!   tool_outputs/           long outputs, of an unsafe process only
//! ```
//!
//! A sandbox whose disk is bounded as a whole has `workspace`, `outputs`, `home`, `upper` and `work`
//! in a file system of its own, `disk.img`, and nothing of them in its directory.
//!
//! It knows no session, keeps no log, and never runs a call twice. Nothing that a sandbox says
//! is believed: answers are bounded, parsed strictly and checked.

mod agent;
mod archive;
mod container;
mod disk;
mod error;
mod exec_wire;
mod hand_over;
mod host;
mod inner_path;
mod inside;
mod isolation;
mod keeper;
mod launcher;
mod limits;
mod name;
mod output;
mod packages;
mod pod;
mod provenance;
mod root;
mod schemas;
mod spec;
mod sys;
mod text_cleaner;
mod tier;
mod tool;
mod tools;
mod upload_link;
mod wire;

pub use archive::Packed;
pub use disk::DiskChoice;
pub use error::{SandboxError, Unavailable};
pub use exec_wire::{ExecEnd, Terminal, TerminalSize};
pub use host::{
    Ahead, Backend, Checkpoint, DiskUse, Docker, Exec, ExecError, ExecEvent, ExecInput, ExecOrder,
    ExecOutput, FakeClock, FakeMachine, Fingerprint, GatewaySockets, HostOptions, InnerProcess,
    Inspected, Keepsake, KeptTree, Kubernetes, KubernetesApi, LeftOut, Listed, Moved, News, Opened,
    OutputFile, OutputScan, Outputs, Ownership, Parting, Sandbox, SandboxHost, SandboxUse,
    ServeOrder, Standing, Stop, Surveyed, Upload, Why, exec, inspect, kill_all, kill_one,
    layers_in_use, names, pooled_names, survey,
};
pub use inner_path::{InnerPath, InvalidInnerPath};
pub use inside::{agent_main, pod_agent_main};
pub use isolation::{
    DiskLimit, GatewayPorts, IsolationReport, LimitSource, Mode, Network, UserNamespace,
};
pub use keeper::keeper_main;
pub use launcher::cgroup::{CgroupClaim, claim_cgroup};
pub use launcher::init_main;
pub use limits::{Limits, POOL_MAX};
pub use name::{InvalidName, SandboxName};
pub use output::{Block, Output};
pub use packages::{PACKAGE_SOURCES_DIRECTORY, PACKAGES_DIRECTORY, Packages, SEARCH_PATH};
pub use provenance::{Losses, Provenance};
pub use root::Root;
pub use schemas::{ToolSchema, tool_schemas};
pub use spec::{NetworkAccess, Spec};
pub use text_cleaner::TextCleaner;
pub use tier::{Missing, Tier};
pub use tool::{Call, Tool};
pub use upload_link::UploadLink;

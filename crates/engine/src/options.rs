//! What the engine is made of.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hostler_domain::Env;
use hostler_domain::catalog::ModelCatalog;
use hostler_egress::Gateway;
use hostler_provider::Provider;
use hostler_sandbox::SandboxHost;
use hostler_store::Store;
use hostler_vault::Keyring;

use crate::mcp::{KeptServers, McpTokens};
use crate::network::Networks;
use crate::out_of_reach::OutOfReach;
use crate::outputs::Captures;
use crate::packages::{Builds, PackageOptions};
use crate::repositories::{Repositories, RepositoryOptions};
use crate::root_choice::RootOptions;
use crate::uploads::Uploads;
use crate::web::WebTools;

/// What an operator decides about the engine.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Who holds the leases: unique among the processes on one database.
    pub owner: String,
    /// How long a session is this process's without being renewed.
    pub lease: Duration,
    /// Sessions that run at the same time; more wait their turn.
    pub running_sessions_max: usize,
    /// Attempts at one model call, the first included.
    pub model_attempts_max: u32,
    /// The pause before the second attempt; it doubles from then on, with jitter.
    pub model_retry_base: Duration,
    pub model_retry_max: Duration,
    /// Share of the model's context window above which a conversation is summarised, in per cent.
    pub compaction_percent: u64,
    /// Tools of one answer that run side by side.
    pub parallel_tools_max: usize,
    /// How long a session at rest keeps its runner and its lease, so that a client that answers at
    /// once finds the log folded. It takes up one of the running sessions for that time.
    pub rest: Duration,
    /// How often due sessions and leftover sandboxes are looked for without any wake-up.
    pub sweep_interval: Duration,
    /// How long a session is idle before the processes of its sandbox are ended; its files stay.
    /// `None`: they stay as well.
    pub sandbox_idle_stop: Option<Duration>,
    /// Sandboxes of idle sessions that go on until then; of more, those that were idle for longest end at the
    /// next sweep. `None`: any number.
    pub sandbox_idle_max: Option<usize>,
    pub roots: RootOptions,
    pub packages: PackageOptions,
    pub repositories: RepositoryOptions,
    /// How long a sandbox is kept from when it was made. One that rests then gives way to a new
    /// one, and the model is told. `None`: for ever.
    pub sandbox_keep: Option<Duration>,
    pub sandbox_checkpoints: Checkpoints,
    /// What opens the credentials of vaults. `None`: there are none.
    pub vault_keys: Option<Arc<Keyring>>,
    /// Who judges calls under the policy `auto`. `None`: each is asked about.
    pub judge: Option<JudgeOptions>,
}

/// The judge of calls.
#[derive(Debug, Clone)]
pub struct JudgeOptions {
    /// As the catalog names it.
    pub model: String,
    /// How long one judgement may take, attempts included. Then the call is asked about.
    pub timeout: Duration,
}

/// Where the files of sandboxes at rest are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// On this machine's disk only.
    Local,
    /// In the blob store, too; `evict`: no longer on this machine's disk.
    Blobs { evict: bool },
}

/// The engine of one process. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) parts: Arc<Parts>,
}

/// What leads out of the machine.
pub struct Outside {
    /// For sandboxes, which have no network without it.
    pub gateway: Option<Gateway>,
    /// For the MCP servers of agents, which the server itself speaks to.
    pub mcp: McpTokens,
    /// What the web tools of agents reach, which run on the server.
    pub web: WebTools,
}

/// What every runner shares.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) env: Env,
    pub(crate) sandboxes: SandboxHost,
    pub(crate) catalog: Arc<ModelCatalog>,
    /// By the name of their section in the configuration.
    pub(crate) providers: HashMap<String, Provider>,
    pub(crate) options: EngineOptions,
    pub(crate) uploads: Uploads,
    pub(crate) networks: Networks,
    pub(crate) captures: Captures,
    pub(crate) builds: Builds,
    pub(crate) repositories: Repositories,
    pub(crate) out_of_reach: OutOfReach,
    pub(crate) mcp: McpTokens,
    pub(crate) kept_servers: KeptServers,
    pub(crate) web: WebTools,
}

impl Engine {
    pub fn new(
        store: Store,
        env: Env,
        sandboxes: SandboxHost,
        catalog: Arc<ModelCatalog>,
        providers: HashMap<String, Provider>,
        options: EngineOptions,
        outside: Outside,
    ) -> Self {
        let networks = Networks::new(outside.gateway, sandboxes.isolation().network);
        Self {
            parts: Arc::new(Parts {
                store,
                env,
                sandboxes,
                catalog,
                providers,
                options,
                uploads: Uploads::default(),
                networks,
                captures: Captures::default(),
                builds: Builds::default(),
                repositories: Repositories::default(),
                out_of_reach: OutOfReach::default(),
                mcp: outside.mcp,
                kept_servers: KeptServers::default(),
                web: outside.web,
            }),
        }
    }
}

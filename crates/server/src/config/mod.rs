//! The configuration: defaults, then a TOML file, then `HOSTLER__SECTION__FIELD`, then flags.
//!
//! [`load`] is the one way in. It refuses what it does not know and says where, all of it at once where
//! that is possible. The rest of the server receives resolved values and never sees where they came from.

mod blobs;
mod database;
mod docker;
mod engine;
mod environment;
mod file;
mod key_file;
mod known_models;
mod kubernetes;
mod layers;
mod log;
mod mcp;
mod models;
mod nats;
mod network;
mod permissions;
mod print;
mod problem;
mod provider_options;
mod providers;
mod quantity;
mod rate_limits;
mod reader;
mod repositories;
mod resolve;
mod sandbox;
mod sandbox_roots;
mod secret;
mod server;
mod tree;
mod vaults;
mod web;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::blobs::{BlobOptions, RawBlobs};
pub use self::database::{DatabaseOptions, RawDatabase};
pub use self::docker::{DockerOptions, RawDocker};
pub use self::engine::{EngineOptions, RawEngine};
pub use self::environment::Environment;
pub(crate) use self::key_file::read_key;
pub use self::kubernetes::{KubernetesOptions, RawKubernetes, RawToleration};
pub use self::log::{LogFormat, LogOptions, RawLog};
pub use self::mcp::RawMcp;
pub use self::models::{Model, Models, Price, RawModel, RawPrice};
pub use self::nats::RawNats;
pub use self::network::{NetworkMode, NetworkOptions, RawNetwork};
pub use self::permissions::RawPermissions;
pub use self::problem::{ConfigError, Problem};
pub use self::provider_options::{HttpApi, ProviderApi, ProviderKey, ProviderOptions};
pub use self::providers::{KeyHeader, ProviderKind, RawProvider};
pub use self::quantity::{ByteSize, Span};
pub use self::rate_limits::{RateLimits, RawRateLimits};
pub use self::repositories::RawRepositories;
pub use self::sandbox::{
    CheckpointPlace, DiskMode, RawSandbox, RequiredTier, SandboxMode, SandboxOptions,
};
pub use self::secret::Secret;
pub use self::server::{RawServer, ServerOptions};
pub use self::tree::Origin;
pub use self::vaults::{MasterKeySource, RawVaults, VaultOptions};
pub use self::web::{RawWeb, SearchChoice, WebOptions};

use self::resolve::Resolving;
use self::tree::Node;

/// The configuration as it is written: one struct per section.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawConfig {
    pub server: RawServer,
    pub database: RawDatabase,
    pub blobs: RawBlobs,
    pub nats: RawNats,
    pub log: RawLog,
    pub rate_limits: RawRateLimits,
    pub sandbox: RawSandbox,
    pub network: RawNetwork,
    pub repositories: RawRepositories,
    pub vaults: RawVaults,
    pub mcp: RawMcp,
    pub web: RawWeb,
    pub engine: RawEngine,
    pub permissions: RawPermissions,
    pub providers: BTreeMap<String, RawProvider>,
    /// By id; written as an array of tables.
    pub models: BTreeMap<String, RawModel>,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self {
            server: RawServer::default(),
            database: RawDatabase::default(),
            blobs: RawBlobs::default(),
            nats: RawNats::default(),
            log: RawLog::default(),
            rate_limits: RawRateLimits::default(),
            sandbox: RawSandbox::default(),
            network: RawNetwork::default(),
            repositories: RawRepositories::default(),
            vaults: RawVaults::default(),
            mcp: RawMcp::default(),
            web: RawWeb::default(),
            engine: RawEngine::default(),
            permissions: RawPermissions::default(),
            providers: providers::built_in(),
            models: known_models::built_in(),
        }
    }
}

/// The configuration as the server uses it.
#[derive(Debug, Clone)]
pub struct Config {
    pub server: ServerOptions,
    pub database: DatabaseOptions,
    pub blobs: BlobOptions,
    /// None: previews stay where they are made.
    pub nats: Option<hostler_relay::RelayOptions>,
    pub log: LogOptions,
    /// None when the limits are turned off.
    pub rate_limits: Option<RateLimits>,
    pub sandbox: SandboxOptions,
    pub network: NetworkOptions,
    pub repositories: hostler_engine::RepositoryOptions,
    pub vaults: VaultOptions,
    pub mcp: hostler_mcp::Options,
    pub web: WebOptions,
    pub engine: EngineOptions,
    /// Who judges calls under the policy `auto`.
    pub judge: Option<hostler_engine::JudgeOptions>,
    pub providers: BTreeMap<String, ProviderOptions>,
    pub models: Models,
}

/// Settings from the command line. They win over everything else.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub config: Option<PathBuf>,
    pub listen: Option<String>,
    pub data_dir: Option<PathBuf>,
    pub database: Option<String>,
    pub sandbox: Option<SandboxMode>,
    pub log_format: Option<LogFormat>,
}

/// A valid configuration, and where each part of it came from.
pub struct Loaded {
    pub config: Config,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    raw: RawConfig,
    tree: Node,
}

/// The tree holds secrets as plain text, so it is never shown.
impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    /// The configuration as TOML, each key with its origin, secrets masked.
    pub fn to_toml(&self) -> String {
        print::to_toml(&self.raw, &self.tree)
    }
}

/// Reads all sources and resolves them, or says everything that is wrong.
pub fn load(overrides: &Overrides, environment: &Environment) -> Result<Loaded, ConfigError> {
    let mut problems = Vec::new();
    let file = layers::find_file(overrides, environment);
    let mut tree = layers::merge(file.as_deref(), overrides, environment, &mut problems);
    let raw = layers::read(&mut tree, &mut problems);
    match raw {
        Some(raw) if problems.is_empty() => {
            let config = raw.resolve(&Resolving { tree: &tree }, &mut problems);
            if problems.is_empty() {
                return Ok(Loaded {
                    config,
                    file,
                    raw,
                    tree,
                });
            }
            Err(ConfigError { problems })
        }
        Some(_) | None => Err(ConfigError { problems }),
    }
}

impl RawConfig {
    fn resolve(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Config {
        let server = self.server.resolve(at, problems);
        let database = self.database.resolve(at, problems);
        let blobs = self.blobs.resolve(at, problems);
        let nats = self.nats.resolve(&database, at, problems);
        let log = self.log.resolve(at, problems);
        let rate_limits = self.rate_limits.resolve(at, problems);
        let sandbox = self.sandbox.resolve(&server.data_dir, at, problems);
        let network = self.network.resolve(at, problems);
        let repositories = self.repositories.resolve(at, problems);
        let vaults = self.vaults.resolve(at, problems);
        let mcp = self.mcp.resolve(at, problems);
        let web = self.web.resolve(at, problems);
        let engine = self.engine.resolve(at, problems);
        let provider_names: Vec<&str> = self.providers.keys().map(String::as_str).collect();
        let models = models::resolve(&self.models, &provider_names, at, problems);
        let judge = self.permissions.resolve(&models, at, problems);
        let mut providers = BTreeMap::new();
        for (name, provider) in &self.providers {
            if let Some(provider) = provider.resolve(name, at, problems) {
                providers.insert(name.clone(), provider);
            }
        }
        Config {
            server,
            database,
            blobs,
            nats,
            log,
            rate_limits,
            sandbox,
            network,
            repositories,
            vaults,
            mcp,
            web,
            engine,
            judge,
            providers,
            models,
        }
    }
}

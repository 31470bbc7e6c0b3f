//! From the resolved configuration to what each crate wants to be made with. Values only: nothing here
//! starts anything.

mod mcp;
mod models;
mod providers;
mod web;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hostler_domain::Env;
use hostler_egress::{Gateway, GatewayOptions};
use hostler_engine::{McpTokens, PackageOptions, RootOptions};
use hostler_http::{CpuTime, HttpOptions, MetricsText, RateLimits};
use hostler_image::{ImageError, ImageStore};
use hostler_protocol::id::EventId;
use hostler_sandbox::{
    Backend, DiskChoice, Docker, HostOptions, Kubernetes, KubernetesApi, Limits, NetworkAccess,
    Tier,
};
use hostler_vault::Keyring;
use tokio_util::sync::CancellationToken;

use crate::config::{
    CheckpointPlace, Config, DiskMode, KubernetesOptions, NetworkMode, NetworkOptions,
    RequiredTier, SandboxMode, SandboxOptions,
};

pub(crate) use mcp::tokens as mcp_tokens;
pub(crate) use models::catalog;
pub(crate) use providers::{providers, read_script};
pub(crate) use web::tools as web_tools;

use crate::limits::{RUNNER_REST, SWEEP_INTERVAL};

/// What makes sandboxes with these options.
pub(crate) fn sandbox_host(options: &SandboxOptions, network: &NetworkOptions) -> HostOptions {
    let mut host = HostOptions::new(&options.state_dir);
    host.backend = match options.mode {
        SandboxMode::Isolated => Backend::Local,
        SandboxMode::Docker => Backend::Docker(Docker {
            engine: options.docker.engine.clone(),
            image: options.docker.image.clone(),
        }),
        SandboxMode::Kubernetes => Backend::Kubernetes(Box::new(kubernetes(&options.kubernetes))),
        SandboxMode::UnsafeProcess => Backend::UnsafeProcess,
    };
    host.uid_base = options.uid_base;
    host.probe.network = match network.mode {
        NetworkMode::Gateway => NetworkAccess::Gateway,
        NetworkMode::None => NetworkAccess::None,
    };
    host.limits = Limits {
        memory_bytes: options.memory_bytes,
        processes: options.processes,
        cpu_percent: options.cpu_percent,
        disk_bytes: Some(options.disk_bytes),
        disk_files: options.disk_files,
        open_files: options.open_files,
        tmp_bytes: options.tmp_bytes,
        tmp_files: options.tmp_files,
    };
    host.disk = match options.disk {
        // An image makes the making of a sandbox slower: whoever has not asked for what only it
        // gives does not pay for it.
        DiskMode::Auto => match options.require {
            Some(RequiredTier::Full) => DiskChoice::Auto,
            Some(RequiredTier::User | RequiredTier::Restricted) | None => DiskChoice::PerFile,
        },
        DiskMode::Image => DiskChoice::Image,
        DiskMode::PerFile => DiskChoice::PerFile,
    };
    host.pool = options.pool;
    host.require = options.require.map(|required| match required {
        RequiredTier::Restricted => Tier::Restricted,
        RequiredTier::User => Tier::User,
        RequiredTier::Full => Tier::Full,
    });
    host
}

fn kubernetes(options: &KubernetesOptions) -> Kubernetes {
    let toleration = |toleration| serde_json::to_value(toleration).unwrap_or_default();
    Kubernetes {
        api: KubernetesApi {
            server: options.server.clone(),
            ca_file: options.ca_file.clone(),
            token_file: options.token_file.clone(),
        },
        namespace: options.namespace.clone(),
        image: options.image.clone(),
        agent_image: options.agent_image.clone(),
        agent_program: options.agent_program.clone(),
        image_pull_secrets: options.image_pull_secrets.clone(),
        service_account: options.service_account.clone(),
        node_selector: options.node_selector.clone(),
        tolerations: options.tolerations.iter().map(toleration).collect(),
        runtime_class: options.runtime_class.clone(),
        user_namespaces: options.user_namespaces,
    }
}

/// The way out of the sandboxes of a server that listens at `listening`.
pub(crate) fn gateway(options: &NetworkOptions, listening: SocketAddr) -> Option<Gateway> {
    match options.mode {
        NetworkMode::Gateway => Some(Gateway::new(gateway_options(options, listening))),
        NetworkMode::None => None,
    }
}

fn gateway_options(options: &NetworkOptions, listening: SocketAddr) -> GatewayOptions {
    GatewayOptions {
        allowed_private: options.allowed_networks.clone(),
        hosts: options.hosts.clone(),
        forbidden: vec![listening],
        ..GatewayOptions::default()
    }
}

/// Which root file systems sandboxes may have, and where their trees are.
pub(crate) fn roots(config: &Config) -> Result<RootOptions, ImageError> {
    let settings = &config.sandbox.roots;
    Ok(RootOptions {
        images: Some(ImageStore::open(&images_folder(config))?),
        default: settings.root.clone(),
        allowed: settings.allowed.clone(),
    })
}

pub(crate) fn images_folder(config: &Config) -> PathBuf {
    config.server.data_dir.join("images")
}

/// How requests are answered. `draining` is the soft stop.
pub(crate) fn http(
    config: &Config,
    isolation_tier: &'static str,
    metrics: MetricsText,
    draining: CancellationToken,
    roots: RootOptions,
    keyring: Option<Arc<Keyring>>,
    tokens: McpTokens,
) -> HttpOptions {
    let server = &config.server;
    HttpOptions {
        require_beta_header: server.require_beta_header,
        body_bytes_max: usize::try_from(server.max_body_bytes).unwrap_or(usize::MAX),
        held_bytes_max: usize::try_from(server.max_held_bytes).unwrap_or(usize::MAX),
        file_bytes_max: server.max_upload_bytes,
        uploads_downloadable: server.uploads_downloadable,
        requests_max: server.max_requests,
        streams_max: server.max_streams,
        rate_limits: match config.rate_limits {
            Some(limits) => RateLimits {
                writes_per_minute: Some(limits.create_per_minute),
                reads_per_minute: Some(limits.read_per_minute),
                files_per_minute: Some(limits.files_per_minute),
            },
            None => RateLimits::OFF,
        },
        isolation_tier: Some(isolation_tier),
        cpu_time: cpu_time(),
        metrics,
        draining,
        environment_check: Arc::new(move |metadata| roots.choose(metadata).map(drop)),
        repository_hosts: config.repositories.hosts.clone(),
        keyring,
        credential_trial: Some(mcp::credential_trial(tokens)),
        ..HttpOptions::default()
    }
}

/// Shared by all processors that this process may use.
fn cpu_time() -> CpuTime {
    use rustix::time::{ClockId, clock_gettime};
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    Arc::new(move || {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        Duration::try_from(used).unwrap_or_default() / processors
    })
}

/// How sessions are run. The owner of leases is new with each start, so that a server never takes a lease
/// of its own last life for one that it holds; the replica in front tells whose last life it was.
pub(crate) fn engine(
    config: &Config,
    env: &Env,
    replica: &str,
    roots: RootOptions,
    vault_keys: Option<Arc<Keyring>>,
) -> hostler_engine::EngineOptions {
    let options = &config.engine;
    let start: EventId = env.id();
    hostler_engine::EngineOptions {
        owner: format!("{replica}-{start}"),
        lease: options.lease,
        running_sessions_max: options.max_running_sessions,
        model_attempts_max: options.model_retry_limit.saturating_add(1),
        model_retry_base: options.model_retry_base,
        model_retry_max: options.model_retry_max,
        compaction_percent: percent(options.compaction_threshold),
        parallel_tools_max: options.max_parallel_tools,
        rest: RUNNER_REST,
        sweep_interval: SWEEP_INTERVAL,
        sandbox_idle_stop: config.sandbox.idle_stop,
        sandbox_idle_max: config.sandbox.idle_max,
        sandbox_keep: config.sandbox.keep,
        packages: PackageOptions {
            sources: config.sandbox.roots.package_sources.clone(),
            environment: config.sandbox.roots.package_environment.clone(),
            build_time_max: config.sandbox.roots.package_install_time,
            keep_unused: config.sandbox.roots.package_keep,
        },
        repositories: config.repositories.clone(),
        roots,
        vault_keys,
        judge: config.judge.clone(),
        sandbox_checkpoints: match config.sandbox.checkpoint {
            CheckpointPlace::Local => hostler_engine::Checkpoints::Local,
            CheckpointPlace::Blobs => hostler_engine::Checkpoints::Blobs {
                evict: config.sandbox.checkpoint_evict,
            },
        },
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the share is checked to be below 1"
)]
#[expect(clippy::cast_sign_loss, reason = "the share is checked to be above 0")]
fn percent(share: f64) -> u64 {
    (share * 100.0).round() as u64
}

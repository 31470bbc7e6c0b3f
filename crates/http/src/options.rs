//! What an operator can set about this crate. The server crate fills it from its configuration.

use std::error::Error;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hostler_protocol::credential::CredentialValidation;
use hostler_protocol::decode::Metadata;
use hostler_protocol::id::{CredentialId, VaultId, WorkspaceId};
use hostler_protocol::session_repository::RepositoryHosts;
use hostler_vault::Keyring;
use tokio_util::sync::CancellationToken;

/// Writes the text of `/metrics`.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// What this process has had of the processors, to the number of those.
pub type CpuTime = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Whether an environment with this metadata can be had here, or why not.
pub type EnvironmentCheck = Arc<dyn Fn(&Metadata) -> Result<(), String> + Send + Sync>;

/// Tries out a credential. It takes connections to other servers, which this crate does not make.
pub type CredentialTrial = Arc<
    dyn Fn(
            WorkspaceId,
            VaultId,
            CredentialId,
        ) -> BoxFuture<'static, Result<CredentialValidation, TrialError>>
        + Send
        + Sync,
>;

/// Why a credential was not tried out.
#[derive(Debug)]
pub enum TrialError {
    NotFound,
    /// It is not one that can be, in a sentence.
    Invalid(String),
    Internal(Box<dyn Error + Send + Sync>),
}

#[derive(Clone)]
pub struct HttpOptions {
    /// Whether a route of a beta feature is hidden (404) from requests without its beta header.
    pub require_beta_header: bool,
    /// Largest body of a JSON request.
    pub body_bytes_max: usize,
    /// Bytes of bodies and answers that are held at the same time; requests that need more are told
    /// to come back (529).
    pub held_bytes_max: usize,
    /// Largest uploaded file.
    pub file_bytes_max: u64,
    /// Bytes that the files of one workspace may have together.
    pub storage_bytes_max: u64,
    /// Whether uploaded files can be downloaded again. The hosted service says no.
    pub uploads_downloadable: bool,
    /// How long a client may take to send a JSON body.
    pub body_read_time_max: Duration,
    /// How long a client may take to upload a file.
    pub upload_read_time_max: Duration,
    /// Requests that are worked on at the same time; more are told to come back (529).
    pub requests_max: usize,
    /// Event streams that are open at the same time; more are told to come back (529).
    pub streams_max: usize,
    /// Silence on an event stream after which a ping is sent.
    pub ping_interval: Duration,
    pub rate_limits: RateLimits,
    /// How much separates sessions' sandboxes from this machine, in one word. Answers about
    /// sessions carry it in a header.
    pub isolation_tier: Option<&'static str>,
    pub metrics: MetricsText,
    /// By it requests are found to come faster than they are read; one that stands still says they never do.
    pub cpu_time: CpuTime,
    pub environment_check: EnvironmentCheck,
    pub repository_hosts: RepositoryHosts,
    /// What seals credentials; without it none is kept.
    pub keyring: Option<Arc<Keyring>>,
    /// Without it credentials can't be tried out.
    pub credential_trial: Option<CredentialTrial>,
    /// Cancelled when the server starts to drain: `/readyz` says 503 and event streams close.
    pub draining: CancellationToken,
}

/// Requests per minute and workspace; `None` switches a limit off.
#[derive(Debug, Clone, Copy)]
pub struct RateLimits {
    pub writes_per_minute: Option<NonZeroU32>,
    pub reads_per_minute: Option<NonZeroU32>,
    /// All requests to `/v1/files`, which then count nowhere else.
    pub files_per_minute: Option<NonZeroU32>,
}

impl RateLimits {
    pub const OFF: Self = Self {
        writes_per_minute: None,
        reads_per_minute: None,
        files_per_minute: None,
    };
}

/// The figures of the hosted service.
impl Default for RateLimits {
    fn default() -> Self {
        Self {
            writes_per_minute: NonZeroU32::new(300),
            reads_per_minute: NonZeroU32::new(1_200),
            files_per_minute: NonZeroU32::new(500),
        }
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            require_beta_header: true,
            body_bytes_max: 32 * 1024 * 1024,
            held_bytes_max: 256 * 1024 * 1024,
            file_bytes_max: 500 * 1024 * 1024,
            storage_bytes_max: 1_000_000_000_000,
            uploads_downloadable: false,
            body_read_time_max: Duration::from_secs(60),
            upload_read_time_max: Duration::from_secs(15 * 60),
            requests_max: 2_048,
            streams_max: 16_384,
            ping_interval: Duration::from_secs(15),
            rate_limits: RateLimits::default(),
            isolation_tier: None,
            metrics: Arc::new(String::new),
            cpu_time: Arc::new(|| Duration::ZERO),
            environment_check: Arc::new(|_| Ok(())),
            repository_hosts: RepositoryHosts::default(),
            keyring: None,
            credential_trial: None,
            draining: CancellationToken::new(),
        }
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpOptions")
            .field("require_beta_header", &self.require_beta_header)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("rate_limits", &self.rate_limits)
            .finish_non_exhaustive()
    }
}

//! The HTTP edge, and the only crate that knows axum: it reads requests, asks the store, and
//! writes answers in the wire's words.
//!
//! Entry point: [`router`]. A request passes `frame.rs` (id, span, errors), then `admission.rs`
//! (key, headers, limits), then its handler in the file that is named after the resource.
//! `routes.rs` is the index of the API.
//!
//! This crate never acts on a session: it appends to the log and follows it. It knows no model,
//! no sandbox, no SQL, and spawns no task.

mod admission;
mod agents;
mod api_error;
mod api_key;
mod beta;
mod body;
mod caller;
mod cursor;
mod environments;
mod fair;
mod files;
mod form;
mod frame;
mod health;
mod held;
mod limits;
mod model_lookup;
mod models;
mod openapi;
mod operation;
mod options;
mod page_range;
mod pagination;
mod path_id;
mod query;
mod rate_limit;
mod refusals;
mod refused;
mod routes;
mod sessions;
mod skills;
mod sse;
mod strict_json;
mod turns;
mod vaults;

pub use api_key::{ApiKeyText, NoRandomness};
pub use limits::BODY_BYTES_HELD;
pub use options::{
    CpuTime, CredentialTrial, EnvironmentCheck, HttpOptions, MetricsText, RateLimits, TrialError,
};

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use hostler_domain::Env;
use hostler_domain::catalog::ModelCatalog;
use hostler_store::Store;
use tokio::sync::Semaphore;

use api_error::ApiError;
use caller::Keyring;
use fair::Shared;
use rate_limit::Limiter;
use refusals::Refusals;
use turns::Turns;

/// What the handlers work with.
#[derive(Debug)]
pub struct Api {
    pub(crate) store: Store,
    pub(crate) env: Env,
    pub(crate) catalog: Arc<ModelCatalog>,
    pub(crate) options: HttpOptions,
    keyring: Keyring,
    limiter: Limiter,
    refusals: Refusals,
    turns: Turns,
    /// One for each request that is being worked on.
    places: Semaphore,
    /// The same by workspace.
    requests: Arc<Shared>,
    /// One for each open event stream.
    streams: Arc<Shared>,
    /// One for each skill that is being unpacked.
    skill_uploads: Arc<Semaphore>,
    /// Bytes of bodies and answers.
    bytes: Arc<Shared>,
}

impl Api {
    pub fn new(store: Store, env: Env, catalog: Arc<ModelCatalog>, options: HttpOptions) -> Self {
        Self {
            store,
            env,
            catalog,
            keyring: Keyring::default(),
            limiter: Limiter::new(&options.rate_limits),
            refusals: Refusals::default(),
            turns: Turns::new(),
            places: Semaphore::new(options.requests_max),
            requests: Shared::new(options.requests_max),
            streams: Shared::new(options.streams_max),
            skill_uploads: Arc::new(Semaphore::new(limits::SKILL_UPLOADS_AT_ONCE)),
            bytes: Shared::new(options.held_bytes_max),
            options,
        }
    }
}

/// The whole service: the API, and what operators ask without a key.
pub fn router(api: Api) -> Router {
    let api = Arc::new(api);
    let admitted = routes::all()
        .router
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .route_layer(from_fn_with_state(Arc::clone(&api), admission::admit));
    admitted
        .merge(health::router())
        .fallback(|| async { ApiError::no_such_route("Not found") })
        .layer(from_fn_with_state(Arc::clone(&api), frame::frame))
        .with_state(api)
}

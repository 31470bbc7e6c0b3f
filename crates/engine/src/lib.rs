//! Everything that acts on a session: one runner for each session that has work.
//!
//! [`Engine::run`] is the one entry point. It follows the store's wake-ups and a slow sweep,
//! takes a session's lease and runs `runner.rs` for it until the session rests. What to do is
//! decided in `hostler-domain`; this crate only does it and records what came of it.
//!
//! It answers no requests, and it keeps nothing in memory that the log does not hold.

mod announcing;
mod attachments;
mod backoff;
mod checkpoints;
mod fence;
mod folding;
mod giving_up;
mod journal;
mod judging;
mod keeping;
mod leases;
mod limits;
mod mcp;
mod metered;
mod model_call;
mod network;
mod options;
mod out_of_reach;
mod outputs;
mod packages;
mod pool;
mod preparation;
mod preview;
mod prompt;
mod repositories;
mod resume;
mod root_choice;
mod runner;
mod sandbox_news;
mod sandbox_prompt;
mod secrets;
mod session_sandbox;
mod skills;
mod supervisor;
mod suspects;
mod sweep;
mod tools;
mod uploads;
mod web;

pub use mcp::{EgressGuard, McpTokens, ValidationError};
pub use options::{Checkpoints, Engine, EngineOptions, JudgeOptions, Outside};
pub use packages::PackageOptions;
pub use repositories::RepositoryOptions;
pub use root_choice::{ROOT_METADATA_KEY, RootChoice, RootOptions};
pub use web::WebTools;

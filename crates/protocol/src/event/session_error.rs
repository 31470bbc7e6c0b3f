//! `session.error`: what went wrong, and whether the session goes on by itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `error` of a `session.error` event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionError {
    #[serde(rename = "type")]
    pub kind: SessionErrorKind,
    /// Written for the person who runs the agent; holds no secrets.
    pub message: String,
    pub retry_status: RetryStatus,
}

/// The part of the contract's closed set that this version can produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionErrorKind {
    UnknownError,
    ModelOverloadedError,
    ModelRateLimitedError,
    ModelRequestFailedError,
    BillingError,
    ToolUseLimitReachedError,
    CompactionLimitReachedError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RetryStatus {
    /// The server goes on by itself.
    Retrying,
    /// This turn is over; the session is idle and takes new input.
    Exhausted,
    /// The session becomes terminated.
    Terminal,
}

//! Section `[engine]`: how many sessions run at once, how model calls are retried, when history is compacted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::quantity::Span;
use super::resolve::Resolving;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawEngine {
    /// Sessions that are in a turn at the same time; further ones wait for their place.
    pub max_running_sessions: u32,
    /// How long a session belongs to the server that runs it, from the last time that this server was heard
    /// of by a database that several share. Another one then goes on with the session.
    pub lease: Span,
    /// Times that a failed model call is tried again before the turn gives up.
    pub model_retry_limit: u32,
    /// The wait before the first retry; it doubles with each. A provider's `retry-after` is obeyed.
    pub model_retry_base: Span,
    /// The longest wait between retries.
    pub model_retry_max: Span,
    /// The share of the context window at which older history is summarised, from 0.1 to 0.95.
    pub compaction_threshold: f64,
    /// Tool calls of one answer that run at the same time.
    pub max_parallel_tools: u32,
}

impl Default for RawEngine {
    fn default() -> Self {
        Self {
            max_running_sessions: 1000,
            lease: Span(Duration::from_secs(30)),
            model_retry_limit: 6,
            model_retry_base: Span(Duration::from_secs(1)),
            model_retry_max: Span(Duration::from_secs(60)),
            compaction_threshold: 0.8,
            max_parallel_tools: 8,
        }
    }
}

/// The resolved section.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    pub max_running_sessions: usize,
    pub lease: Duration,
    pub model_retry_limit: u32,
    pub model_retry_base: Duration,
    pub model_retry_max: Duration,
    pub compaction_threshold: f64,
    pub max_parallel_tools: usize,
}

impl RawEngine {
    pub(super) fn resolve(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> EngineOptions {
        let mut refuse = |key: &str, message: &str| {
            problems.push(at.problem(&["engine", key], message));
        };
        for (key, count) in [
            ("max_running_sessions", self.max_running_sessions),
            ("max_parallel_tools", self.max_parallel_tools),
        ] {
            if count == 0 {
                refuse(key, "must be at least 1");
            }
        }
        if self.lease.0 < Duration::from_secs(1) {
            refuse("lease", "must be at least 1 second");
        }
        if self.model_retry_base.0.is_zero() {
            refuse("model_retry_base", "must be more than 0");
        }
        if self.model_retry_max.0 < self.model_retry_base.0 {
            refuse(
                "model_retry_max",
                "must not be less than `model_retry_base`",
            );
        }
        if !(0.1..=0.95).contains(&self.compaction_threshold) {
            refuse("compaction_threshold", "must be from 0.1 to 0.95");
        }
        EngineOptions {
            max_running_sessions: self.max_running_sessions as usize,
            lease: self.lease.0,
            model_retry_limit: self.model_retry_limit,
            model_retry_base: self.model_retry_base.0,
            model_retry_max: self.model_retry_max.0,
            compaction_threshold: self.compaction_threshold,
            max_parallel_tools: self.max_parallel_tools as usize,
        }
    }
}

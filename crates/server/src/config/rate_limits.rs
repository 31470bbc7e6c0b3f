//! Section `[rate_limits]`: token buckets per workspace, with the figures of the hosted service.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::resolve::Resolving;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawRateLimits {
    /// Turn the limits off on a machine that only you use.
    pub enabled: bool,
    /// Requests that create something, in a minute.
    pub create_per_minute: u32,
    /// Requests that read or change something, in a minute.
    pub read_per_minute: u32,
    /// Requests to the files resource, in a minute.
    pub files_per_minute: u32,
}

impl Default for RawRateLimits {
    fn default() -> Self {
        Self {
            enabled: true,
            create_per_minute: 300,
            read_per_minute: 1200,
            files_per_minute: 500,
        }
    }
}

/// The resolved section; no limits at all when they are turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    pub create_per_minute: NonZeroU32,
    pub read_per_minute: NonZeroU32,
    pub files_per_minute: NonZeroU32,
}

impl RawRateLimits {
    pub(super) fn resolve(
        &self,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<RateLimits> {
        let mut at_least_one = |key: &str, count: u32| {
            NonZeroU32::new(count).unwrap_or_else(|| {
                let message =
                    "must be at least 1; to have no limits, set rate_limits.enabled = false";
                problems.push(at.problem(&["rate_limits", key], message));
                NonZeroU32::MIN
            })
        };
        let limits = RateLimits {
            create_per_minute: at_least_one("create_per_minute", self.create_per_minute),
            read_per_minute: at_least_one("read_per_minute", self.read_per_minute),
            files_per_minute: at_least_one("files_per_minute", self.files_per_minute),
        };
        self.enabled.then_some(limits)
    }
}

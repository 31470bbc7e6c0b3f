//! Token buckets per workspace: writes, reads, and everything about files.
//!
//! Keys are the ids of workspaces whose key was valid, so strangers can't fill the memory.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::Method;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hostler_protocol::id::WorkspaceId;

use crate::ApiError;
use crate::limits::RATE_CLEANUP_INTERVAL;
use crate::options::RateLimits;

type Buckets = Option<DefaultKeyedRateLimiter<WorkspaceId>>;

/// The buckets of all workspaces.
#[derive(Debug)]
pub(crate) struct Limiter {
    writes: Buckets,
    reads: Buckets,
    files: Buckets,
    clock: DefaultClock,
    checks: AtomicU64,
}

impl Limiter {
    pub(crate) fn new(limits: &RateLimits) -> Self {
        let buckets = |per_minute: Option<NonZeroU32>| {
            per_minute.map(|requests| RateLimiter::keyed(Quota::per_minute(requests)))
        };
        Self {
            writes: buckets(limits.writes_per_minute),
            reads: buckets(limits.reads_per_minute),
            files: buckets(limits.files_per_minute),
            clock: DefaultClock::default(),
            checks: AtomicU64::new(0),
        }
    }

    /// Takes a token from the bucket that the request counts against.
    ///
    /// # Errors
    /// 429 with the time after which a token is there.
    pub(crate) fn check(
        &self,
        workspace: WorkspaceId,
        method: &Method,
        route: &str,
    ) -> Result<(), ApiError> {
        let buckets = if route.starts_with("/v1/files") {
            &self.files
        } else if method.is_safe() {
            &self.reads
        } else {
            &self.writes
        };
        let Some(buckets) = buckets else {
            return Ok(());
        };
        // Full buckets of workspaces that went quiet are forgotten now and then.
        let check = self.checks.fetch_add(1, Ordering::Relaxed);
        if check.is_multiple_of(RATE_CLEANUP_INTERVAL) {
            buckets.retain_recent();
        }
        buckets
            .check_key(&workspace)
            .map_err(|not_until| ApiError::rate_limited(not_until.wait_time_from(self.clock.now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_domain::Env;

    #[test]
    fn each_workspace_and_kind_has_its_own_bucket() {
        let limiter = Limiter::new(&RateLimits {
            writes_per_minute: NonZeroU32::new(2),
            ..RateLimits::OFF
        });
        let env = Env::fixed(1);
        let (one, two): (WorkspaceId, WorkspaceId) = (env.id(), env.id());
        let write = |workspace| limiter.check(workspace, &Method::POST, "/v1/agents");
        assert!(write(one).is_ok() && write(one).is_ok());
        assert_eq!(write(one).unwrap_err().status(), 429);
        assert!(write(two).is_ok());
        assert!(limiter.check(one, &Method::GET, "/v1/agents").is_ok());
        assert!(limiter.check(one, &Method::POST, "/v1/files").is_ok());
    }
}

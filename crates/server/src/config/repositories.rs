//! Section `[repositories]`: which Git repositories sessions may be made with, and what one may cost.

use std::time::Duration;

use hostler_engine::RepositoryOptions;
use hostler_protocol::session_repository::RepositoryHosts;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::quantity::{ByteSize, Span};
use super::resolve::Resolving;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawRepositories {
    /// The Git hosts that repositories of sessions may come from: `host` or `host:port` for https, and
    /// `http://host:port` for a host without it, whose repositories anybody on the way can change. One at a
    /// private address needs to be permitted in `[network]` too. An empty list: none.
    pub allowed_hosts: Vec<String>,
    /// How long a clone or a fetch may take, and again a checkout; at most `"10m"`.
    pub clone_time: Span,
    /// What is fetched of one repository may have this many bytes, and so may the files of its checkout.
    pub max_bytes: ByteSize,
    /// Files that a checkout may have.
    pub max_files: u64,
    /// Room for clones that are kept, so that the next session fetches only what is new. Those used
    /// longest ago go first.
    pub cache_bytes: ByteSize,
}

impl Default for RawRepositories {
    fn default() -> Self {
        let RepositoryOptions {
            clone_time_max,
            bytes_max,
            files_max,
            cache_bytes_max,
            ..
        } = RepositoryOptions::default();
        Self {
            allowed_hosts: vec!["github.com".to_owned()],
            clone_time: Span(clone_time_max),
            max_bytes: ByteSize(bytes_max),
            max_files: files_max,
            cache_bytes: ByteSize(cache_bytes_max),
        }
    }
}

/// The longest that one command of a sandbox may take.
const CLONE_TIME_MAX: Duration = Duration::from_secs(600);
/// Less than this and git's own files do not fit.
const BYTES_MIN: u64 = 1 << 20;

impl RawRepositories {
    pub(super) fn resolve(
        &self,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> RepositoryOptions {
        let mut refuse = |key: &str, message: String| {
            problems.push(at.problem(&["repositories", key], message));
        };
        let mut hosts = Vec::new();
        for text in &self.allowed_hosts {
            match text.parse() {
                Ok(host) => hosts.push(host),
                Err(message) => refuse("allowed_hosts", message),
            }
        }
        if self.clone_time.0.is_zero() || self.clone_time.0 > CLONE_TIME_MAX {
            let longest = Span(CLONE_TIME_MAX);
            refuse(
                "clone_time",
                format!("must be more than 0 and at most {longest}"),
            );
        }
        if self.max_bytes.0 < BYTES_MIN {
            let least = ByteSize(BYTES_MIN);
            refuse("max_bytes", format!("must be at least {least}"));
        }
        if self.max_files == 0 {
            refuse("max_files", "must be at least 1".to_owned());
        }
        RepositoryOptions {
            hosts: RepositoryHosts::new(hosts),
            clone_time_max: self.clone_time.0,
            bytes_max: self.max_bytes.0,
            files_max: self.max_files,
            cache_bytes_max: self.cache_bytes.0,
        }
    }
}

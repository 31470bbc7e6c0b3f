//! Every bound of this crate, by name.

use std::time::Duration;

/// Jobs that wait for the writer before callers have to wait for a place in the queue.
pub(crate) const WRITE_QUEUE: usize = 1_024;
/// Jobs that share one commit, and so one sync.
pub(crate) const COMMIT_JOBS_MAX: usize = 256;
/// Connections that read side by side.
pub(crate) const READERS: usize = 4;
/// How long SQLite waits for another process (`hostler keys` beside `hostler serve`).
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that stay prepared on each connection.
pub(crate) const PREPARED_STATEMENTS: usize = 128;
/// Workspaces and keys that are listed at once.
pub(crate) const WORKSPACES_MAX: i64 = 10_000;
pub(crate) const API_KEYS_MAX: i64 = 10_000;

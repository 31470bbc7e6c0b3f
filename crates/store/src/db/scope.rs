//! What a write may change, and so what nobody else may change meanwhile.
//!
//! On SQLite there is one writer and nothing to do. On PostgreSQL a write first takes advisory
//! locks, always in the same order, so that writes can't wait for each other in a circle and each
//! sees what those before it have committed. **Invariant:** a job touches rows of its scope only.

use hostler_protocol::id::SessionId;

/// From the widest to the narrowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Anything, in a database that no server works with yet, so that nobody waits for it: it may itself wait for
    /// what it reads.
    FreshDatabase,
    /// Anything: no other write runs meanwhile. The right one for whatever is seldom.
    Everything,
    /// A session that nobody knows of yet. What it is made from is read, and stays as it is.
    NewSession,
    /// The row of one session, its agent and its events.
    Session(SessionId),
    /// The leases of this process.
    OwnLeases,
}

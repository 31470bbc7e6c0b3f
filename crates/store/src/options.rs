//! What the owner of a store can choose.

use std::time::Duration;

use crate::PostgresAddress;
use crate::limits::{LOOK_INTERVAL, POSTGRES_READERS, POSTGRES_WRITERS};

/// Whether readers are told when to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WakeUps {
    #[default]
    On,
    /// Nobody is told anything: for tests and simulations, which prove that this costs nothing
    /// but time.
    Off,
}

/// By which clock leases run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeaseClock {
    /// That of the database, where it has one: those of several machines never agree. The one
    /// process of a file has its own.
    #[default]
    Shared,
    /// The caller's: for tests, which set the time.
    Callers,
}

/// What becomes of a database of an older version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Migrations {
    #[default]
    Apply,
    /// It is refused: somebody else brings it up to date.
    Require,
}

/// A PostgreSQL database and how it is used.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    pub address: PostgresAddress,
    /// Connections that write, and that read. Two more tell other processes and hear them.
    pub writers: usize,
    pub readers: usize,
}

impl PostgresOptions {
    #[must_use]
    pub fn new(address: PostgresAddress) -> Self {
        Self {
            address,
            writers: POSTGRES_WRITERS,
            readers: POSTGRES_READERS,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    pub wake_ups: WakeUps,
    pub lease_clock: LeaseClock,
    pub migrations: Migrations,
    /// Whoever waits for a session looks at it this often even without a wake-up, and so sees
    /// what other processes have appended.
    pub look_interval: Duration,
    /// A power cut, for crash tests: after this many appends of runners are on disk the store
    /// answers no runner any more, nor does it write for one. `None`: never.
    pub runner_appends_max: Option<u64>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            wake_ups: WakeUps::On,
            lease_clock: LeaseClock::Shared,
            migrations: Migrations::Apply,
            look_interval: LOOK_INTERVAL,
            runner_appends_max: None,
        }
    }
}

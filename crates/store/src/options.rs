//! What the owner of a store can choose.

use std::time::Duration;

use crate::limits::LOOK_INTERVAL;

/// Whether readers are told when to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WakeUps {
    #[default]
    On,
    /// Nobody is told anything: for tests and simulations, which prove that this costs nothing
    /// but time.
    Off,
}

#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    pub wake_ups: WakeUps,
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
            look_interval: LOOK_INTERVAL,
            runner_appends_max: None,
        }
    }
}

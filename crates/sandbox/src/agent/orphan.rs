//! Notices that the sandbox's directory on the host was deleted, which makes it an orphan:
//! nobody can find it again, and nobody else will ever end it.
//!
//! The one thing in a sandbox that wakes up by itself, at a long interval. There is nothing to
//! wait for instead: a watch on the directory would tell of every file made in it, and a
//! descriptor of the directory above would be a way out of the sandbox.

use std::time::{Duration, Instant};

use rustix::event::Timespec;

pub(super) struct OrphanCheck {
    interval: Duration,
    /// A deadline and not a pause, since ends of children interrupt every pause.
    next: Instant,
}

impl OrphanCheck {
    pub(super) fn every(interval: Duration) -> Self {
        Self {
            interval,
            next: Instant::now() + interval,
        }
    }

    pub(super) fn time_left(&self) -> Timespec {
        let left = self.next.saturating_duration_since(Instant::now());
        Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        }
    }

    /// Looks when it is time to.
    pub(super) fn finds_orphan(&mut self) -> bool {
        let now = Instant::now();
        if now < self.next {
            return false;
        }
        self.next = now + self.interval;
        is_deleted()
    }
}

/// The workspace is where this process stands, and where every command of the sandbox could
/// look as well. A local directory has no links left when its name is gone, and before that at
/// least one.
fn is_deleted() -> bool {
    rustix::fs::stat(".").is_ok_and(|workspace| workspace.st_nlink == 0)
}

//! Notices that the sandbox's directory on the host was deleted, which makes it an orphan:
//! nobody can find it again, and nobody else will ever end it.
//!
//! In a mount namespace the kernel tells: a file system of the sandbox lies on one of the
//! directory's own directories, see `inside/mounts.rs`, and whoever deletes that directory takes the
//! file system off. Where nothing can be mounted there is nothing to wait for: a watch
//! on files comes out of an allowance of 128 that all programs of the server's user share, and a
//! descriptor of the directory above would be a way out. There the agent wakes up at a long interval.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::Timespec;

pub(crate) enum OrphanCheck {
    Told(MountWatch),
    Periodic {
        interval: Duration,
        /// A deadline and not a pause, since ends of children interrupt every pause.
        next: Instant,
    },
}

/// Tells when a file system comes or goes in this namespace, which is when `place` was uncovered.
pub(crate) struct MountWatch {
    mounts: OwnedFd,
    place: &'static str,
}

impl MountWatch {
    /// Of changes from now on.
    pub(crate) fn of(place: &'static str) -> io::Result<Self> {
        let mounts = File::open("/proc/self/mounts")?.into();
        Ok(Self { mounts, place })
    }
}

impl OrphanCheck {
    pub(crate) fn every(interval: Duration) -> Self {
        Self::Periodic {
            interval,
            next: Instant::now() + interval,
        }
    }

    /// What becomes exceptional when there is a reason to look.
    pub(super) fn watch(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Told(watch) => Some(watch.mounts.as_fd()),
            Self::Periodic { .. } => None,
        }
    }

    /// `None`: no time is a reason to look.
    pub(super) fn time_left(&self) -> Option<Timespec> {
        match self {
            Self::Told(_) => None,
            Self::Periodic { next, .. } => {
                let left = next.saturating_duration_since(Instant::now());
                Some(Timespec {
                    tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
                    tv_nsec: left.subsec_nanos().into(),
                })
            }
        }
    }

    /// Looks when there is a reason to.
    pub(super) fn finds_orphan(&mut self, watch_told: bool) -> bool {
        match self {
            Self::Told(watch) => watch_told && is_deleted(watch.place),
            Self::Periodic { interval, next } => {
                let now = Instant::now();
                if now < *next {
                    return false;
                }
                *next = now + *interval;
                // The workspace is where this process stands.
                is_deleted(".")
            }
        }
    }
}

/// A local directory has no links left when its name is gone, and before that at least one. Every
/// command of the sandbox could look as well.
fn is_deleted(place: &str) -> bool {
    rustix::fs::stat(place).is_ok_and(|directory| directory.st_nlink == 0)
}

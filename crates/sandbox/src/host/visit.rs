//! An operator who is in a sandbox keeps the server from stopping it, though they are different
//! processes: a lock on the sandbox's directory, shared by visitors and wanted alone by whoever
//! stops it. It ends with the process that has it, and nobody inside a sandbox can reach it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

/// As long as it exists, the sandbox is not stopped for being idle.
#[derive(Debug)]
pub(super) struct Visit(OwnedFd);

/// As long as it exists, nobody begins a visit.
pub(super) struct Closing(Option<OwnedFd>);

impl Visit {
    /// `None`: it is being stopped.
    pub(super) fn begin(directory: &Path) -> io::Result<Option<Self>> {
        Ok(take(directory, FlockOperation::NonBlockingLockShared)?.map(Self))
    }
}

impl Closing {
    /// `None`: somebody visits it.
    pub(super) fn begin(directory: &Path) -> io::Result<Option<Self>> {
        match take(directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(lock) => Ok(lock.map(|lock| Self(Some(lock)))),
            // Nothing is there to be visited.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(Self(None))),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        unlock(&self.0);
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(directory) = &self.0 {
            unlock(directory);
        }
    }
}

fn take(directory: &Path, how: FlockOperation) -> io::Result<Option<OwnedFd>> {
    // One that only names it has no locks.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, flags, Mode::empty())?;
    match flock(&directory, how) {
        Ok(()) => Ok(Some(directory)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// At once: a process that is just being started has a copy of the descriptor for a moment.
fn unlock(directory: &OwnedFd) {
    let _ = flock(directory, FlockOperation::Unlock);
}

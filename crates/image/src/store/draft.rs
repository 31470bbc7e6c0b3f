//! A directory that a tree is made in, and that is gone unless it was finished.
//!
//! Its lock says that somebody is at it. A draft that nobody holds is what a crash has left.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::limits::DRAFTS_MAX;

pub(super) struct Draft {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Draft {
    pub(super) fn make(drafts: &Path) -> io::Result<Self> {
        let (lock_path, lock) = new_lock(drafts)?;
        let path = lock_path.with_extension("");
        flock(&lock, FlockOperation::LockExclusive)?;
        remove(&path)?;
        fs::create_dir(&path)?;
        Ok(Self {
            path,
            lock_path,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What stays is found by the next sweep.
        if let Err(error) = remove(&self.path) {
            tracing::warn!(draft = %self.path.display(), %error, "a draft is left behind");
        }
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// A name that nobody has. The draft itself is made after the lock was taken, so that no sweep
/// finds one without.
fn new_lock(drafts: &Path) -> io::Result<(PathBuf, File)> {
    for number in 0..DRAFTS_MAX {
        let path = drafts.join(format!("{}-{number}.lock", std::process::id()));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok((path, made?)),
        }
    }
    Err(io::Error::other("too many drafts are being made"))
}

/// Deletes the drafts that nobody works on. One that cannot be deleted stays in the way of nobody,
/// so it is told of and left for the next sweep.
pub(super) fn sweep(drafts: &Path) -> io::Result<()> {
    for entry in fs::read_dir(drafts)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "lock")
        {
            continue;
        }
        if let Err(error) = sweep_one(&path) {
            tracing::warn!(draft = %path.display(), %error, "a draft of an earlier run stays");
        }
    }
    Ok(())
}

fn sweep_one(path: &Path) -> io::Result<()> {
    let lock_path = path.with_extension("lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
        remove(path)?;
        let _ = fs::remove_file(&lock_path);
    }
    Ok(())
}

/// Takes a finished tree away.
pub(super) fn throw_away(drafts: &Path, directory: &Path) -> io::Result<()> {
    let draft = Draft::make(drafts)?;
    fs::rename(directory, draft.path().join("removed"))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

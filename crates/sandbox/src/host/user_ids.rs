//! Which ids of the host a sandbox has: a range of its own, so that what breaks out of one
//! sandbox owns nothing of another.
//!
//! **Invariant:** a range is given to a second sandbox only after all files of the first are
//! deleted. The range is on record in the sandbox's directory, also while that is in the trash.
//!
//! The record is a symbolic link whose target is the number: the kernel makes it whole or not at all, and before
//! the files that get these ids, so that no kill and no power cut leaves an empty one. Records of
//! older servers are files.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits::UID_RANGE;

const FILE_NAME: &str = "user_ids";
/// The last of a directory's files to be deleted: with it gone, nobody knows whose the others are.
pub(super) const LAST_FILE: &std::ffi::CStr = c"user_ids";

/// The first id of each range that has files.
#[derive(Default)]
pub(super) struct UserIds(Mutex<Ranges>);

#[derive(Default)]
struct Ranges {
    used: BTreeSet<u32>,
    /// Those of them whose files are in the trash.
    thrown_away: BTreeSet<u32>,
}

impl UserIds {
    /// Learns which ranges the sandboxes below these folders have. Trash and drafts were deleted
    /// before; what could not be keeps its range.
    pub(super) fn learn(&self, folders: &[PathBuf]) -> io::Result<()> {
        let mut ranges = self.lock();
        for folder in folders {
            for entry in fs::read_dir(folder)? {
                ranges.used.extend(of(&entry?.path())?);
            }
        }
        Ok(())
    }

    /// The lowest free range at or above `base`, given to the sandbox in `directory`.
    pub(super) fn give(&self, base: u32, directory: &Path) -> io::Result<u32> {
        let mut ranges = self.lock();
        let free = (base..=u32::MAX - UID_RANGE)
            .step_by(UID_RANGE as usize)
            .find(|first| {
                // A base that was changed leaves ranges in between.
                let touching = first.saturating_sub(UID_RANGE - 1)..first + UID_RANGE;
                ranges.used.range(touching).next().is_none()
            });
        let Some(first) = free else {
            let reason = format!(
                "every range of user ids above {base} has files of a sandbox; remove sandboxes, \
                 or lower uid_base"
            );
            return Err(io::Error::other(reason));
        };
        symlink(first.to_string(), directory.join(FILE_NAME))?;
        ranges.used.insert(first);
        Ok(first)
    }

    /// All files of the sandbox with this range are in the trash.
    pub(super) fn thrown_away(&self, range: Option<u32>) {
        self.lock().thrown_away.extend(range);
    }

    /// Deletes the trash by `delete`, and frees the ranges that were in it before.
    pub(super) fn free_after(&self, delete: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let before = std::mem::take(&mut self.lock().thrown_away);
        let deleted = delete();
        let mut ranges = self.lock();
        match &deleted {
            Ok(()) => ranges.used.retain(|first| !before.contains(first)),
            Err(_) => ranges.thrown_away.extend(before),
        }
        deleted
    }

    fn lock(&self) -> MutexGuard<'_, Ranges> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first id of the sandbox in `directory`, if it has a range: its root, and the owner of
/// its files as the host sees them.
pub(super) fn of(directory: &Path) -> io::Result<Option<u32>> {
    match read(&directory.join(FILE_NAME)) {
        Ok(text) => match text.parse() {
            Ok(first) if first > 0 && first <= u32::MAX - UID_RANGE => Ok(Some(first)),
            _ => Err(io::Error::other(format!(
                "the record of its user ids says {text:?}"
            ))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(record: &Path) -> io::Result<String> {
    match fs::read_link(record) {
        Ok(target) => Ok(target.to_string_lossy().into_owned()),
        // It is no link.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => fs::read_to_string(record),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_made_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(of(folder.path()).unwrap(), None);
        let first = UserIds::default().give(100_000, folder.path()).unwrap();
        assert_eq!(of(folder.path()).unwrap(), Some(first));
        let record = fs::symlink_metadata(folder.path().join(FILE_NAME)).unwrap();
        assert!(record.is_symlink(), "a file is there before what it says");
    }

    #[test]
    fn records_of_older_servers_are_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), "165536").unwrap();
        assert_eq!(of(folder.path()).unwrap(), Some(165_536));
        fs::write(folder.path().join(FILE_NAME), "").unwrap();
        assert!(of(folder.path()).is_err(), "whose its files are is unknown");
    }
}

//! How much of an archive is taken.

use crate::error::ImageError;
use crate::limits::{ENTRIES_MAX, TREE_BYTES_MAX};

/// What one tree may still grow by, over all of its layers.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    entries_left: u64,
    bytes_left: u64,
    bytes_unpacked: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            entries_left: ENTRIES_MAX,
            bytes_left: TREE_BYTES_MAX,
            bytes_unpacked: 0,
        }
    }
}

impl Bounds {
    pub(crate) fn take_entry(&mut self) -> Result<(), ImageError> {
        let left = self.entries_left.checked_sub(1);
        self.entries_left = left.ok_or_else(|| {
            ImageError::refused(format!(
                "it has more than {ENTRIES_MAX} files and directories"
            ))
        })?;
        Ok(())
    }

    /// For what files hold.
    pub(crate) fn take_bytes(&mut self, count: u64) -> Result<(), ImageError> {
        self.take(count)?;
        self.bytes_unpacked += count;
        Ok(())
    }

    /// For what is read and thrown away: headers of any number, each of which costs the reader.
    pub(crate) fn take_extension(&mut self, count: u64) -> Result<(), ImageError> {
        self.take(count)
    }

    fn take(&mut self, count: u64) -> Result<(), ImageError> {
        let left = self.bytes_left.checked_sub(count);
        self.bytes_left = left.ok_or_else(|| {
            let most = TREE_BYTES_MAX >> 30;
            ImageError::refused(format!(
                "its files and their headers hold more than {most} GiB"
            ))
        })?;
        Ok(())
    }

    /// Of all files that were unpacked.
    pub(crate) fn bytes_taken(&self) -> u64 {
        self.bytes_unpacked
    }
}

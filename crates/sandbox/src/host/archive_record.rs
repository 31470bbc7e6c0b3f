//! What the files of a sandbox have to do with its archives: which one is as good as they are, and
//! which they came after.
//!
//! Two hosts may have files of one sandbox: it rested on the first, and its archive went on on the
//! second. The first knows its own files by this, and does not take them for the newer ones.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::root_record::{load, save_synced};
use super::state_dir::is_laid_out;
use super::{SandboxHost, blocking};
use crate::error::SandboxError;
use crate::name::SandboxName;

const FILE_NAME: &str = "archive.json";

/// The files of a sandbox here, seen from the newest of its archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There are none.
    Absent,
    /// They are what is in the archive.
    Packed,
    /// They went on after the archive.
    Ahead,
    /// The archive is of files that went on elsewhere: these here are of no use any more.
    Behind,
}

/// Names of archives. None is known of files that were begun and never packed.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ArchiveRecord {
    /// Its files are these.
    pub(super) packed: Option<String>,
    /// These files came after one of them: which, is unknown where the last may not have been kept.
    follows: Vec<String>,
}

impl ArchiveRecord {
    /// Files that were begun here.
    pub(super) fn begin(directory: &Path) -> io::Result<()> {
        // Not synced: what a power cut takes of this it takes of the files.
        fs::write(
            directory.join(FILE_NAME),
            serde_json::to_vec(&Self::default())?,
        )
    }

    /// The archive `mark` is of these files. It is to take the place of `follows`.
    pub(super) fn packed(directory: &Path, mark: &str, follows: Option<&str>) -> io::Result<()> {
        let record = Self {
            packed: Some(mark.to_owned()),
            follows: follows.map(str::to_owned).into_iter().collect(),
        };
        save_synced(directory, FILE_NAME, &record)
    }

    /// Before the processes of a sandbox start: from then on its archive is an old one.
    pub(super) fn goes_on(directory: &Path) -> io::Result<()> {
        let Some(mut record) = Self::of(directory)? else {
            return Ok(());
        };
        let Some(packed) = record.packed.take() else {
            return Ok(());
        };
        record.follows.push(packed);
        save_synced(directory, FILE_NAME, &record)
    }

    pub(super) fn of(directory: &Path) -> io::Result<Option<Self>> {
        load(directory, FILE_NAME)
    }

    fn standing(record: Option<&Self>, newest: &str) -> Standing {
        match record {
            // Of a version that kept no record.
            None => Standing::Ahead,
            Some(Self { packed, .. }) if packed.as_deref() == Some(newest) => Standing::Packed,
            Some(Self { follows, .. }) if follows.iter().any(|one| one == newest) => {
                Standing::Ahead
            }
            Some(_) => Standing::Behind,
        }
    }
}

impl SandboxHost {
    /// What the files of this sandbox here are, if `newest` is the newest of its archives. Somebody
    /// who holds the sandbox may count on the answer: an eviction that began before is over by then.
    pub async fn standing(
        &self,
        name: &SandboxName,
        newest: &str,
    ) -> Result<Standing, SandboxError> {
        let _alone = self.inner()?.occupancy.claim(name).await;
        let directory = self.inner()?.state.directory_of(name);
        let newest = newest.to_owned();
        let standing = blocking(move || {
            if !is_laid_out(&directory) {
                return Ok(Standing::Absent);
            }
            let record = ArchiveRecord::of(&directory)?;
            Ok(ArchiveRecord::standing(record.as_ref(), &newest))
        });
        Ok(standing.await?)
    }
}

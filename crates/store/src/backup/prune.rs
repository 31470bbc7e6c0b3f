//! Giving up old backups of a folder, and the bytes that only they needed.
//!
//! **Invariant:** what a backup that is kept names is never deleted, and what is not understood is
//! kept: unless all that is kept could be read and was as it was written, nothing is deleted.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::num::NonZeroUsize;
use std::path::Path as FolderPath;

use futures::StreamExt;
use object_store::path::Path;

use super::restore::{fetch_file, find, names};
use super::{BACKUPS, BLOBS, BackupError, BackupPlace, DATABASES, LISTS, Manifest, Reference};
use crate::blobs::Blobs;

/// What was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    pub backups: u64,
    /// Files that no backup names any more.
    pub files: u64,
    pub bytes: u64,
}

/// What the backups that are kept name, folder and sum.
type Named = HashSet<(&'static str, String)>;

impl BackupPlace {
    /// Deletes all backups but the newest `keep`, and what none of these names. The caller has the
    /// place to itself: a backup that is being made elsewhere may count on what is deleted here.
    /// `scratch` is a folder of this process alone.
    ///
    /// # Errors
    /// See [`BackupError`]. `SharedPlace` where nobody can have the place to himself.
    pub async fn prune(
        &self,
        keep: NonZeroUsize,
        scratch: &FolderPath,
    ) -> Result<Pruned, BackupError> {
        let place = match self {
            Self::Folder(_) => self.open(scratch)?,
            Self::Bucket(_) => return Err(BackupError::SharedPlace),
        };
        let names = names(&place).await?;
        let (old, kept) = names.split_at(names.len().saturating_sub(keep.get()));
        if old.is_empty() {
            return Ok(Pruned::default());
        }
        let mut named = Named::new();
        for name in kept {
            let backup = find(&place, Some(name)).await?;
            let list = scratch.join("pruned-list");
            // Left by one that was killed.
            let _ = std::fs::remove_file(&list);
            fetch_file(&place, LISTS, &backup.manifest.list, &list).await?;
            let lines = BufReader::new(std::fs::File::open(&list)?);
            add(&mut named, &backup.manifest, lines)?;
            std::fs::remove_file(&list)?;
        }
        let mut pruned = Pruned::default();
        // First what makes a backup one, so that none is ever there in part.
        for name in old {
            place
                .delete(&Path::from(format!("{BACKUPS}/{name}")))
                .await?;
            pruned.backups += 1;
        }
        for folder in [BLOBS, DATABASES, LISTS] {
            sweep(&place, folder, &named, &mut pruned).await?;
        }
        Ok(pruned)
    }
}

fn add(named: &mut Named, manifest: &Manifest, list: impl BufRead) -> Result<(), BackupError> {
    named.insert((DATABASES, manifest.database.sha256.clone()));
    named.insert((LISTS, manifest.list.sha256.clone()));
    for line in list.lines() {
        let reference: Reference = serde_json::from_str(&line?).map_err(std::io::Error::other)?;
        named.insert((BLOBS, reference.bytes.sha256));
    }
    Ok(())
}

async fn sweep(
    place: &Blobs,
    folder: &'static str,
    named: &Named,
    pruned: &mut Pruned,
) -> Result<(), BackupError> {
    let mut unnamed = Vec::new();
    let mut listed = place.list(&Path::from(folder));
    while let Some(found) = listed.next().await {
        let found = found?;
        let sum = found.name.filename().unwrap_or_default().to_owned();
        if is_sum(&sum) && !named.contains(&(folder, sum)) {
            unnamed.push((found.name, found.size));
        }
    }
    drop(listed);
    for (name, size) in unnamed {
        place.delete(&name).await?;
        pruned.files += 1;
        pruned.bytes += size;
    }
    Ok(())
}

/// Whether this program names files so. Others are not its own.
pub(super) fn is_sum(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

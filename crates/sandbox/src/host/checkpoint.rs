//! Sandboxes that leave this machine's disk and come back, here or elsewhere.
//!
//! The host packs and unpacks; where an archive is kept meanwhile is its user's affair. A packed
//! sandbox carries a mark until it is started again: only as long as it does, its archive is as
//! good as its files, and these may go.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::SystemTime;

use super::archive_record::ArchiveRecord;
use super::disks::open_files;
use super::state_dir::{self, is_laid_out, open_directory};
use super::{Place, SandboxHost, blocking, root_record, user_ids};
use crate::archive::{Bases, Halves, Packed, pack, unpack};
use crate::error::SandboxError;
use crate::name::SandboxName;

/// What became of the wish to pack a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    Packed {
        packed: Packed,
        /// When the sandbox was made, for [`SandboxHost::restore`].
        created_at: SystemTime,
    },
    /// Somebody holds it, so it was not stopped; or came while it was packed, which was given up.
    InUse,
    /// It has no files here.
    Absent,
}

impl SandboxHost {
    /// Stops the sandbox of this name and writes an archive of its files to `out`. `mark` names
    /// that archive, and `follows` the one whose place it is to take; see [`SandboxHost::standing`].
    pub async fn checkpoint(
        &self,
        name: &SandboxName,
        mark: &str,
        follows: Option<&str>,
        out: impl Write + Send + 'static,
    ) -> Result<Checkpoint, SandboxError> {
        let _alone = self.inner()?.occupancy.claim(name).await;
        if self.inner()?.occupancy.is_used(name) {
            return Ok(Checkpoint::InUse);
        }
        let directory = self.inner()?.state.directory_of(name);
        if !is_laid_out(&directory) {
            return Ok(Checkpoint::Absent);
        }
        self.inner()?.rest(name).await?;
        let (mark, follows) = (mark.to_owned(), follows.map(str::to_owned));
        let (occupancy, wanted) = (self.inner()?.occupancy.clone(), name.clone());
        let go_on = move || match occupancy.is_wanted(&wanted) {
            false => Ok(()),
            true => Err(io::Error::other("somebody wants the sandbox")),
        };
        let packed = blocking(move || {
            let packed = pack_directory(&directory, out, &go_on)?;
            let created_at = state_dir::created_at(&directory)?;
            ArchiveRecord::packed(&directory, &mark, follows.as_deref())?;
            Ok(Checkpoint::Packed { packed, created_at })
        });
        match packed.await {
            // Nobody waits for an archive: it is made when the sandbox rests again.
            Err(_) if self.inner()?.occupancy.is_wanted(name) => Ok(Checkpoint::InUse),
            packed => Ok(packed?),
        }
    }

    /// The mark of the archive that is as good as the sandbox's files. `None`: it was started
    /// since, was never packed, or is not there.
    pub async fn mark(&self, name: &SandboxName) -> Result<Option<String>, SandboxError> {
        let directory = self.inner()?.state.directory_of(name);
        let record = blocking(move || ArchiveRecord::of(&directory)).await?;
        Ok(record.and_then(|record| record.packed))
    }

    /// Whether the sandbox of this name has files here. Somebody who holds it may count on the
    /// answer: an eviction that began before is over by then.
    pub async fn has_files(&self, name: &SandboxName) -> bool {
        match &self.place {
            Place::Here(inner) => {
                let _alone = inner.occupancy.claim(name).await;
                is_laid_out(&inner.state.directory_of(name))
            }
            Place::Fake(fake) => fake.has_files(name),
        }
    }

    /// Throws away the files of a sandbox whose archive has this mark, and says whether it did:
    /// not if it is in use or was started since, nor if its root has layers. These are outside of
    /// the archive, and only a sandbox that has files here keeps them from being removed.
    pub async fn evict(&self, name: &SandboxName, mark: &str) -> Result<bool, SandboxError> {
        let _alone = self.inner()?.occupancy.claim(name).await;
        if self.inner()?.occupancy.is_used(name) || self.mark(name).await?.as_deref() != Some(mark)
        {
            return Ok(false);
        }
        let directory = self.inner()?.state.directory_of(name);
        let root = blocking(move || root_record::root(&directory)).await?;
        // Whoever came meanwhile finds the files where they are.
        if !root.layers().is_empty() || self.inner()?.occupancy.is_used(name) {
            return Ok(false);
        }
        self.inner()?.throw_away(name).await?;
        Ok(true)
    }

    /// Makes the sandbox of this name from an archive, in place of what there is. It is there as
    /// a whole or, after an error, as it was before. `input` is read to its end: it may refuse all
    /// of it with its last bytes.
    pub async fn restore(
        &self,
        name: &SandboxName,
        mark: &str,
        created_at: SystemTime,
        input: impl Read + Send + 'static,
    ) -> Result<Packed, SandboxError> {
        let _alone = self.inner()?.occupancy.claim(name).await;
        self.inner()?.end(name).await?;
        let uid_base = self.inner()?.processes.uid_base();
        let state = std::sync::Arc::clone(&self.inner()?.state);
        let (of_draft, mark) = (name.clone(), mark.to_owned());
        let unpacked = blocking(move || {
            let draft = state.draft(&of_draft, uid_base)?;
            let about = open_directory(&draft.place)?;
            let halves = Halves {
                about: about.as_fd(),
                written: draft.written.as_fd(),
            };
            let packed = unpack(halves, draft.owner, input).map_err(does_not_fit)?;
            ArchiveRecord::packed(&draft.place, &mark, None)?;
            state.publish(&of_draft, draft, created_at)?;
            Ok(packed)
        });
        match unpacked.await {
            Ok(packed) => Ok(packed),
            Err(error) => {
                // It would go with the next start at the latest.
                let _ = self.inner()?.state.throw_away_draft(name);
                Err(error.into())
            }
        }
    }
}

/// Writes an archive of the sandbox in `directory`, which has no processes.
pub(super) fn pack_directory(
    directory: &std::path::Path,
    out: impl Write,
    go_on: &dyn Fn() -> io::Result<()>,
) -> io::Result<Packed> {
    let (about, written) = (open_directory(directory)?, open_files(directory)?);
    let halves = Halves {
        about: about.as_fd(),
        written: written.as_fd(),
    };
    pack(halves, bases(directory)?, out, go_on)
}

/// A new disk has the bounds of today, which may be less than what the archive was made with.
fn does_not_fit(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::StorageFull {
        return error;
    }
    let reason = "its archive does not fit: sandbox.disk_bytes or sandbox.disk_files is less than \
                  it needs, or this machine's disk is full";
    io::Error::new(error.kind(), reason)
}

/// Without a range of its own a sandbox has one user and one group, the server's, whose numbers
/// may differ.
pub(super) fn bases(directory: &std::path::Path) -> io::Result<Bases> {
    Ok(match user_ids::of(directory)? {
        Some(first) => Bases {
            uid: first,
            gid: first,
        },
        None => Bases {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        },
    })
}

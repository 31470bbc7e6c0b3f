//! Trees that sandboxes made and that go to others: kept, so that later sandboxes begin with a copy,
//! or moved into the workspace of one that runs.
//!
//! ```text
//! trees/<key>          the files, with owners that count from 0
//! trees/<key>.bytes    how many they are; its time says when the tree was used last
//! ```
//!
//! A kept tree is there whole or not at all: it is moved to its place in one step, when all of it
//! is on disk. Whoever copies one sees to it that nobody replaces it meanwhile.
//!
//! No rename leads out of an image or into one. There a tree is copied to a name that nobody inside
//! sees, on the file system where it goes, and renamed from there.

use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, mkdirat, renameat_with, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;

use super::disks::open_files;
use super::owners::{Owners, change_owners, open_tree, sync};
use super::removal::empty_directory;
use super::sandbox::Sandbox;
use super::state_dir::{Draft, open_directory};
use super::tree_copy::{CopyOptions, copy_tree};
use super::workspace_link::{enter, open_workspace};
use super::{Inner, Place, SandboxHost, beneath, blocking, user_ids};
use crate::disk::has_image;
use crate::error::SandboxError;
use crate::inner_path::InnerPath;
use crate::limits::ARCHIVE_BYTES_MAX;
use crate::name::SandboxName;

/// A tree and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptTree {
    pub key: SandboxName,
    pub bytes: u64,
    pub used_at: SystemTime,
}

/// What became of the wish to move a tree into a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    Moved,
    /// Something stands there, or in the way, and stays.
    Occupied,
}

impl SandboxHost {
    /// Begins a sandbox anew, for a moment: a copy of the kept tree stands at `place` in its
    /// workspace. `false`: there is no such tree, and nothing was begun.
    pub async fn begin_with_tree(
        &self,
        name: &SandboxName,
        key: &SandboxName,
        place: &InnerPath,
    ) -> Result<bool, SandboxError> {
        let tree = self.inner()?.state.tree(key);
        if !tree.is_dir() {
            return Ok(false);
        }
        let _alone = self.inner()?.occupancy.claim(name).await;
        self.inner()?.end(name).await?;
        let inner = Arc::clone(self.inner()?);
        let (name, place) = (name.clone(), place.clone());
        let begun = blocking(move || {
            let uid_base = inner.processes.uid_base();
            let draft = inner.state.draft(&name, uid_base)?;
            let copied = copy_into(&tree, &draft, &place);
            if copied.is_err() {
                // It would go with the next start at the latest.
                let _ = inner.state.throw_away_draft(&name);
            }
            copied?;
            File::options()
                .append(true)
                .open(bytes_of(&tree))?
                .set_modified(now(&draft)?)?;
            inner.state.publish_briefly(&name, draft)
        });
        begun.await?;
        Ok(true)
    }

    /// Ends the sandbox and keeps what stands at `place` in its workspace as the tree of this key,
    /// instead of the one before. Nothing else of the sandbox is kept.
    pub async fn keep_tree(
        &self,
        name: &SandboxName,
        place: &InnerPath,
        key: &SandboxName,
    ) -> Result<(), SandboxError> {
        let alone = self.inner()?.occupancy.claim(name).await;
        self.inner()?.end(name).await?;
        let directory = self.inner()?.state.directory_of(name);
        let inner = Arc::clone(self.inner()?);
        let (place, tree) = (place.clone(), self.inner()?.state.tree(key));
        let of_sandbox = name.clone();
        let kept = blocking(move || {
            let owners = user_ids::of(&directory)?.map(|from| Owners { from, to: 0 });
            let (made, owners) = match has_image(&directory) {
                false => (directory.join("workspace").join(place.as_str()), owners),
                true => {
                    let out = inner.copy_out(&of_sandbox, &directory, &place, owners)?;
                    (out, None)
                }
            };
            let handle = open_tree(&made)?;
            let walked = change_owners(&handle, owners)?;
            sync(handle)?;
            inner.state.throw_away_tree(&tree)?;
            File::create(bytes_of(&tree))?.write_all(walked.bytes.to_string().as_bytes())?;
            fs::rename(&made, &tree)?;
            // What is left of a copy goes at last with the next start.
            let _ = inner.state.throw_away_draft(&of_sandbox);
            Ok(())
        });
        kept.await?;
        self.inner()?.throw_away(name).await?;
        drop(alone);
        Ok(())
    }

    /// Every tree that is kept.
    pub async fn trees(&self) -> Result<Vec<KeptTree>, SandboxError> {
        let folder = match &self.place {
            Place::Here(inner) => inner.state.trees(),
            Place::Fake(_) => return Ok(Vec::new()),
        };
        let listed = blocking(move || {
            let mut trees = Vec::new();
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let name = path.file_name().and_then(|name| name.to_str());
                // What ends in `.bytes` is no name of a sandbox.
                let Some(key) = name.and_then(|name| name.parse().ok()) else {
                    continue;
                };
                let text = fs::read_to_string(bytes_of(&path))?;
                let bytes = text.trim().parse().map_err(io::Error::other)?;
                let used_at = fs::metadata(bytes_of(&path))?.modified()?;
                trees.push(KeptTree {
                    key,
                    bytes,
                    used_at,
                });
            }
            Ok(trees)
        });
        Ok(listed.await?)
    }

    /// One that is not there is fine.
    pub async fn throw_away_tree(&self, key: &SandboxName) -> Result<(), SandboxError> {
        let tree = self.inner()?.state.tree(key);
        let inner = Arc::clone(self.inner()?);
        Ok(blocking(move || inner.state.throw_away_tree(&tree)).await?)
    }

    /// Ends the sandbox `name` and moves what stands at `made` in its workspace to `place` in that of
    /// another one, which may be running. It appears there whole, in one step, and belongs to
    /// whoever is root inside. Nothing else of the first one is kept.
    pub async fn move_tree(
        &self,
        name: &SandboxName,
        made: &InnerPath,
        to: &Sandbox,
        place: &InnerPath,
    ) -> Result<Moved, SandboxError> {
        let alone = self.inner()?.occupancy.claim(name).await;
        self.inner()?.end(name).await?;
        let from = self.inner()?.state.directory_of(name);
        let receiver = self.inner()?.state.directory_of(to.name());
        let (made, place) = (made.clone(), place.clone());
        let (of_sandbox, bytes_max) = (name.clone(), self.inner()?.copied_bytes_max());
        let moved = blocking(move || {
            let owners = user_ids::of(&from)?.zip(user_ids::of(&receiver)?);
            let owners = owners.map(|(from, to)| Owners { from, to });
            let files = open_files(&receiver)?;
            if !has_image(&from) && !has_image(&receiver) {
                let made = from.join("workspace").join(made.as_str());
                change_owners(&open_tree(&made)?, owners)?;
                return move_to(CWD, &made, &files, &place);
            }
            let coming = Coming::begin(&files, &of_sandbox)?;
            let options = CopyOptions { owners, bytes_max };
            copy_tree(&open_made(&from, &made)?, &coming.folder, COPY, options)?;
            move_to(&coming.folder, COPY, &files, &place)
        });
        let moved = moved.await?;
        self.inner()?.throw_away(name).await?;
        drop(alone);
        Ok(moved)
    }
}

impl Sandbox {
    /// Whether nothing stands at `place` in its workspace, nor in the way there.
    pub async fn is_free(&self, place: InnerPath) -> Result<bool, SandboxError> {
        let directory = self.path()?.to_owned();
        let looked = blocking(move || {
            let workspace = open_workspace(&open_files(&directory)?)?;
            match beneath::open(&workspace, place.as_str(), OFlags::PATH, Mode::empty()) {
                Err(Errno::NOENT) => Ok(true),
                // A link or a file where a directory should be is in the way.
                Ok(_) | Err(Errno::LOOP | Errno::NOTDIR | Errno::ACCESS) => Ok(false),
                Err(error) => Err(error.into()),
            }
        });
        Ok(looked.await?)
    }
}

impl Inner {
    /// Copies what stands at `place` in a workspace that is in an image to where a rename leads from.
    fn copy_out(
        &self,
        name: &SandboxName,
        directory: &Path,
        place: &InnerPath,
        owners: Option<Owners>,
    ) -> io::Result<PathBuf> {
        let copy = self.state.place_for_copy(name)?;
        let bytes_max = self.copied_bytes_max();
        let options = CopyOptions { owners, bytes_max };
        let folder = open_directory(&copy)?;
        copy_tree(&open_made(directory, place)?, &folder, COPY, options)?;
        Ok(copy.join(OsStr::from_bytes(COPY.to_bytes())))
    }

    /// Files without holes fit into this if they fitted into the image that they come from.
    fn copied_bytes_max(&self) -> Option<u64> {
        let of_image = self.options.limits.disk_bytes;
        Some(of_image.unwrap_or(ARCHIVE_BYTES_MAX))
    }
}

/// The name of a copy, in a folder that is there for it alone.
const COPY: &CStr = c"copy";

/// A folder beside a sandbox's workspace, on the same file system, that nothing inside can reach. It
/// goes when this is dropped, with what is in it; one that a crash left goes when the same is tried
/// again.
struct Coming<'a> {
    files: &'a OwnedFd,
    name: String,
    folder: OwnedFd,
}

impl<'a> Coming<'a> {
    fn begin(files: &'a OwnedFd, of_sandbox: &SandboxName) -> io::Result<Self> {
        let name = format!("coming.{of_sandbox}");
        match mkdirat(files, &name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let folder = beneath::open_directory(files, &name)?;
        empty_directory(&folder)?;
        Ok(Self {
            files,
            name,
            folder,
        })
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        let emptied = empty_directory(&self.folder);
        let removed = emptied.and_then(|()| {
            let removed = unlinkat(self.files, &self.name, AtFlags::REMOVEDIR);
            Ok(removed?)
        });
        if let Err(error) = removed {
            tracing::warn!(%error, "what is left of a copy in a sandbox cannot be deleted");
        }
    }
}

fn copy_into(tree: &Path, draft: &Draft, place: &InnerPath) -> io::Result<()> {
    let from = open_tree(tree)?;
    let name = std::ffi::CString::new(place.as_str()).map_err(io::Error::other)?;
    let options = CopyOptions {
        owners: draft.owner.map(|to| Owners { from: 0, to }),
        bytes_max: None,
    };
    copy_tree(&from, &open_workspace(&draft.written)?, &name, options)
}

/// What stands at `place` in the workspace of a sandbox that has no processes.
fn open_made(directory: &Path, place: &InnerPath) -> io::Result<OwnedFd> {
    let workspace = open_workspace(&open_files(directory)?)?;
    Ok(beneath::open_directory(&workspace, place.as_str())?)
}

/// What was just made says what time it is.
fn now(draft: &Draft) -> io::Result<SystemTime> {
    fs::symlink_metadata(draft.place.join("root"))?.modified()
}

/// Commands may write in the workspace meanwhile, so each directory is opened beneath the one
/// before it.
fn move_to(
    folder: impl AsFd,
    made: impl Arg,
    files: &OwnedFd,
    place: &InnerPath,
) -> io::Result<Moved> {
    let (parents, name) = match place.as_str().rsplit_once('/') {
        Some((parents, name)) => (parents.split('/').collect(), name),
        None => (Vec::new(), place.as_str()),
    };
    let mut parent = open_workspace(files)?;
    for directory in parents {
        parent = match enter(&parent, directory) {
            Ok(entered) => entered,
            Err(Errno::LOOP | Errno::NOTDIR | Errno::ACCESS) => return Ok(Moved::Occupied),
            Err(error) => return Err(error.into()),
        };
    }
    match renameat_with(folder, made, &parent, name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Moved::Moved),
        Err(Errno::EXIST) => Ok(Moved::Occupied),
        Err(error) => Err(error.into()),
    }
}

fn bytes_of(tree: &Path) -> PathBuf {
    tree.with_extension("bytes")
}

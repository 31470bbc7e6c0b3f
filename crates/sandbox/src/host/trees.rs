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

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::owners::{Owners, change_owners, open_tree, sync};
use super::sandbox::Sandbox;
use super::tree_copy::copy_tree;
use super::workspace_link::{enter, open_workspace};
use super::{SandboxHost, beneath, blocking, user_ids};
use crate::error::SandboxError;
use crate::inner_path::InnerPath;
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
        let tree = self.inner.state.tree(key);
        if !tree.is_dir() {
            return Ok(false);
        }
        let _alone = self.inner.occupancy.claim(name).await;
        self.inner.end(name).await?;
        let inner = Arc::clone(&self.inner);
        let (name, place) = (name.clone(), place.clone());
        let begun = blocking(move || {
            let uid_base = inner.processes.uid_base();
            let (draft, owner) = inner.state.draft(&name, uid_base)?;
            let copied = copy_into(&tree, &draft, &place, owner);
            if copied.is_err() {
                // It would go with the next start at the latest.
                let _ = inner.state.throw_away_draft(&name);
            }
            copied?;
            File::options()
                .append(true)
                .open(bytes_of(&tree))?
                .set_modified(now(&draft)?)?;
            inner.state.publish_briefly(&name)
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
        let alone = self.inner.occupancy.claim(name).await;
        self.inner.end(name).await?;
        let directory = self.inner.state.directory_of(name);
        let inner = Arc::clone(&self.inner);
        let (place, tree) = (place.clone(), self.inner.state.tree(key));
        let kept = blocking(move || {
            let made = directory.join("workspace").join(place.as_str());
            let handle = open_tree(&made)?;
            let owners = user_ids::of(&directory)?.map(|from| Owners { from, to: 0 });
            let walked = change_owners(&handle, owners)?;
            sync(handle)?;
            inner.state.throw_away_tree(&tree)?;
            File::create(bytes_of(&tree))?.write_all(walked.bytes.to_string().as_bytes())?;
            fs::rename(&made, &tree)
        });
        kept.await?;
        self.inner.throw_away(name).await?;
        drop(alone);
        Ok(())
    }

    /// Every tree that is kept.
    pub async fn trees(&self) -> Result<Vec<KeptTree>, SandboxError> {
        let folder = self.inner.state.trees();
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
        let tree = self.inner.state.tree(key);
        let inner = Arc::clone(&self.inner);
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
        let alone = self.inner.occupancy.claim(name).await;
        self.inner.end(name).await?;
        let from = self.inner.state.directory_of(name);
        let receiver = self.inner.state.directory_of(to.name());
        let (made, place, workspace) = (made.clone(), place.clone(), to.directory());
        let moved = blocking(move || {
            let made = from.join("workspace").join(made.as_str());
            let handle = open_tree(&made)?;
            let owners = user_ids::of(&from)?.zip(user_ids::of(&receiver)?);
            change_owners(&handle, owners.map(|(from, to)| Owners { from, to }))?;
            drop(handle);
            move_to(&made, &open_workspace(&workspace)?, &place)
        });
        let moved = moved.await?;
        self.inner.throw_away(name).await?;
        drop(alone);
        Ok(moved)
    }
}

impl Sandbox {
    /// Whether nothing stands at `place` in its workspace, nor in the way there.
    pub async fn is_free(&self, place: InnerPath) -> Result<bool, SandboxError> {
        let directory = self.directory();
        let looked = blocking(move || {
            let workspace = open_workspace(&directory)?;
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

fn copy_into(tree: &Path, draft: &Path, place: &InnerPath, owner: Option<u32>) -> io::Result<()> {
    let from = open_tree(tree)?;
    let workspace = open_tree(&draft.join("workspace"))?;
    let name = std::ffi::CString::new(place.as_str()).map_err(io::Error::other)?;
    copy_tree(&from, &workspace, &name, owner)
}

/// What was just made says what time it is.
fn now(draft: &Path) -> io::Result<SystemTime> {
    fs::symlink_metadata(draft.join("workspace"))?.modified()
}

/// Commands may write in the workspace meanwhile, so each directory is opened beneath the one
/// before it.
fn move_to(made: &Path, workspace: &OwnedFd, place: &InnerPath) -> io::Result<Moved> {
    let (parents, name) = match place.as_str().rsplit_once('/') {
        Some((parents, name)) => (parents.split('/').collect(), name),
        None => (Vec::new(), place.as_str()),
    };
    let mut parent = rustix::io::fcntl_dupfd_cloexec(workspace, 0)?;
    for directory in parents {
        parent = match enter(&parent, directory) {
            Ok(entered) => entered,
            Err(Errno::LOOP | Errno::NOTDIR | Errno::ACCESS) => return Ok(Moved::Occupied),
            Err(error) => return Err(error.into()),
        };
    }
    match renameat_with(CWD, made, &parent, name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Moved::Moved),
        Err(Errno::EXIST) => Ok(Moved::Occupied),
        Err(error) => Err(error.into()),
    }
}

fn bytes_of(tree: &Path) -> PathBuf {
    tree.with_extension("bytes")
}

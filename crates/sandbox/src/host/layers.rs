//! Layers that sandboxes made for others: what one wrote while it installed packages.
//!
//! ```text
//! layers/<key>          the files, with owners that count from 0
//! layers/<key>.used     its time says when the layer was asked for last
//! ```
//!
//! A layer is there whole or not at all: it is moved to its place in one step, when all of it is
//! on disk.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::checkpoint::bases;
use super::disks::open_files;
use super::owners::{Owners, change_owners, open_tree, sync};
use super::state_dir::{boxes_of, open_directory, pool_of};
use super::{Inner, SandboxHost, blocking, root_record, user_ids};
use crate::archive::copy_tree;
use crate::disk::has_image;
use crate::error::SandboxError;
use crate::name::SandboxName;

/// What a sandbox wrote that becomes a layer.
const WRITTEN: &str = "upper";

impl SandboxHost {
    /// The layer of this key, which is marked as used.
    pub async fn layer(&self, key: &SandboxName) -> Result<Option<PathBuf>, SandboxError> {
        let place = self.inner()?.state.layer(key);
        let found = blocking(move || {
            if !place.is_dir() {
                return Ok(None);
            }
            File::create(marker(&place))?;
            Ok(Some(place))
        });
        Ok(found.await?)
    }

    /// Ends the sandbox and makes what it wrote into the layer of this key: its packages, or with
    /// a root of layers what lies over them. Nothing else of it is kept.
    pub async fn keep_layer(
        &self,
        name: &SandboxName,
        key: &SandboxName,
    ) -> Result<PathBuf, SandboxError> {
        let alone = self.inner()?.occupancy.claim(name).await;
        self.inner()?.end(name).await?;
        let directory = self.inner()?.state.directory_of(name);
        let place = self.inner()?.state.layer(key);
        let inner = Arc::clone(self.inner()?);
        let name_of_it = name.clone();
        let kept = blocking(move || {
            let written = match has_image(&directory) {
                false => {
                    let written = directory.join(WRITTEN);
                    if let Some(from) = user_ids::of(&directory)? {
                        change_owners(&open_tree(&written)?, Some(Owners { from, to: 0 }))?;
                    }
                    written
                }
                true => {
                    let copy = inner.state.place_for_copy(&name_of_it)?;
                    let files = open_files(&directory)?;
                    let handle = open_directory(&copy)?;
                    copy_tree(files.as_fd(), WRITTEN, bases(&directory)?, &handle)?;
                    let written = copy.join(WRITTEN);
                    // Owners count from 0 already; setuid bits go on the way.
                    change_owners(&open_tree(&written)?, Some(Owners { from: 0, to: 0 }))?;
                    written
                }
            };
            sync(open_tree(&written)?)?;
            File::create(marker(&place))?;
            match fs::rename(&written, &place) {
                // Made twice from the same lists: the one that is there is as good.
                Err(_) if place.is_dir() => {}
                renamed => renamed?,
            }
            // What is left of a copy goes at last with the next start.
            let _ = inner.state.throw_away_draft(&name_of_it);
            Ok(place)
        });
        let kept = kept.await?;
        self.inner()?.throw_away(name).await?;
        drop(alone);
        Ok(kept)
    }

    /// Removes layers that no sandbox is made of and that nobody asked for since `age`. Returns
    /// how many.
    pub async fn remove_unused_layers(&self, age: Duration) -> Result<usize, SandboxError> {
        let inner = Arc::clone(self.inner()?);
        Ok(blocking(move || inner.remove_unused_layers(age)).await?)
    }
}

/// The layers that sandboxes with files below `state_dir` are made of: these must not be removed.
/// It may be called beside a server, and where there was never one.
pub fn layers_in_use(state_dir: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut layers = BTreeSet::new();
    // In this order: one that is claimed meanwhile is seen twice and not never.
    for folder in [pool_of(state_dir), boxes_of(state_dir)] {
        let directories = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            directories => directories?,
        };
        for directory in directories {
            layers.extend(root_record::layers(&directory?.path())?);
        }
    }
    Ok(layers)
}

impl Inner {
    fn remove_unused_layers(&self, age: Duration) -> io::Result<usize> {
        let in_use = layers_in_use(&self.options.state_dir)?;
        let mut removed = 0;
        for entry in fs::read_dir(self.state.layers())? {
            let path = entry?.path();
            if path.extension().is_some() || in_use.contains(&path) {
                continue;
            }
            let used = fs::metadata(marker(&path)).and_then(|found| found.modified());
            // Without a marker it is from a crash between two steps, and gets one now.
            let Ok(used) = used else {
                File::create(marker(&path))?;
                continue;
            };
            let elapsed = SystemTime::elapsed(&used).unwrap_or_default();
            if elapsed >= age {
                self.state.throw_away_layer(&path)?;
                fs::remove_file(marker(&path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

fn marker(layer: &Path) -> PathBuf {
    layer.with_extension("used")
}

//! Walks a tree for glob and grep, within limits of time and number.

use std::path::Path;
use std::time::Instant;

use ignore::{DirEntry, WalkBuilder};

use super::files::explain;
use super::{FileTools, Refusal};
use crate::limits::{WALK_DEPTH_MAX, WALK_FILES_MAX, WALK_TIME_MAX};

/// Large, and never what is looked for.
const SKIPPED: [&str; 2] = [".git", "node_modules"];
/// Not files in the sense of these tools; some of them never end.
const KERNEL_TREES: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Goes on until told to stop.
pub(super) enum Next {
    Continue,
    Stop,
}

/// How far a walk came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    Everything,
    /// The visitor had enough.
    Enough,
    TimeUp,
    TooManyFiles,
}

pub(super) struct Walk<'a> {
    pub(super) root: &'a Path,
    /// The root as the model called it.
    pub(super) shown: &'a str,
    pub(super) deadline: Instant,
    /// Of [`SKIPPED`], those to enter after all.
    pub(super) wanted: &'a str,
}

impl<'a> Walk<'a> {
    pub(super) fn of(root: &'a Path, shown: &'a str, wanted: &'a str) -> Self {
        Self {
            root,
            shown,
            deadline: Instant::now() + WALK_TIME_MAX,
            wanted,
        }
    }

    /// Calls `visit` with each regular file, in the order of names. Links are not followed.
    pub(super) fn run(
        &self,
        tools: &FileTools<'_>,
        mut visit: impl FnMut(&DirEntry) -> Next,
    ) -> Result<Reached, Refusal> {
        std::fs::metadata(self.root).map_err(|error| explain(&error, self.shown))?;
        let wanted: Vec<&str> = SKIPPED
            .into_iter()
            .filter(|name| self.wanted.contains(name))
            .collect();
        let walker = WalkBuilder::new(self.root)
            .standard_filters(false)
            .follow_links(false)
            .max_depth(Some(WALK_DEPTH_MAX))
            .sort_by_file_name(std::ffi::OsStr::cmp)
            .filter_entry(move |entry| entry.depth() == 0 || enters(entry, &wanted))
            .build();
        for (count, entry) in walker.enumerate() {
            if count >= WALK_FILES_MAX {
                return Ok(Reached::TooManyFiles);
            }
            if Instant::now() > self.deadline || (tools.cancelled)() {
                return Ok(Reached::TimeUp);
            }
            // What cannot be read or went away meanwhile is not there.
            let Ok(entry) = entry else { continue };
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            if is_file && let Next::Stop = visit(&entry) {
                return Ok(Reached::Enough);
            }
        }
        Ok(Reached::Everything)
    }
}

fn enters(entry: &DirEntry, wanted: &[&str]) -> bool {
    if !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return true;
    }
    if KERNEL_TREES
        .iter()
        .any(|tree| entry.path() == Path::new(tree))
    {
        return false;
    }
    match entry.file_name().to_str() {
        Some(name) => !SKIPPED.contains(&name) || wanted.contains(&name),
        None => true,
    }
}

impl Reached {
    /// What the model must know about a search that saw only a part.
    pub(super) fn note(self) -> Option<String> {
        match self {
            Self::Everything | Self::Enough => None,
            Self::TimeUp => Some(format!(
                "[the search was stopped after {} s; give a narrower `path`]",
                WALK_TIME_MAX.as_secs()
            )),
            Self::TooManyFiles => {
                Some("[the search was stopped: too many files; give a narrower `path`]".to_owned())
            }
        }
    }
}

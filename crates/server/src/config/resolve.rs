//! What the sections need while they turn raw values into resolved ones: the place of each key, for the
//! message, and for paths, which are relative to the file that names them.

use std::path::{Path, PathBuf};

use super::problem::Problem;
use super::tree::{Node, Origin, Segment};

pub(super) struct Resolving<'a> {
    pub(super) tree: &'a Node,
}

impl Resolving<'_> {
    /// A problem with the value at a path.
    pub(super) fn problem(&self, path: &[&str], message: impl Into<String>) -> Problem {
        let path = segments(path);
        Problem::new(&self.tree.nearest(&path).origin, &path, message)
    }

    /// A problem with the key itself, such as one that must not be there.
    pub(super) fn key_problem(&self, path: &[&str], message: impl Into<String>) -> Problem {
        let path = segments(path);
        Problem::new(&self.tree.nearest(&path).key_origin, &path, message)
    }

    /// A path from the file is relative to the file's folder, any other to the working directory.
    pub(super) fn path(&self, key: &[&str], path: &Path) -> PathBuf {
        match &self.tree.nearest(&segments(key)).origin {
            Origin::File { path: file, .. } => match file.parent() {
                Some(folder) => folder.join(path),
                None => path.to_owned(),
            },
            Origin::Default | Origin::Env(_) | Origin::Flag(_) => path.to_owned(),
        }
    }
}

pub(super) fn segments(path: &[&str]) -> Vec<Segment> {
    path.iter().map(|key| Segment::key(*key)).collect()
}

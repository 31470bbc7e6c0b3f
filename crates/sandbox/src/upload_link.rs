//! Where a path that a user chose for an upload is found besides below `/mnt/session/uploads`.
//!
//! `/data/a.csv` is placed at `/mnt/session/uploads/data/a.csv`. A link at `/data` makes the path
//! itself good too, and with it everything else that is placed below `/data`, also later. **Rule:**
//! a link stands where the path leaves the directories that every sandbox has, and never in one of
//! the system's or in one that commands write in.

use serde::{Deserialize, Serialize};

use crate::inner_path::InnerPath;

/// Names below `/` that a link must not take or go through.
const SYSTEM: &[&str] = &[
    "bin",
    "boot",
    "dev",
    "etc",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "proc",
    "root",
    "run",
    "sbin",
    "sys",
    "tmp",
    "usr",
    "var",
    "workspace",
];
/// Directories that are there and otherwise empty: a link may stand in them.
const SHARED: &[&str] = &["home", "mnt", "opt", "srv"];
const OURS: &str = "mnt/session";

/// A link at this path below `/` to the same path below the uploads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadLink(InnerPath);

impl UploadLink {
    /// The link that makes the path of an upload good as it is. `None`: there must be none.
    pub fn of(upload: &InnerPath) -> Option<Self> {
        let path = upload.as_str();
        let first = path.split('/').next().unwrap_or_default();
        if SYSTEM.contains(&first) {
            return None;
        }
        let names = if SHARED.contains(&first) { 2 } else { 1 };
        let end = path.match_indices('/').nth(names - 1);
        let place = end.map_or(path, |(at, _)| &path[..at]);
        let is_free = place != OURS && !SHARED.contains(&place);
        is_free.then(|| place.parse().ok().map(Self))?
    }

    pub(crate) fn path(&self) -> &InnerPath {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(path: &str) -> Option<String> {
        let link = UploadLink::of(&path.parse().unwrap())?;
        Some(link.path().as_str().to_owned())
    }

    #[test]
    fn a_link_stands_where_a_path_leaves_what_is_there() {
        for (path, place) in [
            ("data.csv", "data.csv"),
            ("data/deep/a.csv", "data"),
            ("mnt/user-data/uploads/a.csv", "mnt/user-data"),
            ("home/me/a.csv", "home/me"),
            ("opt/a", "opt/a"),
        ] {
            assert_eq!(link(path).as_deref(), Some(place), "{path}");
        }
    }

    #[test]
    fn no_link_stands_in_a_directory_of_the_system() {
        for path in [
            "etc/passwd",
            "usr",
            "proc/self/mem",
            "lib64/a",
            "tmp/a",
            "workspace/a",
            "mnt/session/outputs/a",
            "mnt/session",
            "mnt",
        ] {
            assert_eq!(link(path), None, "{path}");
        }
    }
}

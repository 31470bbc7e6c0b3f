//! Ends what is left in cgroups and removes them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::places::Places;

/// The cgroups in one that is ours: none has more, and none of them has any.
pub(super) const INNER: &[&str] = &[super::AGENT, super::TOOLS];

/// Those that are gone are fine.
pub(crate) fn remove(directories: &[PathBuf]) {
    for directory in directories {
        if let Err(error) = remove_one(directory) {
            tracing::warn!(directory = %directory.display(), %error, "a cgroup stays behind");
        }
    }
}

pub(super) fn remove_one(directory: &Path) -> io::Result<()> {
    // Only v2 has the file; it ends processes that escaped every other way.
    let _ = fs::write(directory.join("cgroup.kill"), "1");
    for name in INNER {
        gone(fs::remove_dir(directory.join(name)))?;
    }
    gone(fs::remove_dir(directory))
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// All directories that a launch with this name may have made.
pub(crate) fn possible_directories(name: &str) -> Vec<PathBuf> {
    let places = Places::find().all().map(|place| place.join(name));
    places.filter(|directory| directory.exists()).collect()
}

/// The names of all sandboxes with this prefix that have cgroups here.
pub(crate) fn names_with_prefix(prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = Places::find()
        .all()
        .filter_map(|place| fs::read_dir(place).ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    names.dedup();
    names
}

//! Whose a cgroup is: the state directory of the server that made it, as an attribute of the cgroup.
//!
//! The sandboxes of a state directory that was deleted end by themselves, and no server comes back to
//! remove their cgroups. Any other one does, if it sees the same files: what is no directory for one server may
//! be one for another with a root of its own.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::places::Places;
use super::removal::{INNER, remove_one};
use crate::limits::{ABANDONED_CGROUPS_MAX, CGROUP_OWNER_BYTES_MAX};

/// What the names of cgroups of sandboxes begin with, whoever made them.
const PREFIX: &str = "hostler-";
const ATTRIBUTE: &str = "user.hostler.state";

/// The attribute is `device:inode path`: that of the root directory, and of the state directory.
struct Owner {
    root: String,
    state: PathBuf,
}

impl Owner {
    fn of(state: &Path) -> io::Result<Self> {
        let root = fs::metadata("/")?;
        Ok(Self {
            root: format!("{}:{}", root.dev(), root.ino()),
            state: state.to_owned(),
        })
    }

    fn read(cgroup: &Path) -> Option<Self> {
        let mut bytes = vec![0; CGROUP_OWNER_BYTES_MAX];
        let length = getxattr(cgroup, ATTRIBUTE, &mut bytes[..]).ok()?;
        let at = bytes[..length].iter().position(|byte| *byte == b' ')?;
        let state = PathBuf::from(OsStr::from_bytes(&bytes[at + 1..length]));
        let root = String::from_utf8(bytes[..at].to_vec()).ok()?;
        state.is_absolute().then_some(Self { root, state })
    }

    fn write(&self, cgroup: &Path) -> io::Result<()> {
        let mut bytes = self.root.clone().into_bytes();
        bytes.push(b' ');
        bytes.extend(self.state.as_os_str().as_bytes());
        Ok(setxattr(cgroup, ATTRIBUTE, &bytes, XattrFlags::empty())?)
    }

    fn is_gone(&self) -> bool {
        let found = fs::symlink_metadata(&self.state);
        found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }
}

/// Notes whose these are, as far as the kernel keeps attributes of cgroups: those without one stay until the
/// next boot, as the worst that happens.
pub(super) fn mark(cgroups: &[PathBuf], state: &Path) {
    let Ok(owner) = Owner::of(state) else { return };
    for cgroup in cgroups {
        let _ = owner.write(cgroup);
    }
}

/// Removes empty cgroups of state directories that are gone, and says how many.
pub(crate) fn remove_abandoned() -> io::Result<usize> {
    // What it says of another root may be wrong for this one.
    let here = Owner::of(Path::new("/"))?.root;
    let places = Places::find()
        .all()
        .filter_map(|place| fs::read_dir(place).ok());
    let cgroups = places.flatten().filter_map(Result::ok);
    let cgroups =
        cgroups.filter(|entry| entry.file_name().as_bytes().starts_with(PREFIX.as_bytes()));
    let mut removed = 0;
    for entry in cgroups.take(ABANDONED_CGROUPS_MAX) {
        let cgroup = entry.path();
        let owner = Owner::read(&cgroup);
        let is_abandoned = owner.is_some_and(|owner| owner.root == here && owner.is_gone());
        if is_abandoned && is_empty(&cgroup) && remove_one(&cgroup).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Whether no process is in it, as far as this one can see. The kernel removes none that has any.
fn is_empty(cgroup: &Path) -> bool {
    let holds_none = |place: &Path| {
        let processes = fs::read_to_string(place.join("cgroup.procs"));
        processes.map_or_else(
            |error| error.kind() == io::ErrorKind::NotFound,
            |processes| processes.trim().is_empty(),
        )
    };
    holds_none(cgroup) && INNER.iter().all(|name| holds_none(&cgroup.join(name)))
}

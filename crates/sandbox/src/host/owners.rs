//! Changes whom the files of a tree belong to, when it goes from one sandbox to another or is kept
//! without one. The processes that made it have ended, but it may be as deep and wide as they liked.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, openat, statat};

use crate::limits::{LAYER_DEPTH_MAX, LAYER_ENTRIES_MAX};

/// The first of the ids that files have, and of those that they get. Files without ids of their own
/// keep the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owners {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Owners {
    pub(super) fn shifted(self, id: u32) -> u32 {
        id.saturating_sub(self.from).saturating_add(self.to)
    }
}

/// What was met on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Walked {
    entries: u64,
    /// Of all files, as they take room on the disk.
    pub(super) bytes: u64,
}

/// Opens the root of a tree, which is no link.
pub(super) fn open_tree(root: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(CWD, root, flags, Mode::empty())?)
}

/// Takes setuid bits away on the way, which nothing in a sandbox can use. `None`: looks only.
pub(super) fn change_owners(root: &OwnedFd, owners: Option<Owners>) -> io::Result<Walked> {
    let mut walked = Walked::default();
    visit(root, c".", owners, &mut walked)?;
    walk(root, owners, 0, &mut walked)?;
    Ok(walked)
}

fn walk(
    directory: &OwnedFd,
    owners: Option<Owners>,
    depth: usize,
    walked: &mut Walked,
) -> io::Result<()> {
    check_depth(depth)?;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if visit(directory, name, owners, walked)? == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let inner = openat(directory, name, flags, Mode::empty())?;
            walk(&inner, owners, depth + 1, walked)?;
        }
    }
    Ok(())
}

fn visit(
    directory: &OwnedFd,
    name: &CStr,
    owners: Option<Owners>,
    walked: &mut Walked,
) -> io::Result<FileType> {
    let found = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    walked.count(u64::try_from(found.st_blocks).unwrap_or(0) * 512)?;
    if let Some(owners) = owners {
        chownat(
            directory,
            name,
            Some(Uid::from_raw(owners.shifted(found.st_uid))),
            Some(Gid::from_raw(owners.shifted(found.st_gid))),
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
    }
    Ok(FileType::from_raw_mode(found.st_mode))
}

impl Walked {
    pub(super) fn count(&mut self, bytes: u64) -> io::Result<()> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.entries > LAYER_ENTRIES_MAX {
            return Err(io::Error::other(format!(
                "what a sandbox made has more than {LAYER_ENTRIES_MAX} files"
            )));
        }
        Ok(())
    }
}

pub(super) fn check_depth(depth: usize) -> io::Result<()> {
    if depth > LAYER_DEPTH_MAX {
        return Err(io::Error::other(format!(
            "what a sandbox made is deeper than {LAYER_DEPTH_MAX} directories"
        )));
    }
    Ok(())
}

/// Makes sure that all of the file system of `root` is on disk.
pub(super) fn sync(root: OwnedFd) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::from(root))?)
}

//! Deletes trees that a sandbox filled.
//!
//! They may be deeper than the stack and than the number of files one may open, hold more names
//! than there is memory for, and their directories may forbid everything. So nothing here
//! recurses and nothing is collected: a directory inside another is moved up beside it and
//! emptied in its turn. Links are removed, never followed.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

/// Empties `directory`, which stays. Goes on after a failure and returns the first one.
pub(super) fn remove_tree(directory: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::open(directory, flags, Mode::empty())?;
    empty_directory(&root)
}

/// The same for an open directory.
pub(super) fn empty_directory(root: &OwnedFd) -> io::Result<()> {
    empty_but(root, None)
}

/// Empties `folder`, each directory in it for itself, and of these the file `last` at the very end:
/// whatever keeps a directory from going, and wherever a crash comes, it is there as long as
/// anything else is. Goes on after a failure and returns the first one.
pub(super) fn remove_each(folder: &Path, last: &CStr) -> io::Result<()> {
    let mut first_failure = None;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_directory = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
        let removed = if is_directory {
            remove_one(&path, last)
        } else {
            fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                first_failure.get_or_insert(error);
            }
            Ok(()) | Err(_) => {}
        }
    }
    first_failure.map_or(Ok(()), Err)
}

fn remove_one(directory: &Path, last: &CStr) -> io::Result<()> {
    let root = open_inner(
        CWD,
        &std::ffi::CString::new(directory.as_os_str().as_encoded_bytes())?,
    )?;
    empty_but(&root, Some(last))?;
    match unlinkat(&root, last, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        // Somebody else's directory of that name.
        Err(_) => empty_directory(&root)?,
    }
    Ok(unlinkat(CWD, directory, AtFlags::REMOVEDIR)?)
}

fn empty_but(root: &OwnedFd, last: Option<&CStr>) -> io::Result<()> {
    let mut moved = 0_u64;
    let mut first_failure = None;
    // Directories that were moved up are found by the next look.
    while empty(root, |name| {
        if Some(name) == last {
            return Ok(Removed::No);
        }
        match remove(root, name, &mut moved) {
            Ok(()) => Ok(Removed::Yes),
            Err(error) => {
                first_failure.get_or_insert(error);
                Ok(Removed::No)
            }
        }
    })? {}
    first_failure.map_or(Ok(()), Err)
}

#[derive(PartialEq, Eq)]
enum Removed {
    Yes,
    No,
}

/// Shows `remove` every name of `directory` once, and says whether any went. A directory that
/// changes while it is read may skip some, so look again until none goes.
fn empty(
    directory: &OwnedFd,
    mut remove: impl FnMut(&CStr) -> io::Result<Removed>,
) -> io::Result<bool> {
    let mut any = false;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            any |= remove(name)? == Removed::Yes;
        }
    }
    Ok(any)
}

fn remove(root: &OwnedFd, name: &CStr, moved: &mut u64) -> io::Result<()> {
    match unlinkat(root, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let directory = open_inner(root.as_fd(), name)?;
    while empty(&directory, |inner| {
        match unlinkat(&directory, inner, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(Removed::Yes),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
        match unlinkat(&directory, inner, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(_) => move_up(root, &directory, inner, moved)?,
        }
        Ok(Removed::Yes)
    })? {}
    Ok(unlinkat(root, name, AtFlags::REMOVEDIR)?)
}

/// Moving a directory changes its `..`, which takes the right to write in it.
fn move_up(root: &OwnedFd, parent: &OwnedFd, name: &CStr, moved: &mut u64) -> io::Result<()> {
    drop(open_inner(parent.as_fd(), name)?);
    loop {
        *moved += 1;
        let place = format!("moved.{}.{moved}", std::process::id());
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(parent, name, root, &place, flags) {
            Err(Errno::EXIST) => {}
            Err(Errno::INVAL) => {
                // A file system that cannot refuse to replace: such a name is ours anyway.
                return Ok(renameat(parent, name, root, &place)?);
            }
            renamed => return Ok(renamed?),
        }
    }
}

/// Opens a directory after giving ourselves the right to read and to empty it.
fn open_inner(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let base = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || openat(parent, name, OFlags::RDONLY | base, Mode::empty());
    let directory = match open() {
        Err(Errno::ACCESS) => {
            // Not by name, which a link could have taken: by the descriptor's own path.
            let handle = openat(parent, name, OFlags::PATH | base, Mode::empty())?;
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&handle));
            rustix::fs::chmod(path, Mode::RWXU)?;
            open()?
        }
        opened => opened?,
    };
    rustix::fs::fchmod(&directory, Mode::RWXU)?;
    Ok(directory)
}

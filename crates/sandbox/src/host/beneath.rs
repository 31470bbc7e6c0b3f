//! Opening what lies below a directory that strangers may write in.
//!
//! **Invariant:** every path is resolved by the kernel, beneath the directory that it starts at and
//! without following any link. No check of the text and no look before the open is relied on.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2};
use rustix::io::{Errno, retry_on_intr};
use rustix::path::Arg;

use crate::limits::RESOLVE_ATTEMPTS_MAX;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// Opens a directory to read its names.
pub(super) fn open_directory(root: impl AsFd, path: &str) -> Result<OwnedFd, Errno> {
    open(
        root,
        path,
        OFlags::RDONLY | OFlags::DIRECTORY,
        Mode::empty(),
    )
}

/// Opens a file to read it. Whatever it is, this doesn't wait for anybody: a pipe is refused by
/// the caller, who sees in the answer what it has opened.
pub(super) fn open_to_read(root: impl AsFd, path: &str) -> Result<(OwnedFd, Stat), Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = open(root, path, flags, Mode::empty())?;
    let found = fstat(&file)?;
    Ok((file, found))
}

pub(crate) fn open(
    root: impl AsFd,
    path: impl Arg + Copy,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // EAGAIN: a rename elsewhere made the kernel unsure; it is asked again, a few times.
    let mut attempts = 0;
    loop {
        attempts += 1;
        match retry_on_intr(|| openat2(root.as_fd(), path, flags, mode, RESOLVE)) {
            Err(Errno::AGAIN) if attempts < RESOLVE_ATTEMPTS_MAX => {}
            opened => return opened,
        }
    }
}

pub(crate) fn is_regular(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
}

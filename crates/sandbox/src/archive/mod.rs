//! The archive of a sandbox's files: a tar in zstd, that any machine can make a sandbox of again.
//!
//! Owners are counted from the sandbox's first id. Names, times, attributes and holes are in
//! extended headers, so that nothing depends on what the old header has room for; apart from holes
//! `tar --xattrs` understands all of it. What is in it was chosen inside a sandbox, and the archive
//! may have been elsewhere: reading one is as careful as if it came from a stranger.

mod copy;
mod first_names;
mod header;
mod pack;
mod unpack;

use std::io;
use std::os::fd::BorrowedFd;

pub(crate) use copy::copy_tree;
pub(crate) use pack::{Bases, pack};
pub(crate) use unpack::unpack;

/// The first name in each archive; the number is the version of all of this.
const FIRST_NAME: &[u8] = b"hostler-checkpoint-1";

/// What an archive holds, directly below its top: directories of the sandbox, and files of the
/// host about it.
pub(crate) const TREES: &[&str] = &["workspace", "outputs", "home", "upper"];
const FILES: &[&str] = &["shell_state", "news.json", "root.json", "extras.json"];

/// Where a sandbox's files are: one directory, or two.
#[derive(Clone, Copy)]
pub(crate) struct Halves<'a> {
    /// The files of the host about it.
    pub(crate) about: BorrowedFd<'a>,
    /// The directories of what it writes.
    pub(crate) written: BorrowedFd<'a>,
}

impl<'a> Halves<'a> {
    /// Both are one directory.
    pub(crate) fn in_one(directory: BorrowedFd<'a>) -> Self {
        Self {
            about: directory,
            written: directory,
        }
    }
}

/// What was packed or unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packed {
    pub entries: u64,
    /// Of contents, without holes.
    pub bytes: u64,
}

fn refused(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

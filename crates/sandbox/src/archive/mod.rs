//! The archive of a sandbox's files: a tar in zstd, that any machine can make a sandbox of again.
//!
//! Owners are counted from the sandbox's first id. Names, times, attributes and holes are in
//! extended headers, so that nothing depends on what the old header has room for; apart from holes
//! `tar --xattrs` understands all of it. What is in it was chosen inside a sandbox, and the archive
//! may have been elsewhere: reading one is as careful as if it came from a stranger.

mod first_names;
mod header;
mod pack;
mod unpack;

use std::io;

pub(crate) use pack::{Bases, pack};
pub(crate) use unpack::unpack;

/// The first name in each archive; the number is the version of all of this.
const FIRST_NAME: &[u8] = b"hostler-checkpoint-1";

/// What an archive holds, directly below its top: directories of the sandbox, and files of the
/// host about it.
pub(crate) const TREES: &[&str] = &["workspace", "outputs", "home", "upper"];
const FILES: &[&str] = &["shell_state", "news.json", "root.json", "extras.json"];

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

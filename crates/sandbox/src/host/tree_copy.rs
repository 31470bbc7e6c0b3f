//! Copies a tree that a sandbox made: into one that has no processes yet, or out of the file system
//! that it was made in.
//!
//! Nobody changes either side meanwhile. What is copied was made by strangers all the same: links
//! are copied as links, nothing is opened through one, special files are refused, and so is more
//! than the bounds allow.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fchmod, mkdirat, openat,
    readlinkat, statat, symlinkat,
};

use super::owners::{Owners, Walked, check_depth};

#[derive(Debug, Clone, Copy)]
pub(super) struct CopyOptions {
    /// `None`: whoever copies owns the copy.
    pub(super) owners: Option<Owners>,
    /// How long all files together may say they are: holes are not copied as such. `None`: what
    /// they are copied to has a bound.
    pub(super) bytes_max: Option<u64>,
}

/// Copies `from` to `name` in `parent`, which must not be there.
pub(super) fn copy_tree(
    from: &OwnedFd,
    parent: &OwnedFd,
    name: &CStr,
    options: CopyOptions,
) -> io::Result<()> {
    let copy = Copy { options };
    copy.directory(from, parent, name, 0, &mut Walked::default())
}

struct Copy {
    options: CopyOptions,
}

impl Copy {
    fn directory(
        &self,
        from: &OwnedFd,
        parent: &OwnedFd,
        name: &CStr,
        depth: usize,
        walked: &mut Walked,
    ) -> io::Result<()> {
        check_depth(depth)?;
        mkdirat(parent, name, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to = openat(parent, name, flags, Mode::empty())?;
        for entry in Dir::read_from(from)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let found = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
            self.count(walked, &found)?;
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => {
                    let inner = openat(from, name, flags, Mode::empty())?;
                    self.directory(&inner, &to, name, depth + 1, walked)?;
                }
                FileType::RegularFile => self.file(from, &to, name, &found)?,
                FileType::Symlink => {
                    symlinkat(readlinkat(from, name, Vec::new())?, &to, name)?;
                    self.give(&to, name, &found)?;
                }
                FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => {
                    return Err(io::Error::other("what a sandbox made holds a special file"));
                }
            }
        }
        let found = rustix::fs::fstat(from)?;
        fchmod(&to, mode(&found))?;
        self.give(parent, name, &found)
    }

    fn file(&self, from: &OwnedFd, to: &OwnedFd, name: &CStr, found: &Stat) -> io::Result<()> {
        let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut source = File::from(openat(from, name, read, Mode::empty())?);
        let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut copy = File::from(openat(to, name, write, Mode::RUSR | Mode::WUSR)?);
        // The kernel copies, and where the file system can, it shares the blocks.
        io::copy(&mut source, &mut copy)?;
        fchmod(copy.as_fd(), mode(found))?;
        self.give(to, name, found)
    }

    fn count(&self, walked: &mut Walked, found: &Stat) -> io::Result<()> {
        let bytes = match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => u64::try_from(found.st_size).unwrap_or(u64::MAX),
            FileType::Directory
            | FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => 0,
        };
        walked.count(bytes)?;
        match self.options.bytes_max {
            Some(most) if walked.bytes > most => Err(io::Error::other(format!(
                "the files that a sandbox made say that they have more than {most} bytes"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    fn give(&self, parent: &OwnedFd, name: &CStr, found: &Stat) -> io::Result<()> {
        let Some(owners) = self.options.owners else {
            return Ok(());
        };
        let uid = Uid::from_raw(owners.shifted(found.st_uid));
        let gid = Gid::from_raw(owners.shifted(found.st_gid));
        let at = AtFlags::SYMLINK_NOFOLLOW;
        Ok(chownat(parent, name, Some(uid), Some(gid), at)?)
    }
}

/// Without setuid and the like.
fn mode(found: &Stat) -> Mode {
    Mode::from_raw_mode(found.st_mode & 0o777)
}

//! Copies a kept tree into a sandbox that has no processes yet.
//!
//! Nobody changes either side meanwhile. What is copied was made by strangers all the same: links
//! are copied as links, and nothing is opened through one.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fchmod, mkdirat, openat,
    readlinkat, statat, symlinkat,
};

use super::owners::{Walked, check_depth};

/// Copies `from` to `name` in `parent`, which must not be there. With an owner, files whose ids
/// count from 0 get those that count from there.
pub(super) fn copy_tree(
    from: &OwnedFd,
    parent: &OwnedFd,
    name: &CStr,
    owner: Option<u32>,
) -> io::Result<()> {
    let copy = Copy { owner };
    copy.directory(from, parent, name, 0, &mut Walked::default())
}

struct Copy {
    owner: Option<u32>,
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
            walked.count(0)?;
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
                    return Err(io::Error::other("a kept tree holds a special file"));
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

    fn give(&self, parent: &OwnedFd, name: &CStr, found: &Stat) -> io::Result<()> {
        let Some(owner) = self.owner else {
            return Ok(());
        };
        let shifted = |id: u32| id.saturating_add(owner);
        let uid = Uid::from_raw(shifted(found.st_uid));
        let gid = Gid::from_raw(shifted(found.st_gid));
        let at = AtFlags::SYMLINK_NOFOLLOW;
        Ok(chownat(parent, name, Some(uid), Some(gid), at)?)
    }
}

/// Without setuid and the like.
fn mode(found: &Stat) -> Mode {
    Mode::from_raw_mode(found.st_mode & 0o777)
}

//! From a sandbox's directory to an archive. The sandbox has no processes meanwhile.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, SeekFrom, Stat, chmodat, fchmod, fstat, openat,
    readlinkat, statat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::first_names::FirstNames;
use super::header::{BLOCK, Entry, Extent, Kind, pad, whole};
use super::{FILES, FIRST_NAME, Halves, Packed, TREES, refused};
use crate::limits::{
    ARCHIVE_BYTES_MAX, ARCHIVE_DEPTH_MAX, ARCHIVE_ENTRIES_MAX, ARCHIVE_EXTENTS_MAX,
    ARCHIVE_HEADER_BYTES_MAX, ARCHIVE_LEVEL, ARCHIVE_THREADS, PATH_BYTES_MAX, UID_RANGE,
};

const READ_BYTES: usize = 256 << 10;

struct Packer<'a, W: Write> {
    out: W,
    /// Asked again and again; its error ends the work.
    go_on: &'a dyn Fn() -> io::Result<()>,
    bases: Bases,
    packed: Packed,
    first_names: FirstNames,
    /// What whoever unpacks this has to remember of directories.
    later_bytes: usize,
    buffer: Vec<u8>,
}

/// A directory that is being read.
struct Level {
    directory: Opened,
    names: Dir,
    path: Vec<u8>,
}

/// What a sandbox's ids are counted from.
#[derive(Clone, Copy)]
pub(crate) struct Bases {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Writes the archive of the sandbox in `halves`, whose ids begin at `bases`, for as long as it
/// may go on.
pub(crate) fn pack(
    halves: Halves<'_>,
    bases: Bases,
    out: impl Write,
    go_on: &dyn Fn() -> io::Result<()>,
) -> io::Result<Packed> {
    let out = compressed(out)?;
    let mut packer = Packer::begin(bases, out, go_on)?;
    for name in FILES {
        match statat(halves.about, *name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => packer.one(
                halves.about,
                name.as_bytes(),
                name.as_bytes().to_vec(),
                &found,
                Owner::Host,
            )?,
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for name in TREES {
        packer.tree(halves.written, name)?;
    }
    packer.end()?;
    packer.out.finish()?.flush()?;
    Ok(packer.packed)
}

/// Writes one of the directories of what a sandbox writes, and nothing about it.
pub(crate) fn pack_tree(
    written: BorrowedFd<'_>,
    tree: &str,
    bases: Bases,
    out: impl Write,
) -> io::Result<()> {
    let out = compressed(out)?;
    let mut packer = Packer::begin(bases, out, &|| Ok(()))?;
    packer.tree(written, tree)?;
    packer.end()?;
    packer.out.finish()?.flush()
}

/// Compressed by a thread of its own, while this one reads.
fn compressed<W: Write>(out: W) -> io::Result<zstd::Encoder<'static, W>> {
    let mut out = zstd::Encoder::new(out, ARCHIVE_LEVEL)?;
    out.multithread(ARCHIVE_THREADS)?;
    Ok(out)
}

/// Whose a file is: the sandbox's, or the host's, which is nobody's in an archive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Sandbox,
    Host,
}

impl<'a, W: Write> Packer<'a, W> {
    fn begin(bases: Bases, out: W, go_on: &'a dyn Fn() -> io::Result<()>) -> io::Result<Self> {
        let mut packer = Self {
            go_on,
            out,
            bases,
            packed: Packed::default(),
            first_names: FirstNames::default(),
            later_bytes: 0,
            buffer: vec![0; READ_BYTES],
        };
        packer.first()?;
        Ok(packer)
    }

    /// Two empty blocks.
    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK as usize])
    }

    fn first(&mut self) -> io::Result<()> {
        let entry = Entry {
            path: FIRST_NAME.to_vec(),
            kind: Kind::File {
                size: 0,
                extents: Vec::new(),
            },
            mode: 0,
            uid: 0,
            gid: 0,
            seconds: 0,
            nanoseconds: 0,
            attributes: Vec::new(),
        };
        entry.write(&mut self.out)
    }

    /// Depth first, with one open directory for each level.
    fn tree(&mut self, parent: BorrowedFd<'_>, name: &str) -> io::Result<()> {
        let found = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        self.one(
            parent,
            name.as_bytes(),
            name.as_bytes().to_vec(),
            &found,
            Owner::Sandbox,
        )?;
        let mut levels = vec![level(parent, name.as_bytes(), name.as_bytes().to_vec())?];
        while let Some(here) = levels.last_mut() {
            let Some(found) = here.names.next() else {
                levels.pop();
                continue;
            };
            let found = found?;
            let name = found.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let path = [&here.path, &b"/"[..], name].concat();
            if path.len() > PATH_BYTES_MAX {
                return Err(refused(format!(
                    "a path of more than {PATH_BYTES_MAX} bytes"
                )));
            }
            let stat = statat(&here.directory.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let inner = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            let directory = here.directory.0.as_fd();
            self.one(directory, name, path.clone(), &stat, Owner::Sandbox)?;
            if inner {
                let next = level(directory, name, path)?;
                if levels.len() >= ARCHIVE_DEPTH_MAX {
                    return Err(refused(format!(
                        "directories in more than {ARCHIVE_DEPTH_MAX} others"
                    )));
                }
                levels.push(next);
            }
        }
        Ok(())
    }

    fn one(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: Vec<u8>,
        found: &Stat,
        owner: Owner,
    ) -> io::Result<()> {
        (self.go_on)()?;
        self.packed.entries += 1;
        if self.packed.entries > ARCHIVE_ENTRIES_MAX {
            return Err(refused(format!("more than {ARCHIVE_ENTRIES_MAX} files")));
        }
        let mut entry = self.entry(path, found, owner)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => {
                entry.attributes = attributes(&open(parent, name, OFlags::DIRECTORY)?.0)?;
                entry.count_for_later(&mut self.later_bytes)?;
            }
            FileType::RegularFile => return self.file(parent, name, entry, found),
            FileType::Symlink => {
                entry.kind = Kind::Link(readlinkat(parent, name, Vec::new())?.into_bytes());
            }
            FileType::Fifo => entry.kind = Kind::Pipe,
            FileType::CharacterDevice if found.st_rdev == 0 => entry.kind = Kind::Whiteout,
            // A socket is of use to its process only, and other devices nobody inside can make.
            FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => {
                return Ok(());
            }
        }
        entry.write(&mut self.out)
    }

    fn entry(&self, path: Vec<u8>, found: &Stat, owner: Owner) -> io::Result<Entry> {
        let id = |id: u32, base: u32| match (owner, id.checked_sub(base)) {
            (Owner::Host, _) => Ok(0),
            (Owner::Sandbox, Some(inner)) if inner < UID_RANGE => Ok(inner),
            (Owner::Sandbox, _) => {
                let path = String::from_utf8_lossy(&path);
                Err(refused(format!("{path:?} belongs to the foreign id {id}")))
            }
        };
        Ok(Entry {
            kind: Kind::Directory,
            mode: found.st_mode & 0o7777,
            uid: id(found.st_uid, self.bases.uid)?,
            gid: id(found.st_gid, self.bases.gid)?,
            seconds: found.st_mtime,
            nanoseconds: u32::try_from(found.st_mtime_nsec).unwrap_or(0),
            attributes: Vec::new(),
            path,
        })
    }

    fn file(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        mut entry: Entry,
        found: &Stat,
    ) -> io::Result<()> {
        if let Some(first) = self.first_names.of(found, &entry.path)? {
            entry.kind = Kind::Name(first);
            return entry.write(&mut self.out);
        }
        let file = open(parent, name, OFlags::NONBLOCK)?;
        let opened = fstat(&file.0)?;
        if FileType::from_raw_mode(opened.st_mode) != FileType::RegularFile
            || opened.st_ino != found.st_ino
        {
            return Err(refused("a file was replaced while it was read"));
        }
        entry.attributes = attributes(&file.0)?;
        let size = u64::try_from(opened.st_size).unwrap_or(0);
        let extents = extents(&file.0, size)?;
        entry.kind = Kind::File {
            size,
            extents: extents.clone(),
        };
        let length = entry.length();
        self.packed.bytes += length;
        if self.packed.bytes > ARCHIVE_BYTES_MAX {
            return Err(refused(format!(
                "more than {} GiB",
                ARCHIVE_BYTES_MAX >> 30
            )));
        }
        entry.write(&mut self.out)?;
        let contents = File::from(file.0.try_clone()?);
        for Extent {
            mut offset,
            mut length,
        } in extents
        {
            while length > 0 {
                let wanted = usize::try_from(length)
                    .unwrap_or(READ_BYTES)
                    .min(READ_BYTES);
                (self.go_on)()?;
                contents.read_exact_at(&mut self.buffer[..wanted], offset)?;
                self.out.write_all(&self.buffer[..wanted])?;
                (offset, length) = (offset + wanted as u64, length - wanted as u64);
            }
        }
        pad(&mut self.out, length)
    }
}

fn level(parent: BorrowedFd<'_>, name: &[u8], path: Vec<u8>) -> io::Result<Level> {
    let directory = open(parent, name, OFlags::DIRECTORY)?;
    let names = Dir::read_from(&directory.0)?;
    Ok(Level {
        directory,
        names,
        path,
    })
}

/// Something open, whose mode is set back when it is closed.
struct Opened(OwnedFd, Option<Mode>);

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(mode) = self.1 {
            // It is its owner who has changed it, so it can.
            let _ = fchmod(&self.0, mode);
        }
    }
}

/// What forbids even its owner to read is opened all the same: root may, and anybody else may
/// change the mode for a moment. Nobody else is there to see it.
fn open(parent: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> io::Result<Opened> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let before = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(before.st_mode & 0o7777);
    let needed = if flags.contains(OFlags::DIRECTORY) {
        Mode::RUSR | Mode::XUSR
    } else {
        Mode::RUSR
    };
    let is_link = FileType::from_raw_mode(before.st_mode) == FileType::Symlink;
    let changed = (!mode.contains(needed) && !is_link && !geteuid().is_root()).then_some(mode);
    if changed.is_some() {
        chmodat(parent, name, mode | needed, AtFlags::empty())?;
    }
    let opened = openat(parent, name, flags, Mode::empty())?;
    Ok(Opened(opened, changed))
}

/// Where there are contents. More pieces than fit are taken for one.
fn extents(file: &OwnedFd, size: u64) -> io::Result<Vec<Extent>> {
    let mut extents = Vec::new();
    let mut end = 0;
    while end < size {
        let offset = match rustix::fs::seek(file, SeekFrom::Data(end)) {
            Ok(offset) => offset,
            Err(Errno::NXIO) => break,
            Err(_) => return Ok(whole(size)),
        };
        if offset >= size {
            break;
        }
        end = rustix::fs::seek(file, SeekFrom::Hole(offset))?.min(size);
        if extents.len() >= ARCHIVE_EXTENTS_MAX {
            return Ok(whole(size));
        }
        extents.push(Extent {
            offset,
            length: end - offset,
        });
    }
    Ok(extents)
}

/// Those of the sandbox's own making: what the overlay and programs inside note.
fn attributes(file: &OwnedFd) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    // Most files have none: room for the longest names would cost more than all else about a small file.
    match rustix::fs::flistxattr(file, &mut [0; 1][..]) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        // A name has more bytes than that.
        Ok(_) | Err(Errno::RANGE) => {}
        Err(error) => return Err(error.into()),
    }
    let mut names = vec![0; ARCHIVE_HEADER_BYTES_MAX];
    let length = rustix::fs::flistxattr(file, &mut names[..])?;
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0) {
        if !name.starts_with(b"user.") {
            continue;
        }
        let mut value = vec![0; ARCHIVE_HEADER_BYTES_MAX];
        let length = rustix::fs::fgetxattr(file, name, &mut value[..])?;
        value.truncate(length);
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

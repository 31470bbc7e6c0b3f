//! From an archive to a sandbox's directory, which is new and which nobody else knows yet.
//!
//! **Invariant:** nothing is created but by one name in a directory that the kernel has found
//! beneath the root without following a link. What an archive says is refused as a whole if any
//! of it is not what [`super::pack`] writes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod,
    fchown, fsetxattr, futimens, linkat, mkdirat, mknodat, statat, symlinkat, utimensat,
};

use super::header::{Entry, Extent, Kind, next, skip_padding};
use super::{FILES, FIRST_NAME, Halves, Packed, TREES, refused};
use crate::host::beneath;
use crate::limits::{
    ARCHIVE_BYTES_MAX, ARCHIVE_DEPTH_MAX, ARCHIVE_ENTRIES_MAX, ARCHIVE_FILE_BYTES_MAX,
    NAME_BYTES_MAX, UID_RANGE,
};

const WRITE_BYTES: usize = 256 << 10;
/// Memory that reading takes: packing uses far less.
const WINDOW_LOG_MAX: u32 = 27;

struct Unpacker<'a, R: Read> {
    input: R,
    /// Where files about the sandbox go.
    about: BorrowedFd<'a>,
    /// Where its own are, and names in links count from.
    root: BorrowedFd<'a>,
    uid_base: Option<u32>,
    packed: Packed,
    /// Directories, whose modes and times are set when nothing is put into them any more.
    later: Vec<Entry>,
    later_bytes: usize,
    buffer: Vec<u8>,
}

/// Fills `halves`, which hold empty directories of the names in [`TREES`], and nothing else of
/// what comes. With a base, owners are set. The input is read to its end.
pub(crate) fn unpack(
    halves: Halves<'_>,
    uid_base: Option<u32>,
    mut input: impl Read,
) -> io::Result<Packed> {
    let mut decoder = zstd::Decoder::new(&mut input)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    let mut unpacker = Unpacker {
        input: decoder,
        about: halves.about,
        root: halves.written,
        uid_base,
        packed: Packed::default(),
        later: Vec::new(),
        later_bytes: 0,
        buffer: vec![0; WRITE_BYTES],
    };
    match next(&mut unpacker.input)? {
        Some(first) if first.path == FIRST_NAME && first.length() == 0 => {}
        Some(_) | None => return Err(refused("it is not an archive of a sandbox of this version")),
    }
    while let Some(entry) = next(&mut unpacker.input)? {
        unpacker.one(entry)?;
    }
    unpacker.settle_directories()?;
    let packed = unpacker.packed;
    // What follows belongs to nobody, but whoever gives the bytes may check all of them.
    drop(unpacker);
    io::copy(&mut input.take(ARCHIVE_BYTES_MAX), &mut io::sink())?;
    Ok(packed)
}

impl<R: Read> Unpacker<'_, R> {
    fn one(&mut self, entry: Entry) -> io::Result<()> {
        self.packed.entries += 1;
        if self.packed.entries > ARCHIVE_ENTRIES_MAX {
            return Err(refused(format!("more than {ARCHIVE_ENTRIES_MAX} entries")));
        }
        let path = entry.path.clone();
        let names = names(&path)?;
        let [inner @ .., name] = names.as_slice() else {
            return Err(refused("an entry without a name"));
        };
        let top = names[0];
        if inner.is_empty() && FILES.iter().any(|file| file.as_bytes() == top) {
            return self.host_file(&entry, name);
        }
        if !TREES.iter().any(|tree| tree.as_bytes() == top) {
            return Err(refused("an entry outside of the sandbox's directories"));
        }
        let parent = self.directory(inner)?;
        let parent = parent.as_ref().map_or(self.root, AsFd::as_fd);
        if inner.is_empty() {
            // The tops are there already.
            return match entry.kind {
                Kind::Directory => self.keep_for_later(entry),
                Kind::File { .. } | Kind::Link(_) | Kind::Name(_) | Kind::Pipe | Kind::Whiteout => {
                    Err(refused("a directory of a sandbox that is none"))
                }
            };
        }
        self.create(parent, name, entry)
    }

    fn create(&mut self, parent: BorrowedFd<'_>, name: &[u8], entry: Entry) -> io::Result<()> {
        match &entry.kind {
            Kind::Directory => {
                mkdirat(parent, name, Mode::RWXU)?;
                return self.keep_for_later(entry);
            }
            Kind::File { size, extents } => {
                let file = self.file(parent, name, *size, extents)?;
                return self.settle(&file, &entry);
            }
            Kind::Link(target) => symlinkat(target.as_slice(), parent, name)?,
            Kind::Name(target) => {
                let names = names(target)?;
                let [inner @ .., first] = names.as_slice() else {
                    return Err(refused("another name of nothing"));
                };
                if inner.is_empty() {
                    return Err(refused("another name of what is the host's"));
                }
                let directory = self.directory(inner)?;
                let from = directory.as_ref().map_or(self.root, AsFd::as_fd);
                let found = statat(from, *first, AtFlags::SYMLINK_NOFOLLOW)?;
                if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
                    return Err(refused("another name of something that is no file"));
                }
                return Ok(linkat(from, *first, parent, name, AtFlags::empty())?);
            }
            Kind::Pipe => mknodat(parent, name, FileType::Fifo, Mode::RUSR, 0)?,
            Kind::Whiteout => mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), 0)?,
        }
        self.settle_name(parent, name, &entry)
    }

    /// The contents, with holes where nothing is.
    fn file(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        size: u64,
        extents: &[Extent],
    ) -> io::Result<OwnedFd> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(
            parent,
            name,
            flags,
            Mode::RUSR | Mode::WUSR,
        )?);
        let mut length = 0;
        for Extent {
            mut offset,
            length: mut left,
        } in extents.iter().copied()
        {
            length += left;
            self.packed.bytes += left;
            if self.packed.bytes > ARCHIVE_BYTES_MAX {
                return Err(refused(format!(
                    "more than {} GiB",
                    ARCHIVE_BYTES_MAX >> 30
                )));
            }
            while left > 0 {
                let wanted = usize::try_from(left)
                    .unwrap_or(WRITE_BYTES)
                    .min(WRITE_BYTES);
                self.input.read_exact(&mut self.buffer[..wanted])?;
                file.write_all_at(&self.buffer[..wanted], offset)?;
                (offset, left) = (offset + wanted as u64, left - wanted as u64);
            }
        }
        skip_padding(&mut self.input, length)?;
        file.set_len(size)?;
        Ok(file.into())
    }

    /// About the sandbox, not of it: it stays the host's.
    fn host_file(&mut self, entry: &Entry, name: &[u8]) -> io::Result<()> {
        match &entry.kind {
            Kind::File { size, extents } if *size <= ARCHIVE_FILE_BYTES_MAX => {
                self.file(self.about, name, *size, extents).map(drop)
            }
            Kind::File { .. }
            | Kind::Directory
            | Kind::Link(_)
            | Kind::Name(_)
            | Kind::Pipe
            | Kind::Whiteout => Err(refused("a record that is no short file")),
        }
    }

    /// `None`: the root itself.
    fn directory(&self, names: &[&[u8]]) -> io::Result<Option<OwnedFd>> {
        if names.is_empty() {
            return Ok(None);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let path = names.join(&b'/');
        Ok(Some(beneath::open(
            self.root,
            path.as_slice(),
            flags,
            Mode::empty(),
        )?))
    }

    fn keep_for_later(&mut self, entry: Entry) -> io::Result<()> {
        entry.count_for_later(&mut self.later_bytes)?;
        self.later.push(entry);
        Ok(())
    }

    /// From the innermost out: a mode may forbid the way in.
    fn settle_directories(&mut self) -> io::Result<()> {
        for entry in std::mem::take(&mut self.later).into_iter().rev() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let directory = beneath::open(self.root, entry.path.as_slice(), flags, Mode::empty())?;
            self.settle(&directory, &entry)?;
        }
        Ok(())
    }

    /// Owner before mode: a change of owner takes rights away.
    fn settle(&self, file: &OwnedFd, entry: &Entry) -> io::Result<()> {
        for (name, value) in &entry.attributes {
            if !name.starts_with(b"user.") {
                return Err(refused("an attribute that is not the sandbox's"));
            }
            fsetxattr(file, name.as_slice(), value, XattrFlags::empty())?;
        }
        if let Some((uid, gid)) = self.owner(entry)? {
            fchown(file, Some(uid), Some(gid))?;
        }
        fchmod(file, Mode::from_raw_mode(entry.mode))?;
        Ok(futimens(file, &times(entry))?)
    }

    fn settle_name(&self, parent: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> io::Result<()> {
        if let Some((uid, gid)) = self.owner(entry)? {
            chownat(
                parent,
                name,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
        if matches!(entry.kind, Kind::Pipe) {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let pipe = rustix::fs::openat(parent, name, flags, Mode::empty())?;
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&pipe));
            rustix::fs::chmod(path, Mode::from_raw_mode(entry.mode))?;
        }
        Ok(utimensat(
            parent,
            name,
            &times(entry),
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    fn owner(&self, entry: &Entry) -> io::Result<Option<(Uid, Gid)>> {
        if entry.uid >= UID_RANGE || entry.gid >= UID_RANGE {
            return Err(refused("an owner that no sandbox has"));
        }
        let owner = |base| {
            (
                Uid::from_raw(base + entry.uid),
                Gid::from_raw(base + entry.gid),
            )
        };
        Ok(self.uid_base.map(owner))
    }
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec {
        tv_sec: entry.seconds,
        tv_nsec: entry.nanoseconds.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// The names of a path: none is empty, leads up or is too long.
fn names(path: &[u8]) -> io::Result<Vec<&[u8]>> {
    let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let is_good = |name: &&[u8]| {
        !name.is_empty()
            && *name != b"."
            && *name != b".."
            && name.len() <= NAME_BYTES_MAX
            && !name.contains(&0)
    };
    if names.len() > ARCHIVE_DEPTH_MAX + 1 || !names.iter().all(is_good) {
        return Err(refused("a path that leads nowhere"));
    }
    Ok(names)
}

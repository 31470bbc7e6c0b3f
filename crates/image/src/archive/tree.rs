//! A tree that is being unpacked.
//!
//! **Invariant:** every name is resolved by the kernel with the tree as its root, and the last
//! part of it is never followed. Links in the tree may point anywhere; nothing here leaves it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, chownat,
    fchmod, fchown, futimens, linkat, mkdirat, openat, openat2, readlinkat, statat, symlinkat,
    unlinkat,
};
use rustix::io::Errno;

use super::items::{Item, Kind};
use crate::error::{ImageError, While};
use crate::limits::{PATH_DEPTH_MAX, RESOLVE_ATTEMPTS_MAX};

/// Whose the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// As the archive says. Takes root.
    Kept,
    /// All of them belong to whoever unpacks, who can enter and remove all directories.
    Flattened,
}

impl Ownership {
    pub(crate) fn possible() -> Self {
        if rustix::process::geteuid().is_root() {
            Self::Kept
        } else {
            Self::Flattened
        }
    }
}

pub(crate) struct Tree {
    root: OwnedFd,
    /// As the kernel names it, to tell how far below it something is.
    root_path: PathBuf,
    ownership: Ownership,
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Tree {
    /// An existing directory.
    pub(crate) fn open(path: &Path, ownership: Ownership) -> Result<Self, ImageError> {
        let root = openat(CWD, path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        let root = root.doing(|| format!("opening {}", path.display()))?;
        let root_path = path_of(&root).doing(|| format!("finding {}", path.display()))?;
        Ok(Self {
            root,
            root_path,
            ownership,
        })
    }

    pub(crate) fn place(&self, item: &Item, content: &mut dyn Read) -> Result<(), ImageError> {
        let doing = || format!("unpacking {}", shown(&item.path));
        let Some((name, parent)) = item.path.split_last() else {
            // The root itself. Anything but a directory there is nonsense.
            return match item.kind {
                Kind::Directory => {
                    let root = openat(
                        &self.root,
                        ".",
                        OFlags::RDONLY | OFlags::CLOEXEC,
                        Mode::empty(),
                    );
                    self.settle(&root.doing(doing)?, item).doing(doing)
                }
                Kind::File | Kind::Symlink(_) | Kind::HardLink(_) | Kind::LeftOut => {
                    Err(ImageError::refused("its root is not a directory"))
                }
            };
        };
        if matches!(item.kind, Kind::LeftOut) {
            return Ok(());
        }
        let parent = self.parent(parent, &doing)?;
        self.make_room(&parent, name, matches!(item.kind, Kind::Directory))
            .doing(doing)?;
        match &item.kind {
            Kind::File => self.write_file(&parent, name, item, content).doing(doing),
            Kind::Directory => self.make_directory(&parent, name, item).doing(doing),
            Kind::Symlink(target) => self.link(&parent, name, item, target).doing(doing),
            Kind::HardLink(target) => self.hard_link(&parent, name, target),
            Kind::LeftOut => Ok(()),
        }
    }

    /// Removes what a name stands for, if anything; whole directories too.
    pub(crate) fn remove(&self, path: &[Vec<u8>]) -> io::Result<()> {
        let Some((name, parent)) = path.split_last() else {
            return Err(io::Error::other("the root cannot be removed"));
        };
        match self.resolve(parent) {
            Ok(parent) => remove_name(&parent, name),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes all that a directory holds.
    pub(crate) fn clear(&self, path: &[Vec<u8>]) -> io::Result<()> {
        let directory = match self.resolve(path) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // A directory that changes while it is read may skip names, so look again until it is empty.
        loop {
            let mut entries =
                std::fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
            let Some(first) = entries.next() else {
                return Ok(());
            };
            remove_name(&directory, first?.file_name().as_bytes())?;
            for entry in entries {
                remove_name(&directory, entry?.file_name().as_bytes())?;
            }
        }
    }

    /// A directory of the tree; links on the way are followed within it.
    fn resolve(&self, path: &[Vec<u8>]) -> rustix::io::Result<OwnedFd> {
        let mut joined = path.join(&b'/');
        if joined.is_empty() {
            joined.push(b'.');
        }
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        for _ in 1..RESOLVE_ATTEMPTS_MAX {
            match openat2(
                &self.root,
                joined.as_slice(),
                DIRECTORY,
                Mode::empty(),
                inside,
            ) {
                // Something of the file system moved meanwhile, not necessarily of ours.
                Err(Errno::AGAIN) => {}
                resolved => return resolved,
            }
        }
        openat2(
            &self.root,
            joined.as_slice(),
            DIRECTORY,
            Mode::empty(),
            inside,
        )
    }

    /// The same, made where it is missing: archives leave out directories.
    ///
    /// **Invariant:** nothing is made deeper than `PATH_DEPTH_MAX`, so that whoever removes a tree
    /// may recurse. A short name can lead deep, through links of the tree.
    fn parent(&self, path: &[Vec<u8>], doing: &dyn Fn() -> String) -> Result<OwnedFd, ImageError> {
        match self.resolve(path) {
            Err(Errno::NOENT) => {}
            resolved => {
                let parent = resolved.doing(doing)?;
                self.refuse_too_deep(&parent, path)?;
                return Ok(parent);
            }
        }
        let mut here = self.resolve(&[]).doing(doing)?;
        for length in 1..=path.len() {
            let mode = Mode::from_raw_mode(0o755);
            match mkdirat(&here, path[length - 1].as_slice(), mode) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error).doing(doing),
            }
            here = self.resolve(&path[..length]).doing(doing)?;
            self.refuse_too_deep(&here, &path[..length])?;
        }
        Ok(here)
    }

    /// Whether `directory`, which `path` led to, is so deep that it can hold nothing.
    fn refuse_too_deep(&self, directory: &OwnedFd, path: &[Vec<u8>]) -> Result<(), ImageError> {
        let depth = match path_of(directory) {
            Ok(found) => found
                .strip_prefix(&self.root_path)
                .map(|below| below.components().count())
                .ok(),
            // Longer than the kernel can say.
            Err(Errno::NAMETOOLONG) => None,
            Err(error) => return Err(error).doing(|| format!("finding {}", shown(path))),
        };
        if depth.is_some_and(|depth| depth < PATH_DEPTH_MAX) {
            return Ok(());
        }
        Err(ImageError::refused(format!(
            "its links lead deeper than {PATH_DEPTH_MAX} directories: {}",
            shown(path)
        )))
    }

    /// Whatever has this name goes, unless both are directories.
    fn make_room(&self, parent: &OwnedFd, name: &[u8], directory: bool) -> io::Result<()> {
        match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(found) => {
                let is_directory = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
                if directory && is_directory {
                    return Ok(());
                }
                remove_name(parent, name)
            }
        }
    }

    fn write_file(
        &self,
        parent: &OwnedFd,
        name: &[u8],
        item: &Item,
        content: &mut dyn Read,
    ) -> io::Result<()> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?);
        io::copy(content, &mut file)?;
        self.settle(&OwnedFd::from(file), item)
    }

    fn make_directory(&self, parent: &OwnedFd, name: &[u8], item: &Item) -> io::Result<()> {
        match mkdirat(parent, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(parent, name, flags, Mode::empty())?;
        self.settle(&made, item)
    }

    fn link(&self, parent: &OwnedFd, name: &[u8], item: &Item, target: &[u8]) -> io::Result<()> {
        symlinkat(target, parent, name)?;
        if self.ownership == Ownership::Kept {
            let (uid, gid) = (Uid::from_raw(item.uid), Gid::from_raw(item.gid));
            chownat(
                parent,
                name,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
        Ok(())
    }

    fn hard_link(
        &self,
        parent: &OwnedFd,
        name: &[u8],
        target: &[Vec<u8>],
    ) -> Result<(), ImageError> {
        let doing = || format!("linking to {}", shown(target));
        let Some((target_name, target_parent)) = target.split_last() else {
            return Err(ImageError::refused("it links to its own root"));
        };
        let target_parent = self.resolve(target_parent).doing(doing)?;
        // Not followed: a link to a symbolic link is another such link.
        let flags = AtFlags::empty();
        linkat(&target_parent, target_name.as_slice(), parent, name, flags).doing(doing)
    }

    /// Owner first: a change of it takes the setuid bits away.
    fn settle(&self, made: &OwnedFd, item: &Item) -> io::Result<()> {
        let mut mode = item.mode;
        match self.ownership {
            Ownership::Kept => {
                let (uid, gid) = (Uid::from_raw(item.uid), Gid::from_raw(item.gid));
                fchown(made, Some(uid), Some(gid))?;
            }
            Ownership::Flattened => {
                mode |= match item.kind {
                    Kind::Directory => 0o700,
                    Kind::File | Kind::Symlink(_) | Kind::HardLink(_) | Kind::LeftOut => 0o400,
                };
            }
        }
        fchmod(made, Mode::from_raw_mode(mode))?;
        let time = Timespec {
            tv_sec: item.modified_s,
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        // A time that the file system cannot hold is no reason to refuse the file.
        let _ = futimens(made.as_fd(), &times);
        Ok(())
    }
}

fn path_of(directory: &OwnedFd) -> rustix::io::Result<PathBuf> {
    let link = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let path = readlinkat(CWD, link, Vec::new())?;
    Ok(PathBuf::from(OsStr::from_bytes(path.as_bytes())))
}

fn remove_name(parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {
            // By the descriptor of its parent. No link is followed, and the depth is bounded, so
            // that recursion is too.
            let parent = format!("/proc/self/fd/{}", parent.as_raw_fd());
            std::fs::remove_dir_all(Path::new(&parent).join(OsStr::from_bytes(name)))
        }
        Err(error) => Err(error.into()),
    }
}

fn shown(path: &[Vec<u8>]) -> String {
    let joined = path.join(&b'/');
    format!(
        "{:?}",
        String::from_utf8_lossy(&joined[..joined.len().min(200)])
    )
}

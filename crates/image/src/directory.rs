//! A directory as the source of a tree: it is copied, never used itself.
//!
//! The copy belongs to the store, so that nobody changes it under a running sandbox, and so that
//! no tree of the host is ever shown to a sandbox with other owners.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::archive::{Bounds, Item, Kind, Tree, components};
use crate::digest::{Digest, Hasher};
use crate::error::{ImageError, While};
use crate::limits::{NOBODY, OWNER_MAX};

/// Copies and says what the tree is, by its content.
pub(crate) fn copy(source: &Path, tree: &Tree, bounds: &mut Bounds) -> Result<Digest, ImageError> {
    let found = fs::metadata(source).doing(|| format!("looking at {}", source.display()))?;
    if !found.is_dir() {
        return Err(ImageError::refused(format!(
            "{} is not a directory",
            source.display()
        )));
    }
    let root_device = found.dev();
    let mut hasher = Hasher::default();
    let mut waiting = vec![source.to_owned()];
    while let Some(directory) = waiting.pop() {
        for name in names(&directory)? {
            let path = directory.join(name);
            let found =
                fs::symlink_metadata(&path).doing(|| format!("looking at {}", path.display()))?;
            let (is_directory, device) = (found.is_dir(), found.dev());
            bounds.take_entry()?;
            copy_one(source, &path, &found, tree, bounds, &mut hasher)?;
            // On another file system is what was mounted there, such as /proc of a chroot.
            if is_directory && device == root_device {
                waiting.push(path);
            }
        }
    }
    Ok(hasher.finish())
}

/// Sorted, so that equal directories have equal digests.
fn names(directory: &Path) -> Result<Vec<std::ffi::OsString>, ImageError> {
    let doing = || format!("reading {}", directory.display());
    let entries = fs::read_dir(directory).doing(doing)?;
    let names: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.file_name())).collect();
    let mut names = names.doing(doing)?;
    names.sort();
    Ok(names)
}

fn copy_one(
    source: &Path,
    path: &PathBuf,
    found: &fs::Metadata,
    tree: &Tree,
    bounds: &mut Bounds,
    hasher: &mut Hasher,
) -> Result<(), ImageError> {
    let doing = || format!("copying {}", path.display());
    let below = path
        .strip_prefix(source)
        .map_err(io::Error::other)
        .doing(doing)?;
    let mut content: Box<dyn Read> = Box::new(io::empty());
    let kind = if found.is_dir() {
        Kind::Directory
    } else if found.is_file() {
        bounds.take_bytes(found.len())?;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
            .doing(doing)?;
        // It may grow meanwhile; what was counted is what is taken.
        content = Box::new(file.take(found.len()));
        Kind::File
    } else if found.is_symlink() {
        let target = fs::read_link(path).doing(doing)?;
        Kind::Symlink(target.as_os_str().as_bytes().to_vec())
    } else {
        Kind::LeftOut
    };
    let owner = |id: u32| {
        if u64::from(id) <= OWNER_MAX {
            id
        } else {
            NOBODY
        }
    };
    let item = Item {
        path: components(below.as_os_str().as_bytes())?,
        kind,
        mode: found.mode() & 0o7777,
        uid: owner(found.uid()),
        gid: owner(found.gid()),
        modified_s: found.mtime(),
    };
    let facts = [item.mode, item.uid, item.gid]
        .map(u32::to_be_bytes)
        .concat();
    hasher.update(&facts);
    hasher.update(&(below.as_os_str().len() as u64).to_be_bytes());
    hasher.update(below.as_os_str().as_bytes());
    if let Kind::Symlink(target) = &item.kind {
        hasher.update(target);
    }
    let mut content = Hashed {
        inner: content,
        hasher,
    };
    tree.place(&item, &mut content)
}

struct Hashed<'a> {
    inner: Box<dyn Read>,
    hasher: &'a mut Hasher,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}

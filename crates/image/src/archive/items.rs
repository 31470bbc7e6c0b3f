//! What a tar says, entry by entry, with its extensions put together and bounded.

use std::io::Read;

use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::bounds::Bounds;
use crate::error::{ImageError, While};
use crate::limits::{
    EXTENSION_BYTES_MAX, LINK_TARGET_BYTES_MAX, NOBODY, OWNER_MAX, PATH_BYTES_MAX, PATH_DEPTH_MAX,
};

pub(crate) struct Item {
    /// Neither empty parts nor `.` or `..`; none at all for the root itself.
    pub(crate) path: Vec<Vec<u8>>,
    pub(crate) kind: Kind,
    /// Permissions, with the setuid, setgid and sticky bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) modified_s: i64,
}

pub(crate) enum Kind {
    File,
    Directory,
    Symlink(Vec<u8>),
    HardLink(Vec<Vec<u8>>),
    /// Devices and pipes: a sandbox makes its own.
    LeftOut,
}

#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    uid: Option<u64>,
    gid: Option<u64>,
    size: Option<u64>,
}

/// Shows each entry with its content. Everything but the content has been checked.
pub(crate) fn read(
    archive: impl Read,
    bounds: &mut Bounds,
    mut visit: impl FnMut(Item, &mut dyn Read) -> Result<(), ImageError>,
) -> Result<(), ImageError> {
    let doing = || "reading the archive".to_owned();
    let mut archive = Archive::new(archive);
    let mut extensions = Extensions::default();
    // Raw, because the library would take extensions of any length into memory.
    for entry in archive.entries().doing(doing)?.raw(true) {
        let mut entry = entry.doing(doing)?;
        bounds.take_entry()?;
        let size = entry.header().entry_size().doing(doing)?;
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() {
            extensions.path = Some(long_name(&mut entry, size, bounds)?);
        } else if kind.is_gnu_longlink() {
            extensions.link = Some(long_name(&mut entry, size, bounds)?);
        } else if kind.is_pax_local_extensions() {
            extensions.read_pax(&extension(&mut entry, size, bounds)?)?;
        } else if kind.is_pax_global_extensions() {
            drop(extension(&mut entry, size, bounds)?);
        } else if kind.is_gnu_sparse() {
            return Err(sparse());
        } else {
            let extensions = std::mem::take(&mut extensions);
            if extensions.size.is_some_and(|other| other != size) {
                return Err(ImageError::refused("it gives two sizes to one file"));
            }
            bounds.take_bytes(size)?;
            let item = item(&entry, kind, extensions)?;
            visit(item, &mut entry)?;
        }
    }
    Ok(())
}

fn item<R: Read>(
    entry: &Entry<'_, R>,
    kind: EntryType,
    extensions: Extensions,
) -> Result<Item, ImageError> {
    let doing = || "reading the header of an entry".to_owned();
    let header = entry.header();
    let path = match extensions.path {
        Some(path) => path,
        None => header.path_bytes().into_owned(),
    };
    let link = match extensions.link {
        Some(link) => link,
        None => header.link_name_bytes().unwrap_or_default().into_owned(),
    };
    // A file with a slash at its end is how archives from before 1988 say directory.
    let kind = if kind.is_dir() || (kind.is_file() && path.ends_with(b"/")) {
        Kind::Directory
    } else if kind.is_file() || kind.is_contiguous() {
        Kind::File
    } else if kind.is_symlink() {
        Kind::Symlink(link_target(link)?)
    } else if kind.is_hard_link() {
        Kind::HardLink(components(&link)?)
    } else {
        Kind::LeftOut
    };
    let uid = extensions
        .uid
        .map_or_else(|| header.uid(), Ok)
        .doing(doing)?;
    let gid = extensions
        .gid
        .map_or_else(|| header.gid(), Ok)
        .doing(doing)?;
    Ok(Item {
        path: components(&path)?,
        kind,
        mode: header.mode().doing(doing)? & 0o7777,
        uid: owner(uid),
        gid: owner(gid),
        modified_s: i64::try_from(header.mtime().doing(doing)?).unwrap_or(0),
    })
}

pub(crate) fn owner(id: u64) -> u32 {
    u32::try_from(id)
        .ok()
        .filter(|id| u64::from(*id) <= OWNER_MAX)
        .unwrap_or(NOBODY)
}

fn link_target(target: Vec<u8>) -> Result<Vec<u8>, ImageError> {
    if target.is_empty() || target.len() > LINK_TARGET_BYTES_MAX || target.contains(&0) {
        return Err(ImageError::refused(
            "the target of a symbolic link is not a path",
        ));
    }
    Ok(target)
}

/// The parts of a name. One that starts with a slash is taken from the root of the tree, as tar
/// and container runtimes do; one that climbs is refused.
pub(crate) fn components(path: &[u8]) -> Result<Vec<Vec<u8>>, ImageError> {
    let shown = || String::from_utf8_lossy(&path[..path.len().min(200)]).into_owned();
    if path.len() > PATH_BYTES_MAX || path.contains(&0) {
        return Err(ImageError::refused(format!(
            "a name is not a path: {:?}",
            shown()
        )));
    }
    let parts = path.split(|byte| *byte == b'/');
    let parts: Vec<_> = parts
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_vec)
        .collect();
    if parts.iter().any(|part| part == b"..") {
        return Err(ImageError::refused(format!(
            "a name leads out of it: {:?}",
            shown()
        )));
    }
    if parts.len() > PATH_DEPTH_MAX {
        return Err(ImageError::refused(format!(
            "a name is deeper than {PATH_DEPTH_MAX} directories: {:?}",
            shown()
        )));
    }
    Ok(parts)
}

fn sparse() -> ImageError {
    ImageError::refused("it has sparse files, which are not understood; pack it without --sparse")
}

fn long_name<R: Read>(
    entry: &mut Entry<'_, R>,
    size: u64,
    bounds: &mut Bounds,
) -> Result<Vec<u8>, ImageError> {
    let mut name = extension(entry, size, bounds)?;
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

fn extension<R: Read>(
    entry: &mut Entry<'_, R>,
    size: u64,
    bounds: &mut Bounds,
) -> Result<Vec<u8>, ImageError> {
    if size > EXTENSION_BYTES_MAX {
        return Err(ImageError::refused(
            "what it says about one file is too long",
        ));
    }
    bounds.take_extension(size)?;
    let mut body = Vec::new();
    let doing = || "reading an extended header".to_owned();
    entry
        .take(EXTENSION_BYTES_MAX)
        .read_to_end(&mut body)
        .doing(doing)?;
    Ok(body)
}

impl Extensions {
    fn read_pax(&mut self, body: &[u8]) -> Result<(), ImageError> {
        for extension in PaxExtensions::new(body) {
            let extension = extension.doing(|| "reading an extended header".to_owned())?;
            let value = extension.value_bytes();
            let number = || {
                let text = std::str::from_utf8(value).ok();
                let number = text.and_then(|text| text.parse().ok());
                number.ok_or_else(|| ImageError::refused("an extended header has a bad number"))
            };
            match extension.key_bytes() {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"uid" => self.uid = Some(number()?),
                b"gid" => self.gid = Some(number()?),
                b"size" => self.size = Some(number()?),
                key if key.starts_with(b"GNU.sparse") => {
                    return Err(sparse());
                }
                // Extended attributes among them: in an overlay, some of those have a meaning
                // that is not for an image to use.
                _ => {}
            }
        }
        Ok(())
    }
}

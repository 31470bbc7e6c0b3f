//! Reads a zip archive that a stranger made.
//!
//! The usual readers keep one entry of each name, and unpack what the entries' own heads say; a
//! reader that looks elsewhere then sees another archive. This one takes nothing that could be read
//! in two ways: what the directory and the heads say must agree, no name comes twice, no bytes
//! belong to two entries, and nothing is unpacked beyond what was declared and is allowed in all.

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;

use flate2::{Crc, read::DeflateDecoder};

use crate::bundle::SkillFile;
use crate::limits::{SKILL_BYTES_MAX, SKILL_FILES_MAX, ZIP_BYTES_MAX, ZIP_ENTRIES_MAX};
use crate::{Refused, path};

const END: u32 = 0x0605_4b50;
const END_BYTES: usize = 22;
const ENTRY: u32 = 0x0201_4b50;
const ENTRY_BYTES: usize = 46;
const HEAD: u32 = 0x0403_4b50;
const HEAD_BYTES: usize = 30;
const COMMENT_BYTES_MAX: usize = 0xffff;
const ENCRYPTED: u16 = 1;
const SAID_BEHIND: u16 = 1 << 3;
const MADE_BY_UNIX: u8 = 3;
const FILE_TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const EXECUTABLE: u32 = 0o111;

/// An entry of the archive's directory.
struct Entry<'a> {
    path: &'a str,
    method: u16,
    crc: u32,
    packed: usize,
    size: usize,
    mode: u32,
    at: usize,
}

/// The files of an archive, in its order. Directories, and what a Mac adds, are left out.
///
/// # Errors
/// For whatever is no plain archive of plain files, in a sentence.
pub fn unzip(bytes: &[u8]) -> Result<Vec<SkillFile>, Refused> {
    if bytes.len() > ZIP_BYTES_MAX {
        return Err(Refused::new("the archive is too large"));
    }
    let (mut files, mut ranges) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    let (mut packed, mut size) = (0, 0);
    for entry in directory(bytes)? {
        packed += entry.packed;
        size += entry.size;
        if packed > bytes.len() {
            return Err(shared());
        }
        if size > SKILL_BYTES_MAX {
            return Err(too_large());
        }
        let path = entry.path.trim_end_matches('/');
        if path::is_of_a_mac(path) {
            continue;
        }
        path::check(path)?;
        if !seen.insert(path) {
            return Err(Refused::new(format!("the archive has {path:?} twice")));
        }
        let kind = entry.mode & FILE_TYPE;
        if entry.path.ends_with('/') || kind == DIRECTORY {
            continue;
        }
        if kind != 0 && kind != REGULAR {
            let message =
                format!("{path:?} is neither a file nor a directory; links are not taken");
            return Err(Refused::new(message));
        }
        if files.len() == SKILL_FILES_MAX {
            return Err(too_many());
        }
        let (content, range) = unpack(bytes, &entry)?;
        ranges.push(range);
        files.push(SkillFile {
            path: path.to_owned(),
            is_executable: entry.mode & EXECUTABLE != 0,
            content,
        });
    }
    ranges.sort_by_key(|range| range.start);
    match ranges.windows(2).any(|two| two[0].end > two[1].start) {
        true => Err(shared()),
        false => Ok(files),
    }
}

fn shared() -> Refused {
    Refused::new("the archive has entries that share bytes")
}

pub(crate) fn too_large() -> Refused {
    let size = SKILL_BYTES_MAX >> 20;
    Refused::new(format!(
        "the files of a skill should have at most {size} MiB in all"
    ))
}

pub(crate) fn too_many() -> Refused {
    Refused::new(format!(
        "a skill should have at most {SKILL_FILES_MAX} files"
    ))
}

fn broken() -> Refused {
    Refused::new("the archive is not a well-formed zip archive")
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Refused> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.map(|two| u16::from_le_bytes(*two)).ok_or_else(broken)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Refused> {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found
        .map(|four| u32::from_le_bytes(*four))
        .ok_or_else(broken)
}

fn size_at(bytes: &[u8], at: usize) -> Result<usize, Refused> {
    usize::try_from(u32_at(bytes, at)?).map_err(|_| broken())
}

/// Where the record is that ends the archive: its comment is all that follows.
fn find_end(bytes: &[u8]) -> Result<usize, Refused> {
    let last = bytes.len().checked_sub(END_BYTES).ok_or_else(broken)?;
    let first = last.saturating_sub(COMMENT_BYTES_MAX);
    let is_end = |at: &usize| {
        let comment = u16_at(bytes, at + 20).map(usize::from);
        u32_at(bytes, *at) == Ok(END) && comment == Ok(last - at)
    };
    (first..=last).rev().find(is_end).ok_or_else(broken)
}

fn directory(bytes: &[u8]) -> Result<Vec<Entry<'_>>, Refused> {
    let end = find_end(bytes)?;
    let count = usize::from(u16_at(bytes, end + 10)?);
    let (size, at) = (size_at(bytes, end + 12)?, size_at(bytes, end + 16)?);
    if u32_at(bytes, end + 4)? != 0 || usize::from(u16_at(bytes, end + 8)?) != count {
        return Err(Refused::new("the archive is one of several parts"));
    }
    if count > ZIP_ENTRIES_MAX {
        return Err(too_many());
    }
    if at.checked_add(size) != Some(end) {
        return Err(broken());
    }
    let mut entries = Vec::with_capacity(count);
    let mut at = at;
    for _ in 0..count {
        let (entry, next) = read_entry(bytes, at)?;
        entries.push(entry);
        at = next;
    }
    if at != end {
        return Err(broken());
    }
    Ok(entries)
}

fn read_entry(bytes: &[u8], at: usize) -> Result<(Entry<'_>, usize), Refused> {
    if u32_at(bytes, at)? != ENTRY {
        return Err(broken());
    }
    let name = usize::from(u16_at(bytes, at + 28)?);
    let others = usize::from(u16_at(bytes, at + 30)?) + usize::from(u16_at(bytes, at + 32)?);
    let from = at + ENTRY_BYTES;
    let path = bytes.get(from..from + name).ok_or_else(broken)?;
    let path = std::str::from_utf8(path)
        .map_err(|_| Refused::new("the archive has a name that is not UTF-8"))?;
    if u16_at(bytes, at + 8)? & ENCRYPTED != 0 {
        return Err(Refused::new(format!("{path:?} is encrypted")));
    }
    let made_by = u16_at(bytes, at + 4)?.to_be_bytes()[0];
    let mode = match made_by {
        MADE_BY_UNIX => u32_at(bytes, at + 38)? >> 16,
        _ => 0,
    };
    let entry = Entry {
        path,
        method: u16_at(bytes, at + 10)?,
        crc: u32_at(bytes, at + 16)?,
        packed: size_at(bytes, at + 20)?,
        size: size_at(bytes, at + 24)?,
        mode,
        at: size_at(bytes, at + 42)?,
    };
    Ok((entry, from + name + others))
}

/// What is in a file, and which bytes of the archive are its own.
fn unpack(bytes: &[u8], entry: &Entry<'_>) -> Result<(Vec<u8>, Range<usize>), Refused> {
    if u32_at(bytes, entry.at)? != HEAD {
        return Err(broken());
    }
    if !is_as_its_head(bytes, entry)? {
        return Err(untrue(entry));
    }
    let name = usize::from(u16_at(bytes, entry.at + 26)?);
    let extra = usize::from(u16_at(bytes, entry.at + 28)?);
    let from = entry.at + HEAD_BYTES;
    if bytes.get(from..from + name) != Some(entry.path.as_bytes()) {
        return Err(broken());
    }
    let from = from + name + extra;
    let end = from + entry.packed;
    let packed = bytes.get(from..end).ok_or_else(broken)?;
    let content = match entry.method {
        0 => packed.to_vec(),
        8 => inflate(packed, entry.size)?,
        _ => {
            let message = format!("{:?} is packed in another way than deflate", entry.path);
            return Err(Refused::new(message));
        }
    };
    let mut crc = Crc::new();
    crc.update(&content);
    if content.len() != entry.size || crc.sum() != entry.crc {
        return Err(untrue(entry));
    }
    Ok((content, entry.at..end))
}

fn untrue(entry: &Entry<'_>) -> Refused {
    let message = format!("{:?} is not what the archive says of it", entry.path);
    Refused::new(message)
}

/// Whether the head in front of a file says what the directory says. What was packed in one go says it behind the file.
fn is_as_its_head(bytes: &[u8], entry: &Entry<'_>) -> Result<bool, Refused> {
    let flags = u16_at(bytes, entry.at + 6)?;
    let sizes = (
        u32_at(bytes, entry.at + 14)?,
        size_at(bytes, entry.at + 18)?,
        size_at(bytes, entry.at + 22)?,
    );
    let is_said_behind = flags & SAID_BEHIND != 0 && sizes == (0, 0, 0);
    Ok(flags & ENCRYPTED == 0
        && u16_at(bytes, entry.at + 8)? == entry.method
        && (is_said_behind || sizes == (entry.crc, entry.packed, entry.size)))
}

/// One byte more than was declared is as wrong as a thousand.
fn inflate(packed: &[u8], size: usize) -> Result<Vec<u8>, Refused> {
    let mut content = Vec::new();
    let limit = u64::try_from(size).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoder = DeflateDecoder::new(packed);
    let read = decoder.by_ref().take(limit).read_to_end(&mut content);
    read.map_err(|_| broken())?;
    // What is left is no part of the file, for some readers only.
    match usize::try_from(decoder.total_in()) == Ok(packed.len()) || content.len() > size {
        true => Ok(content),
        false => Err(broken()),
    }
}

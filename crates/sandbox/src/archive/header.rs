//! One entry's headers: an extended one with all that counts, and the old one.

use std::io::{self, Read, Write};

use tar::{EntryType, Header};

use super::refused;
use crate::limits::{
    ARCHIVE_EXTENTS_MAX, ARCHIVE_HEADER_BYTES_MAX, ARCHIVE_LATER_BYTES_MAX, PATH_BYTES_MAX,
};

pub(super) const BLOCK: u64 = 512;
const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";

/// Where a file has contents; between, it has holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) length: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    /// Its size, and its contents in order.
    File {
        size: u64,
        extents: Vec<Extent>,
    },
    /// What it leads to.
    Link(Vec<u8>),
    /// Another name of an entry before.
    Name(Vec<u8>),
    Pipe,
    /// The character device 0:0, by which an overlay says that something is not there.
    Whiteout,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) mode: u32,
    /// Counted from the sandbox's first.
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// Contents that follow the headers.
    pub(super) fn length(&self) -> u64 {
        match &self.kind {
            Kind::File { extents, .. } => extents.iter().map(|extent| extent.length).sum(),
            Kind::Directory | Kind::Link(_) | Kind::Name(_) | Kind::Pipe | Kind::Whiteout => 0,
        }
    }

    /// Adds what is remembered of a directory until all files are there. Packing counts as
    /// unpacking does: an archive that nobody can unpack again must not be made.
    pub(super) fn count_for_later(&self, bytes: &mut usize) -> io::Result<()> {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| name.len() + value.len());
        *bytes += self.path.len() + attributes.sum::<usize>() + size_of::<Self>();
        if *bytes > ARCHIVE_LATER_BYTES_MAX {
            return Err(refused(format!(
                "the paths and attributes of its directories take more than {} MiB",
                ARCHIVE_LATER_BYTES_MAX >> 20
            )));
        }
        Ok(())
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let records = self.records();
        if records.len() > ARCHIVE_HEADER_BYTES_MAX {
            return Err(refused("a file's name and attributes are too long"));
        }
        let mut extended = Header::new_ustar();
        extended.set_entry_type(EntryType::XHeader);
        extended.set_path("pax")?;
        extended.set_mode(0o600);
        extended.set_size(records.len() as u64);
        extended.set_cksum();
        out.write_all(extended.as_bytes())?;
        out.write_all(&records)?;
        pad(out, records.len() as u64)?;
        let mut header = Header::new_gnu();
        header.set_path("entry")?;
        header.set_entry_type(match &self.kind {
            Kind::Directory => EntryType::Directory,
            Kind::File { .. } => EntryType::Regular,
            Kind::Link(_) => EntryType::Symlink,
            Kind::Name(_) => EntryType::Link,
            Kind::Pipe => EntryType::Fifo,
            Kind::Whiteout => EntryType::Char,
        });
        header.set_mode(self.mode);
        header.set_uid(self.uid.into());
        header.set_gid(self.gid.into());
        header.set_mtime(u64::try_from(self.seconds).unwrap_or(0));
        header.set_size(self.length());
        header.set_device_major(0)?;
        header.set_device_minor(0)?;
        header.set_cksum();
        out.write_all(header.as_bytes())
    }

    fn records(&self) -> Vec<u8> {
        let mut records = Vec::new();
        record(&mut records, b"path", &self.path);
        let time = format!("{}.{:09}", self.seconds, self.nanoseconds);
        record(&mut records, b"mtime", time.as_bytes());
        match &self.kind {
            Kind::Link(target) | Kind::Name(target) => record(&mut records, b"linkpath", target),
            Kind::File { size, extents } => {
                let whole = [Extent {
                    offset: 0,
                    length: *size,
                }];
                if extents[..] != whole[..usize::from(*size > 0)] {
                    record(
                        &mut records,
                        b"HOSTLER.extents",
                        extents_text(*size, extents).as_bytes(),
                    );
                }
            }
            Kind::Directory | Kind::Pipe | Kind::Whiteout => {}
        }
        for (name, value) in &self.attributes {
            record(&mut records, &[ATTRIBUTE, name].concat(), value);
        }
        records
    }

    /// Of the old header, and of the extended one before it.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "tar has more types than are ever packed"
    )]
    pub(super) fn read(header: &Header, records: &[u8]) -> io::Result<Self> {
        let mut found = Found::default();
        for (key, value) in parse(records)? {
            match key {
                b"path" => found.path = Some(value.to_owned()),
                b"linkpath" => found.target = Some(value.to_owned()),
                b"mtime" => found.time = Some(value),
                b"HOSTLER.extents" => found.extents = Some(value),
                key => match key.strip_prefix(ATTRIBUTE) {
                    Some(name) => found.attributes.push((name.to_owned(), value.to_owned())),
                    None => return Err(refused("an extended header of another kind")),
                },
            }
        }
        let (seconds, nanoseconds) = found
            .time
            .and_then(parse_time)
            .ok_or_else(|| refused("no time"))?;
        let target = || {
            found
                .target
                .clone()
                .ok_or_else(|| refused("a link to nothing"))
        };
        let length = header.entry_size()?;
        let kind = match header.entry_type() {
            EntryType::Directory => Kind::Directory,
            EntryType::Regular => match found.extents {
                None => Kind::File {
                    size: length,
                    extents: whole(length),
                },
                Some(text) => parse_extents(text).ok_or_else(|| refused("damaged extents"))?,
            },
            EntryType::Symlink => Kind::Link(target()?),
            EntryType::Link => Kind::Name(target()?),
            EntryType::Fifo => Kind::Pipe,
            EntryType::Char
                if header.device_major()? == Some(0) && header.device_minor()? == Some(0) =>
            {
                Kind::Whiteout
            }
            other => return Err(refused(format!("an entry of the type {other:?}"))),
        };
        let small =
            |id: u64| u32::try_from(id).map_err(|_| refused("an owner that no sandbox has"));
        let entry = Self {
            path: found.path.ok_or_else(|| refused("no name"))?,
            kind,
            mode: header.mode()? & 0o7777,
            uid: small(header.uid()?)?,
            gid: small(header.gid()?)?,
            seconds,
            nanoseconds,
            attributes: found.attributes,
        };
        if entry.length() != length {
            return Err(refused("extents that do not make up the contents"));
        }
        Ok(entry)
    }
}

#[derive(Default)]
struct Found<'a> {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    time: Option<&'a [u8]>,
    extents: Option<&'a [u8]>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

pub(super) fn whole(length: u64) -> Vec<Extent> {
    let extent = Extent { offset: 0, length };
    (length > 0).then_some(extent).into_iter().collect()
}

fn extents_text(size: u64, extents: &[Extent]) -> String {
    let mut text = size.to_string();
    for Extent { offset, length } in extents {
        text.push_str(&format!(" {offset}+{length}"));
    }
    text
}

/// In order, without overlap, within the size.
fn parse_extents(text: &[u8]) -> Option<Kind> {
    let mut words = std::str::from_utf8(text).ok()?.split(' ');
    let size: u64 = words.next()?.parse().ok()?;
    let mut extents = Vec::new();
    let mut end = 0_u64;
    for word in words {
        let (offset, length) = word.split_once('+')?;
        let extent = Extent {
            offset: offset.parse().ok()?,
            length: length.parse().ok()?,
        };
        let is_behind = extent.offset >= end && extent.length > 0;
        end = extent.offset.checked_add(extent.length)?;
        if !is_behind || end > size || extents.len() >= ARCHIVE_EXTENTS_MAX {
            return None;
        }
        extents.push(extent);
    }
    Some(Kind::File { size, extents })
}

fn parse_time(text: &[u8]) -> Option<(i64, u32)> {
    let (seconds, nanoseconds) = std::str::from_utf8(text).ok()?.split_once('.')?;
    let nanoseconds: u32 = nanoseconds.parse().ok()?;
    (nanoseconds < 1_000_000_000).then_some((seconds.parse().ok()?, nanoseconds))
}

/// `<length> <key>=<value>\n`, where the length counts itself.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend(format!("{length} ").as_bytes());
    records.extend([key, b"=", value, b"\n"].concat());
}

fn parse(mut records: &[u8]) -> io::Result<Vec<(&[u8], &[u8])>> {
    let damaged = || refused("a damaged extended header");
    let mut found = Vec::new();
    while !records.is_empty() {
        let space = records
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or_else(damaged)?;
        let length = std::str::from_utf8(&records[..space])
            .ok()
            .and_then(|text| text.parse().ok());
        let length: usize = length.ok_or_else(damaged)?;
        if length <= space + 1 || length > records.len() {
            return Err(damaged());
        }
        let (one, rest) = records.split_at(length);
        let text = one[space + 1..].strip_suffix(b"\n").ok_or_else(damaged)?;
        let equals = text
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(damaged)?;
        found.push((&text[..equals], &text[equals + 1..]));
        records = rest;
    }
    Ok(found)
}

pub(super) fn pad(out: &mut impl Write, length: u64) -> io::Result<()> {
    let padding = (BLOCK - length % BLOCK) % BLOCK;
    out.write_all(&[0; BLOCK as usize][..padding as usize])
}

/// The next entry, whose contents are to be read next. `None` at the end.
pub(super) fn next(input: &mut impl Read) -> io::Result<Option<Entry>> {
    let Some(extended) = read_block(input)? else {
        return Ok(None);
    };
    if extended.entry_type() != EntryType::XHeader {
        return Err(refused("an entry without an extended header"));
    }
    let length = usize::try_from(extended.entry_size()?).unwrap_or(usize::MAX);
    if length > ARCHIVE_HEADER_BYTES_MAX {
        return Err(refused("an extended header that is too long"));
    }
    let mut records = vec![0; length];
    input.read_exact(&mut records)?;
    skip_padding(input, length as u64)?;
    let header = read_block(input)?.ok_or_else(|| refused("a header without an entry"))?;
    let entry = Entry::read(&header, &records)?;
    if entry.path.len() > PATH_BYTES_MAX {
        return Err(refused("a path that is too long"));
    }
    Ok(Some(entry))
}

pub(super) fn skip_padding(input: &mut impl Read, length: u64) -> io::Result<()> {
    let padding = (BLOCK - length % BLOCK) % BLOCK;
    input.read_exact(&mut [0; BLOCK as usize][..padding as usize])
}

/// `None`: a block of zeros, which is the end.
fn read_block(input: &mut impl Read) -> io::Result<Option<Header>> {
    let mut header = Header::new_old();
    input.read_exact(header.as_mut_bytes())?;
    if header.as_bytes().iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let sum: u32 = header.as_bytes()[..148]
        .iter()
        .chain(&[b' '; 8])
        .chain(&header.as_bytes()[156..])
        .map(|byte| u32::from(*byte))
        .sum();
    if header.cksum()? != sum {
        return Err(refused("a header with a wrong sum"));
    }
    Ok(Some(header))
}

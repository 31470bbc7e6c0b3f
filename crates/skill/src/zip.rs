//! Writes the archive of a skill: the same bytes for the same files.

use std::io::Write;

use flate2::{Compression, Crc, write::DeflateEncoder};

use crate::bundle::SkillFile;

/// What an entry says in both places, and where its head is.
struct Written {
    fields: Vec<u8>,
    path: Vec<u8>,
    mode: u32,
    at: u32,
}

/// 1980-01-01, the first day there is.
const DAY: u16 = 0x21;
/// Names are UTF-8.
const FLAGS: u16 = 0x800;
const VERSION: u16 = 20;
const UNIX: u16 = 3 << 8;

/// The files below `folder`, by path. What it takes is bounded by what a skill may have.
pub(crate) fn zip(folder: &str, files: &[SkillFile]) -> Vec<u8> {
    let mut out = Vec::new();
    let entries: Vec<Written> = files
        .iter()
        .map(|file| add(&mut out, folder, file))
        .collect();
    let at = word(out.len());
    for entry in &entries {
        out.extend(0x0201_4b50_u32.to_le_bytes());
        out.extend((UNIX | VERSION).to_le_bytes());
        out.extend(&entry.fields);
        // No comment, the first disk, no inner attributes.
        out.extend([0; 6]);
        out.extend((entry.mode << 16).to_le_bytes());
        out.extend(entry.at.to_le_bytes());
        out.extend(&entry.path);
    }
    let size = word(out.len()) - at;
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    out.extend(0x0605_4b50_u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0; 2]);
    out
}

fn add(out: &mut Vec<u8>, folder: &str, file: &SkillFile) -> Written {
    let path = format!("{folder}/{}", file.path).into_bytes();
    let mut crc = Crc::new();
    crc.update(&file.content);
    let packed = deflate(&file.content).filter(|packed| packed.len() < file.content.len());
    let (method, packed) = match &packed {
        Some(packed) => (8_u16, packed.as_slice()),
        None => (0, file.content.as_slice()),
    };
    let mut fields = Vec::new();
    for half in [VERSION, FLAGS, method, 0, DAY] {
        fields.extend(half.to_le_bytes());
    }
    for whole in [crc.sum(), word(packed.len()), word(file.content.len())] {
        fields.extend(whole.to_le_bytes());
    }
    fields.extend(u16::try_from(path.len()).unwrap_or(u16::MAX).to_le_bytes());
    fields.extend([0; 2]);
    let at = word(out.len());
    out.extend(0x0403_4b50_u32.to_le_bytes());
    out.extend(&fields);
    out.extend(&path);
    out.extend(packed);
    let mode = match file.is_executable {
        true => 0o100_755,
        false => 0o100_644,
    };
    Written {
        fields,
        path,
        mode,
        at,
    }
}

/// Nothing that is written to memory fails; whatever it does, there is another way.
fn deflate(content: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

/// A skill is far smaller than what a word can count.
fn word(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

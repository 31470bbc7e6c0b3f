//! `read`: text as it is, pictures and PDF files as blocks.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::files::{explain, into_text, open_regular, read_at_most};
use super::{FileTools, Refusal};
use crate::limits::{
    READ_DOCUMENT_BYTES_MAX, READ_IMAGE_BASE64_BYTES_MAX, READ_TEXT_BYTES_MAX, WALK_TIME_MAX,
};
use crate::output::{Block, Output};

pub(super) fn read(
    tools: &FileTools<'_>,
    file_path: &str,
    view_range: Option<(i64, i64)>,
) -> Result<Output, Refusal> {
    let path = tools.resolve(file_path);
    let (file, length) = open_regular(&path, file_path)?;
    if let Some(kind) = Binary::of(&path) {
        if view_range.is_some() {
            return Err(format!(
                "{file_path} is not text; read it without `view_range`, which counts lines"
            ));
        }
        return read_binary(&file, length, kind, file_path);
    }
    let text = match view_range {
        Some(range) => read_lines(tools, file, range, file_path)?,
        None => match read_at_most(&file, READ_TEXT_BYTES_MAX, file_path)? {
            Some(bytes) => into_text(bytes, file_path)?,
            None => {
                return Err(format!(
                    "{file_path} has {length} bytes, and at most {READ_TEXT_BYTES_MAX} can be \
                     read at once; give `view_range` [start, end] to read some of its lines"
                ));
            }
        },
    };
    Ok(Output::text(if text.is_empty() {
        "(the file is empty)".to_owned()
    } else {
        text
    }))
}

/// What is shown as a block, by the name of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Binary {
    Image,
    Document,
}

impl Binary {
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "png" | "jpg" | "jpeg" | "gif" | "webp" => Some(Self::Image),
            "pdf" => Some(Self::Document),
            _ => None,
        }
    }

    fn bytes_max(self) -> u64 {
        match self {
            Self::Image => READ_IMAGE_BASE64_BYTES_MAX / 4 * 3,
            Self::Document => READ_DOCUMENT_BYTES_MAX,
        }
    }
}

fn read_binary(file: &File, length: u64, kind: Binary, shown: &str) -> Result<Output, Refusal> {
    let bytes_max = kind.bytes_max();
    let Some(bytes) = read_at_most(file, bytes_max, shown)? else {
        return Err(format!(
            "{shown} has {length} bytes, and at most {bytes_max} of such a file can be shown; \
             make it smaller with bash"
        ));
    };
    let media_type = media_type(&bytes);
    let data = || STANDARD.encode(&bytes);
    let block = match (kind, media_type) {
        (Binary::Document, Some("application/pdf")) => Block::Document {
            media_type: "application/pdf".to_owned(),
            data: data(),
        },
        (Binary::Image, Some(media_type)) if media_type.starts_with("image/") => Block::Image {
            media_type: media_type.to_owned(),
            data: data(),
        },
        _ => {
            return Err(format!(
                "{shown} is not what its name says: its content is not of that format; look at \
                 it with bash, for example `file` or `xxd`"
            ));
        }
    };
    Ok(Output {
        blocks: vec![block],
        is_error: false,
    })
}

/// By the first bytes, since a name may lie about the kind of picture.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    match bytes {
        _ if bytes.starts_with(b"\x89PNG\r\n\x1a\n") => Some("image/png"),
        _ if bytes.starts_with(b"\xff\xd8\xff") => Some("image/jpeg"),
        _ if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") => Some("image/gif"),
        _ if is_webp => Some("image/webp"),
        _ if bytes.starts_with(b"%PDF-") => Some("application/pdf"),
        _ => None,
    }
}

/// Lines from `start` to `end`, both counted, from 1. Reads no more of the file than needed
/// and keeps only those lines.
fn read_lines(
    tools: &FileTools<'_>,
    file: File,
    (start, end): (i64, i64),
    shown: &str,
) -> Result<String, Refusal> {
    if start < 1 {
        return Err(format!(
            "`view_range` starts at line {start}, but the first line is 1"
        ));
    }
    if end > 0 && end < start {
        return Err(format!(
            "`view_range` ends at line {end}, before its start at line {start}"
        ));
    }
    let deadline = Instant::now() + WALK_TIME_MAX;
    let mut reader = BufReader::with_capacity(64 << 10, file);
    let (mut line, mut kept, mut any, mut unfinished) = (1, Vec::new(), false, false);
    loop {
        if Instant::now() > deadline || (tools.cancelled)() {
            return Err(format!("reading {shown} up to line {start} takes too long"));
        }
        let buffer = reader.fill_buf().map_err(|error| explain(&error, shown))?;
        if buffer.is_empty() {
            break;
        }
        let used = buffer.len();
        for piece in buffer.split_inclusive(|byte| *byte == b'\n') {
            if line >= start && (end <= 0 || line <= end) {
                any = true;
                kept.extend_from_slice(piece);
            }
            unfinished = !piece.ends_with(b"\n");
            line += i64::from(!unfinished);
        }
        if kept.len() as u64 > READ_TEXT_BYTES_MAX {
            return Err(format!(
                "these lines of {shown} have more than {READ_TEXT_BYTES_MAX} bytes; ask for \
                 fewer of them, or cut long lines with bash"
            ));
        }
        reader.consume(used);
        if end > 0 && line > end {
            break;
        }
    }
    if !any {
        let lines = if unfinished { line } else { line - 1 };
        return Err(format!(
            "{shown} has {lines} lines, so there is no line {start}"
        ));
    }
    into_text(kept, shown)
}

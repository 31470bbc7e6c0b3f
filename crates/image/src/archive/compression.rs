//! Which compression a file has is told by its first bytes, whatever else claims to know.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use flate2::read::MultiGzDecoder;

use crate::error::{ImageError, While};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The memory that a zstd frame may ask for, as a power of two; the format's own recommendation.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

pub(crate) fn decompressed(mut file: File) -> Result<Box<dyn Read>, ImageError> {
    let mut start = Vec::new();
    let doing = || "reading an archive".to_owned();
    let by_ref = Read::by_ref(&mut file);
    by_ref
        .take(ZSTD.len() as u64)
        .read_to_end(&mut start)
        .doing(doing)?;
    file.seek(SeekFrom::Start(0)).doing(doing)?;
    if start.starts_with(&GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(BufReader::new(file))));
    }
    if start.starts_with(&ZSTD) {
        let mut decoder = zstd::Decoder::new(file).doing(doing)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).doing(doing)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(BufReader::new(file)))
}

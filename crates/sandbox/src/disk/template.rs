//! The empty file system that every image begins as: made once, then copied without its holes.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::copy_file_range;
use rustix::io::Errno;

use super::IMAGE_FILE;
use crate::limits::{DISK_BLOCK_BYTES, DISK_BYTES_PER_FILE, FORMATTER_ANSWER_BYTES_MAX};

/// Goes into the name: another number is another file.
const VERSION: u32 = 1;
/// Each by name, so that no configuration of this host changes what is on disk. The journal is
/// what makes a file system whole again after a power cut.
const FEATURES: &str = "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,\
    sparse_super,large_file,dir_nlink,extra_isize,metadata_csum";
/// Where distributions have it; the server's own search path may lack these.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
/// Of an image: where its superblock begins, and in that the number of files that there can be, of
/// those that can still be made, and the magic number.
const SUPERBLOCK: u64 = 1024;
const FILES: usize = 0;
const FREE_FILES: usize = 0x10;
const MAGIC: usize = 0x38;
const MAGIC_NUMBER: [u8; 2] = [0x53, 0xef];

/// What images are copied from.
#[derive(Debug)]
pub(crate) struct Template(PathBuf);

impl Template {
    /// The one for these bounds in `folder`, made if it is not there. Others are removed: nothing
    /// needs them, since each image is a whole copy.
    pub(crate) fn prepare(folder: &Path, bytes: u64, files: Option<u64>) -> io::Result<Self> {
        let bytes = bytes - bytes % DISK_BLOCK_BYTES;
        let files = files.unwrap_or(bytes / DISK_BYTES_PER_FILE);
        let name = format!("{VERSION}-{bytes}-{files}.img");
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name() != *name {
                fs::remove_file(entry.path())?;
            }
        }
        let place = folder.join(name);
        if !was_written(&place)? {
            let draft = folder.join("draft");
            let mut options = File::options();
            let file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&draft)?;
            file.set_len(bytes)?;
            format(&draft, bytes, files)?;
            file.sync_all()?;
            fs::rename(draft, &place)?;
        }
        Ok(Self(place))
    }

    /// Makes the image of the sandbox in `directory`.
    pub(crate) fn copy_to(&self, directory: &Path) -> io::Result<()> {
        let source = File::open(&self.0)?;
        let mut options = File::options();
        let image = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(directory.join(IMAGE_FILE))?;
        if rustix::fs::ioctl_ficlone(&image, &source).is_ok() {
            return Ok(());
        }
        let size = source.metadata()?.len();
        image.set_len(size)?;
        let mut end = 0;
        while end < size {
            let mut offset = match rustix::fs::seek(&source, rustix::fs::SeekFrom::Data(end)) {
                Ok(offset) => offset,
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            end = rustix::fs::seek(&source, rustix::fs::SeekFrom::Hole(offset))?;
            copy(&source, &image, &mut offset, end)?;
        }
        Ok(())
    }
}

fn copy(source: &File, image: &File, offset: &mut u64, end: u64) -> io::Result<()> {
    let mut place = *offset;
    while *offset < end {
        let length = usize::try_from(end - *offset).unwrap_or(usize::MAX);
        let copied = copy_file_range(
            source.as_fd(),
            Some(&mut *offset),
            image.as_fd(),
            Some(&mut place),
            length,
        )?;
        if copied == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Whether a file system is in the file. After a power cut a new image may have its name and its
/// size and nothing else yet: then nothing of worth was in it.
pub(crate) fn was_written(image: &Path) -> io::Result<bool> {
    match superblock(image) {
        Ok(superblock) => Ok(superblock[MAGIC..MAGIC + 2] == MAGIC_NUMBER),
        Err(error) => {
            let is_short = error.kind() == io::ErrorKind::UnexpectedEof;
            let is_absent = error.kind() == io::ErrorKind::NotFound;
            (is_short || is_absent).then_some(false).ok_or(error)
        }
    }
}

/// How many files there are in the image of `directory`, which nobody has mounted.
pub(crate) fn files_at_rest(directory: &Path) -> io::Result<u64> {
    let superblock = superblock(&directory.join(IMAGE_FILE))?;
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&superblock[at..at + 4]);
        u64::from(u32::from_le_bytes(bytes))
    };
    Ok(number(FILES).saturating_sub(number(FREE_FILES)))
}

/// The beginning of it.
fn superblock(image: &Path) -> io::Result<[u8; 64]> {
    let mut superblock = [0; 64];
    File::open(image)?.read_exact_at(&mut superblock, SUPERBLOCK)?;
    Ok(superblock)
}

fn format(image: &Path, bytes: u64, files: u64) -> io::Result<()> {
    // In MiB: enough to keep busy writers going, little beside the whole.
    let journal = if bytes >= 1 << 30 { 16 } else { 4 };
    let block = DISK_BLOCK_BYTES.to_string();
    let mut command = Command::new("mkfs.ext4");
    command
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .args(["-q", "-F", "-O", FEATURES, "-b", &block, "-I", "256"])
        // Nothing is kept back for root, who is nobody inside.
        .args(["-m", "0", "-e", "remount-ro", "-E", "lazy_journal_init=1"])
        .args(["-J", &format!("size={journal}"), "-N", &files.to_string()])
        .arg(image)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        let why = if error.kind() == io::ErrorKind::NotFound {
            "it is not installed; it is part of e2fsprogs".to_owned()
        } else {
            error.to_string()
        };
        io::Error::other(format!("mkfs.ext4: {why}"))
    })?;
    let mut said = Vec::new();
    if let Some(errors) = child.stderr.take() {
        errors
            .take(FORMATTER_ANSWER_BYTES_MAX)
            .read_to_end(&mut said)?;
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    let said = said.trim();
    Err(io::Error::other(format!("mkfs.ext4: {status}: {said}")))
}

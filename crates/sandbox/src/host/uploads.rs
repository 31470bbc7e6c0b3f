//! What the host puts into a sandbox for its commands to read: `/mnt/session/uploads` inside.
//!
//! Beside the directory lies a record of what was placed, one line each, written after the file.
//! **Invariant:** whatever isn't in the record, or isn't of the size that it says, is taken away
//! and placed again. So a crash in the middle costs the work and nothing else. A file comes under
//! its name when it is complete. Nobody inside can write here; the paths are resolved beneath the
//! directory all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, fchmod, mkdirat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::beneath;
use super::blocking;
use super::removal::empty_directory;
use super::sandbox::Sandbox;
use crate::error::SandboxError;
use crate::inner_path::InnerPath;
use crate::limits::{PRUNE_BATCH_MAX, UPLOADS_RECORD_BYTES_MAX};

const UPLOADS: &str = "uploads";
const RECORD: &str = "uploads.jsonl";
const NEW_RECORD: &str = "uploads.jsonl.new";
const PARTIAL: &str = "upload.partial";

/// A file to be found below `/mnt/session/uploads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    pub path: InnerPath,
    /// Names the bytes: another id at the same path is another file.
    pub id: String,
    pub size: u64,
    /// Whether commands may run it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_executable: bool,
}

impl Sandbox {
    /// Takes away every upload that isn't one of `wanted`, and answers those of them that are to
    /// be placed still. One at a time for each sandbox, and not beside a placing.
    pub async fn keep_uploads(&self, wanted: Vec<Upload>) -> Result<Vec<Upload>, SandboxError> {
        if wanted.is_empty() && self.is_fake() {
            return Ok(wanted);
        }
        if let Some(pod) = self.pod()? {
            return Ok(pod.keep_uploads(wanted).await?);
        }
        let directory = self.directory()?;
        Ok(blocking(move || keep(&directory, wanted)).await?)
    }

    /// Places one of what [`Sandbox::keep_uploads`] answered: `content` must have its size. One
    /// at a time for each sandbox.
    pub async fn place_upload(
        &self,
        upload: Upload,
        content: impl AsyncRead + Unpin,
    ) -> Result<(), SandboxError> {
        // One byte more than there should be is as wrong as a thousand.
        let mut content = content.take(upload.size.saturating_add(1));
        if let Some(pod) = self.pod()? {
            return Ok(pod.place_upload(upload, content).await?);
        }
        let directory = self.directory()?;
        let begun = blocking(move || Ok(begin(&directory)?)).await?;
        let mut partial = tokio::fs::File::from_std(File::from(begun));
        let written = tokio::io::copy(&mut content, &mut partial).await?;
        partial.flush().await?;
        if written != upload.size {
            let (path, size) = (&upload.path, upload.size);
            let reason = format!("{path} has {written} bytes, or more, where {size} were promised");
            return Err(io::Error::other(reason).into());
        }
        let partial = partial.into_std().await;
        let directory = self.directory()?;
        Ok(blocking(move || finish(&directory, &partial, &upload)).await?)
    }
}

fn open_uploads(directory: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, UPLOADS, flags, Mode::empty())
}

pub(super) fn keep(directory: &OwnedFd, wanted: Vec<Upload>) -> io::Result<Vec<Upload>> {
    let uploads = open_uploads(directory)?;
    let placed = read_record(directory)?;
    let is_there = |upload: &Upload| {
        placed.get(&upload.path) == Some(upload)
            && size_of_file(&uploads, &upload.path) == Some(upload.size)
    };
    let (kept, missing): (Vec<Upload>, Vec<Upload>) = wanted.into_iter().partition(is_there);
    prune(&uploads, &kept)?;
    write_record(directory, &kept)?;
    Ok(missing)
}

fn size_of_file(uploads: &OwnedFd, path: &InnerPath) -> Option<u64> {
    let (_, found) = beneath::open_to_read(uploads, path.as_str()).ok()?;
    beneath::is_regular(&found).then(|| u64::try_from(found.st_size).ok())?
}

/// Removes everything but `kept` and the directories that lead there.
fn prune(uploads: &OwnedFd, kept: &[Upload]) -> io::Result<()> {
    let files: BTreeSet<&str> = kept.iter().map(|upload| upload.path.as_str()).collect();
    let parents: BTreeSet<&str> = kept
        .iter()
        .flat_map(|upload| upload.path.parents())
        .collect();
    let root = std::iter::once(".");
    for parent in root.chain(parents.iter().copied()) {
        let directory = beneath::open_directory(uploads, parent)?;
        let stays = |name: &str| {
            let path = match parent {
                "." => name.to_owned(),
                parent => format!("{parent}/{name}"),
            };
            files.contains(path.as_str()) || parents.contains(path.as_str())
        };
        loop {
            let batch = names_to_remove(&directory, stays)?;
            for name in &batch {
                remove(&directory, name)?;
            }
            if batch.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

fn names_to_remove(
    directory: &OwnedFd,
    stays: impl Fn(&str) -> bool,
) -> io::Result<Vec<std::ffi::CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_special = name == c"." || name == c"..";
        if !is_special && !name.to_str().is_ok_and(&stays) {
            names.push(name.to_owned());
            if names.len() == PRUNE_BATCH_MAX {
                break;
            }
        }
    }
    Ok(names)
}

fn remove(directory: &OwnedFd, name: &std::ffi::CStr) -> io::Result<()> {
    let found = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
        return Ok(unlinkat(directory, name, AtFlags::empty())?);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inner = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    empty_directory(&inner)?;
    Ok(unlinkat(directory, name, AtFlags::REMOVEDIR)?)
}

pub(super) fn begin(directory: &OwnedFd) -> Result<OwnedFd, Errno> {
    match unlinkat(directory, PARTIAL, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    rustix::fs::openat(directory, PARTIAL, flags, Mode::RUSR | Mode::WUSR)
}

pub(super) fn finish(directory: &OwnedFd, partial: &File, upload: &Upload) -> io::Result<()> {
    // For everybody to read, since nobody inside owns it.
    let mode = match upload.is_executable {
        true => 0o555,
        false => 0o444,
    };
    fchmod(partial, Mode::from_raw_mode(mode))?;
    let uploads = open_uploads(directory)?;
    for parent in upload.path.parents() {
        make_directory(&uploads, parent)?;
    }
    let path = upload.path.as_str();
    let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
    let parent = beneath::open_directory(&uploads, parent)?;
    renameat(directory, PARTIAL, &parent, name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
    let record = rustix::fs::openat(directory, RECORD, flags, Mode::RUSR | Mode::WUSR)?;
    File::from(record).write_all(&line(upload)?)
}

fn make_directory(uploads: &OwnedFd, path: &str) -> io::Result<()> {
    let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
    let parent = beneath::open_directory(uploads, parent)?;
    match mkdirat(&parent, name, Mode::RWXU) {
        Ok(()) => {
            // Whatever the umask took away comes back.
            let made = beneath::open_directory(parent.as_fd(), name)?;
            Ok(fchmod(made, Mode::from_raw_mode(0o755))?)
        }
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn line(upload: &Upload) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(upload)?;
    line.push(b'\n');
    Ok(line)
}

/// A line that can't be read is one that was being written when everything ended.
fn read_record(directory: &OwnedFd) -> io::Result<BTreeMap<InnerPath, Upload>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let record = match rustix::fs::openat(directory, RECORD, flags, Mode::empty()) {
        Ok(record) => File::from(record),
        Err(Errno::NOENT) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.into()),
    };
    let lines = BufReader::new(record.take(UPLOADS_RECORD_BYTES_MAX)).split(b'\n');
    let mut placed = BTreeMap::new();
    for line in lines {
        if let Ok(upload) = serde_json::from_slice::<Upload>(&line?) {
            placed.insert(upload.path.clone(), upload);
        }
    }
    Ok(placed)
}

fn write_record(directory: &OwnedFd, kept: &[Upload]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let record = rustix::fs::openat(directory, NEW_RECORD, flags, Mode::RUSR | Mode::WUSR)?;
    let mut text = Vec::new();
    for upload in kept {
        text.extend(line(upload)?);
    }
    File::from(record).write_all(&text)?;
    Ok(renameat(directory, NEW_RECORD, directory, RECORD)?)
}

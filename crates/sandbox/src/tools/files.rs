//! Opening and replacing regular files, and the sentences for what can go wrong.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Mode, OFlags};

use super::Refusal;

static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// Opens a regular file and nothing else: a FIFO would block, a device might never end.
pub(super) fn open_regular(path: &Path, shown: &str) -> Result<(File, u64), Refusal> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from);
    let file = File::from(opened.map_err(|error| explain(&error, shown))?);
    let found = file.metadata().map_err(|error| explain(&error, shown))?;
    if found.is_dir() {
        return Err(format!(
            "{shown} is a directory; use glob or `ls` to see what is in it"
        ));
    }
    if !found.is_file() {
        return Err(format!(
            "{shown} is not a regular file but a pipe, socket or device"
        ));
    }
    Ok((file, found.len()))
}

/// Reads a whole file of at most `bytes_max`. `Ok(None)` when it is longer.
pub(super) fn read_at_most(
    file: &File,
    bytes_max: u64,
    shown: &str,
) -> Result<Option<Vec<u8>>, Refusal> {
    let mut bytes = Vec::new();
    let read = file.take(bytes_max + 1).read_to_end(&mut bytes);
    read.map_err(|error| explain(&error, shown))?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}

/// Text as the model may see it: UTF-8 without NUL.
pub(super) fn into_text(bytes: Vec<u8>, shown: &str) -> Result<String, Refusal> {
    let binary = |at: usize| {
        format!(
            "{shown} is not UTF-8 text (byte {at} does not belong in one); look at it with \
             bash, for example `file` or `xxd`"
        )
    };
    let text =
        String::from_utf8(bytes).map_err(|error| binary(error.utf8_error().valid_up_to()))?;
    match text.find('\0') {
        Some(at) => Err(binary(at)),
        None => Ok(text),
    }
}

/// Replaces a file or makes it, so that no reader ever sees half of it. A link is followed;
/// the mode of an existing file stays.
pub(super) fn replace(path: &Path, content: &[u8], shown: &str) -> Result<(), Refusal> {
    let target = match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => match fs::canonicalize(path) {
            Ok(target) => target,
            Err(_) => {
                return Err(format!(
                    "{shown} is a link to something that does not exist"
                ));
            }
        },
        _ => path.to_owned(),
    };
    let mode = match fs::metadata(&target) {
        Ok(found) if found.is_dir() => {
            return Err(format!(
                "{shown} is a directory, so no file can be written there"
            ));
        }
        Ok(found) if !found.is_file() => {
            return Err(format!(
                "{shown} is not a regular file but a pipe, socket or device"
            ));
        }
        Ok(found) => Some(found.permissions().mode() & 0o7777),
        Err(_) => None,
    };
    replace_target(&target, content, mode).map_err(|error| explain(&error, shown))
}

fn replace_target(target: &Path, content: &[u8], mode: Option<u32>) -> io::Result<()> {
    let parent = target.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent)?;
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = Draft(parent.join(format!(".hostler-{}-{number}.tmp", std::process::id())));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::open(&draft.0, flags, Mode::from_raw_mode(0o644))?;
    let mut file = File::from(file);
    file.write_all(content)?;
    if let Some(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    fs::rename(&draft.0, target)
}

/// The file beside the target; removed unless it became the target.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename nothing has this name any more.
        let _ = fs::remove_file(&self.0);
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kinds of io errors are an open set"
)]
pub(super) fn explain(error: &io::Error, shown: &str) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound => format!("{shown} does not exist"),
        io::ErrorKind::PermissionDenied => format!("permission denied: {shown}"),
        io::ErrorKind::NotADirectory => {
            format!("{shown}: a part of the path is a file and not a directory")
        }
        io::ErrorKind::IsADirectory => format!("{shown} is a directory"),
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("{shown} is in a read-only place; write in the workspace or below /tmp")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!("{shown}: no space is left there")
        }
        _ => format!("{shown}: {error}"),
    }
}

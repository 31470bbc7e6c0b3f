//! What a sandbox leaves for its user: `/mnt/session/outputs` inside, read from outside.
//!
//! Everything here was made by a stranger who may be changing it at this moment. So nothing is
//! opened but below the directory and without following a link; nothing but regular files is shown;
//! a pipe or a device is never waited for; names, depth, files and time are bounded. What a scan
//! says of a file is a hint: what counts is what [`Outputs::read`] finds in the file that it has
//! opened.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, statat, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::beneath;
use super::blocking;
use super::disks::open_files;
use super::processes::PodLink;
use super::state_dir::open_directory;
use crate::error::SandboxError;
use crate::limits::{
    OUTPUT_DEPTH_MAX, OUTPUT_ENTRIES_MAX, OUTPUT_FILES_MAX, OUTPUT_PATH_BYTES_MAX,
    OUTPUT_SCAN_TIME_MAX, OUTPUTS_LEFT_OUT_NAMED_MAX, UID_RANGE,
};

const OUTPUTS: &str = "outputs";

/// The outputs of one sandbox.
#[derive(Debug, Clone)]
pub struct Outputs {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Here(Here),
    /// The directory is there for what is read from it to be put in.
    InPod(PodLink, Arc<OwnedFd>),
}

/// In a directory of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    root: Arc<OwnedFd>,
    /// The host uid of the sandbox's root.
    owner: u32,
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    pub size: u64,
    pub inode: u64,
    pub modified_ns: i64,
    pub changed_ns: i64,
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Below the directory.
    pub path: String,
    pub fingerprint: Fingerprint,
}

/// Something that is there and isn't shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Made fit to be printed.
    pub path: String,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    #[error("it is not a regular file")]
    NotAFile,
    #[error("its name is not UTF-8, or its path is too long")]
    Unnameable,
    #[error("it is more than {OUTPUT_DEPTH_MAX} directories deep")]
    TooDeep,
    #[error("it can't be read")]
    Unreadable,
    #[error("it is gone")]
    Gone,
}

/// What a look at the directory found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputScan {
    pub files: Vec<Output>,
    /// The first of what was left out, and how many there were in all.
    pub left_out: Vec<LeftOut>,
    pub left_out_count: usize,
    /// Whether the whole directory was seen: if not, a file that is missing may still be there.
    pub is_complete: bool,
}

impl Outputs {
    pub(super) fn open(sandbox: &Path) -> io::Result<Option<Self>> {
        let here = Here::open(sandbox)?;
        Ok(here.map(|here| Self {
            place: Place::Here(here),
        }))
    }

    /// Of a pod that runs.
    pub(super) fn in_pod(sandbox: &Path, pod: PodLink) -> io::Result<Self> {
        let place = Place::InPod(pod, Arc::new(open_directory(sandbox)?));
        Ok(Self { place })
    }

    /// Whether it is known without a wait that nothing is in it: a few system calls.
    pub fn is_empty(&self) -> Result<bool, SandboxError> {
        match &self.place {
            Place::Here(here) => Ok(here.is_empty()?),
            Place::InPod(..) => Ok(false),
        }
    }

    /// Every file that may be shown, in the order of their paths, off the async threads.
    pub async fn scan(&self) -> Result<OutputScan, SandboxError> {
        match &self.place {
            Place::Here(here) => {
                let here = here.clone();
                Ok(blocking(move || here.walk()).await?)
            }
            Place::InPod(pod, _) => Ok(pod.scan_outputs().await?),
        }
    }

    /// Opens a file that a scan has shown. The fingerprint is that of what was opened.
    pub async fn read(
        &self,
        path: String,
    ) -> Result<Result<(File, Fingerprint), Why>, SandboxError> {
        match &self.place {
            Place::Here(here) => {
                let here = here.clone();
                Ok(blocking(move || Ok(here.open_file(&path))).await?)
            }
            Place::InPod(pod, directory) => {
                let far = match pod.read_output(path).await? {
                    Ok(far) => far,
                    Err(why) => return Ok(Err(why)),
                };
                let directory = Arc::clone(directory);
                let read = blocking(move || {
                    let fingerprint = far.fingerprint;
                    let mut file = nameless_file(&directory)?;
                    far.copy_to(&mut file)?;
                    file.rewind()?;
                    Ok((file, fingerprint))
                });
                Ok(Ok(read.await?))
            }
        }
    }
}

/// It goes with whoever has it open.
fn nameless_file(directory: &OwnedFd) -> io::Result<File> {
    const NAME: &str = "output.partial";
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(directory, NAME, flags, Mode::RUSR | Mode::WUSR);
    let opened = match open() {
        // Of a server that ended between the two.
        Err(Errno::EXIST) => {
            unlinkat(directory, NAME, AtFlags::empty())?;
            open()
        }
        opened => opened,
    };
    let file = opened?;
    unlinkat(directory, NAME, AtFlags::empty())?;
    Ok(File::from(file))
}

impl Here {
    pub(crate) fn open(sandbox: &Path) -> io::Result<Option<Self>> {
        let files = match open_files(sandbox) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&files, OUTPUTS, flags, Mode::empty()) {
            Ok(root) => Ok(Some(Self {
                owner: fstat(&root)?.st_uid,
                root: Arc::new(root),
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn is_empty(&self) -> io::Result<bool> {
        for entry in Dir::read_from(&self.root)? {
            if !is_special(entry?.file_name()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn open_file(&self, path: &str) -> Result<(File, Fingerprint), Why> {
        let (file, found) = beneath::open_to_read(&self.root, path).map_err(why)?;
        self.check(&found)?;
        Ok((File::from(file), fingerprint(&found)))
    }

    /// A regular file of somebody inside: one of another user came here through a hard link.
    fn check(&self, found: &Stat) -> Result<(), Why> {
        if !beneath::is_regular(found) {
            return Err(Why::NotAFile);
        }
        let is_of_sandbox = found
            .st_uid
            .checked_sub(self.owner)
            .is_some_and(|offset| offset < UID_RANGE);
        is_of_sandbox.then_some(()).ok_or(Why::Unreadable)
    }

    pub(crate) fn walk(&self) -> io::Result<OutputScan> {
        let mut walk = Walk {
            outputs: self,
            scan: OutputScan::default(),
            directories: VecDeque::from([String::new()]),
            entries: 0,
            until: Instant::now() + OUTPUT_SCAN_TIME_MAX,
        };
        let mut is_complete = true;
        while let Some(directory) = walk.directories.pop_front() {
            if !walk.read(&directory)? {
                is_complete = false;
                break;
            }
        }
        let mut scan = walk.scan;
        scan.is_complete = is_complete;
        scan.files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(scan)
    }
}

struct Walk<'o> {
    outputs: &'o Here,
    scan: OutputScan,
    /// Still to be read; the shallow ones come first, so that a flood deep below hides none.
    directories: VecDeque<String>,
    entries: usize,
    until: Instant,
}

impl Walk<'_> {
    /// Answers whether there is room for more.
    fn read(&mut self, path: &str) -> io::Result<bool> {
        let place = if path.is_empty() { "." } else { path };
        let directory = match beneath::open_directory(&self.outputs.root, place) {
            Ok(directory) => directory,
            Err(error) => {
                self.leave_out(path.to_owned(), why(error));
                return Ok(true);
            }
        };
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_special(name) {
                continue;
            }
            self.entries += 1;
            let is_full = self.entries > OUTPUT_ENTRIES_MAX
                || self.scan.files.len() >= OUTPUT_FILES_MAX
                || Instant::now() > self.until;
            if is_full {
                return Ok(false);
            }
            self.look(path, &directory, name);
        }
        Ok(true)
    }

    fn look(&mut self, parent: &str, directory: &OwnedFd, name: &CStr) {
        let shown = name.to_string_lossy();
        let path = match parent {
            "" => shown.into_owned(),
            parent => format!("{parent}/{shown}"),
        };
        if name.to_str().is_err() || path.len() > OUTPUT_PATH_BYTES_MAX {
            return self.leave_out(path, Why::Unnameable);
        }
        let found = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT) => return,
            Err(error) => return self.leave_out(path, why(error)),
        };
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
            match path.matches('/').count() + 1 < OUTPUT_DEPTH_MAX {
                true => self.directories.push_back(path),
                false => self.leave_out(path, Why::TooDeep),
            }
            return;
        }
        match self.outputs.check(&found) {
            Ok(()) => self.scan.files.push(Output {
                path,
                fingerprint: fingerprint(&found),
            }),
            Err(why) => self.leave_out(path, why),
        }
    }

    fn leave_out(&mut self, path: String, why: Why) {
        self.scan.left_out_count += 1;
        if self.scan.left_out.len() < OUTPUTS_LEFT_OUT_NAMED_MAX {
            let printable = |character: char| match character.is_control() {
                true => char::REPLACEMENT_CHARACTER,
                false => character,
            };
            let path = path.chars().take(OUTPUT_PATH_BYTES_MAX).map(printable);
            self.scan.left_out.push(LeftOut {
                path: path.collect(),
                why,
            });
        }
    }
}

fn is_special(name: &CStr) -> bool {
    name == c"." || name == c".."
}

fn why(error: Errno) -> Why {
    match error {
        Errno::NOENT => Why::Gone,
        // A link, somewhere on the way or at its end; or a socket, or a directory that became one.
        Errno::LOOP | Errno::XDEV | Errno::NOTDIR | Errno::NXIO => Why::NotAFile,
        _ => Why::Unreadable,
    }
}

fn fingerprint(found: &Stat) -> Fingerprint {
    let ns = |seconds: i64, rest: u64| {
        let rest = i64::try_from(rest).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(rest)
    };
    Fingerprint {
        size: u64::try_from(found.st_size).unwrap_or(0),
        inode: found.st_ino,
        modified_ns: ns(found.st_mtime, found.st_mtime_nsec),
        changed_ns: ns(found.st_ctime, found.st_ctime_nsec),
    }
}

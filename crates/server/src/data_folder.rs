//! The data folder: all that a server keeps, in one place, used by one server at a time.
//!
//! ```text
//! hostler-data/
//!   LOCK          held by the running server, with its process id inside
//!   replica       which server this is among those that share a database
//!   hostler.db    the database (and its -wal and -shm files)
//!   vault.key     the master key of the vaults, where none is given
//!   blobs/        uploaded files, unless they are in a bucket
//!   uploads/      which uploads to a bucket are under way
//!   backup/       where a backup is being prepared
//!   restore/      where a backup is being brought back, until all of it is
//!   sandboxes/    files of the sessions' sandboxes
//!   images/       root file systems that sandboxes are made of
//!   hostler.toml  the configuration, if you put it here
//! ```

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hostler_domain::Env;
use hostler_protocol::id::EventId;

/// The folder, open and locked for as long as this value lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// **Invariant:** the lock is that of this open file, so dropping it gives the folder free.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if there is none, and takes it for this process alone.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        create_private(path).with_context(|| format!("the data folder {shown} cannot be made"))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("the data folder {shown} cannot be opened"))?;
        let mut lock = open_lock(&path).with_context(|| {
            format!("the data folder {shown} cannot be written to by the user of this process")
        })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let who = match read_pid(&mut lock) {
                    Some(pid) => format!("the server with process id {pid}"),
                    None => "another server".to_owned(),
                };
                bail!(
                    "the data folder {shown} is in use by {who}; stop it, or choose another folder with \
                     --data-dir"
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| {
                    format!("the data folder {shown} cannot be locked; it must be on a local disk")
                });
            }
        }
        write_pid(&mut lock)
            .with_context(|| format!("the data folder {shown} cannot be written to"))?;
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who this server is among those that share a database: the same as long as the folder is.
    pub fn replica(&self, env: &Env) -> anyhow::Result<String> {
        let file = self.path.join("replica");
        let shown = file.display();
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                let id: EventId = text.trim().parse().with_context(|| {
                    format!("{shown} holds no id; remove it while no server uses the folder")
                })?;
                Ok(id.to_string())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let id: EventId = env.id();
                // A kill leaves none rather than an empty one.
                let draft = self.path.join("replica.draft");
                std::fs::write(&draft, format!("{id}\n"))
                    .and_then(|()| std::fs::rename(&draft, &file))
                    .with_context(|| format!("{shown} cannot be written"))?;
                Ok(id.to_string())
            }
            Err(error) => Err(error).with_context(|| format!("{shown} cannot be read")),
        }
    }

    pub fn database(&self) -> PathBuf {
        self.path.join("hostler.db")
    }

    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }
}

/// Who uses the folder now, for those who only want to know.
#[derive(Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    /// The process id, where the lock file tells it.
    Server(Option<u32>),
}

/// Looks without taking or changing anything.
pub fn holder(path: &Path) -> std::io::Result<Holder> {
    let mut lock = match File::open(path.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Holder::Nobody),
        Err(error) => return Err(error),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(Holder::Nobody),
        Err(TryLockError::WouldBlock) => Ok(Holder::Server(read_pid(&mut lock))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

const LOCK: &str = "LOCK";
/// A process id has fewer digits than this.
const PID_BYTES_MAX: u64 = 32;

/// Keys and what people said to agents are inside, so nobody else may look.
pub(crate) fn create_private(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn open_lock(folder: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options.open(folder.join(LOCK))
}

fn read_pid(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.rewind().ok()?;
    lock.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())?;
    lock.sync_all()
}

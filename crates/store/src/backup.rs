//! Backups: all rows as of one moment, and the bytes of every file that they name.
//!
//! ```text
//! blobs/<sha256>               bytes, shared by all backups of the place
//! databases/<sha256>           rows: a SQLite file, or what an export writes
//! lists/<sha256>               the names that rows have for bytes, and their sums
//! backups/<time>-<sha256>      what one backup is made of, written last
//! ```
//!
//! **Invariant:** everything has its SHA-256 in its name and shows when it is whole, so a backup whose
//! last file is there is whole, and one that broke off is none.

mod prune;
mod restore;
mod write;

use std::path::{Path as FolderPath, PathBuf};

use hostler_protocol::Timestamp;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::blobs::{Blobs, sum_of};
use crate::db::Tx;
use crate::{BucketOptions, StoreError, TransferError};

pub use prune::Pruned;
pub use restore::RestorePlace;

const BLOBS: &str = "blobs";
const DATABASES: &str = "databases";
const LISTS: &str = "lists";
const BACKUPS: &str = "backups";

/// The folders of a place.
pub const BACKUP_FOLDERS: [&str; 4] = [BLOBS, DATABASES, LISTS, BACKUPS];

/// Where backups are.
#[derive(Debug, Clone)]
pub enum BackupPlace {
    Folder(PathBuf),
    Bucket(BucketOptions),
}

/// What a backup is made of: the content of its last file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The version of the program that made it.
    pub hostler: String,
    /// RFC 3339.
    pub created_at: String,
    pub engine: BackupEngine,
    /// The version of the tables.
    pub schema: i64,
    pub database: Bytes,
    /// A line for each file and archive.
    pub list: Bytes,
    /// Their number, and their bytes in all.
    pub files: u64,
    pub file_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupEngine {
    Sqlite,
    Postgresql,
}

/// What is known of bytes that are kept somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    pub size: u64,
    /// In lower-case hexadecimal.
    pub sha256: String,
}

/// The present format of [`Manifest`].
const FORMAT: u32 = 1;

/// What every format has.
#[derive(Deserialize)]
struct Head {
    format: u32,
    hostler: String,
}

/// A backup by name, which sorts by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub name: String,
    pub manifest: Manifest,
}

/// What was done of a long work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupProgress {
    pub files_done: u64,
    pub files: u64,
    /// Of these, what was there already.
    pub files_reused: u64,
    pub bytes_copied: u64,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(
        "{name} has not the bytes that were written to it; delete the file, or bring it back, and try again"
    )]
    Damaged { name: String },
    #[error("the bytes of {name} are missing; delete the file, or bring them back, and try again")]
    Missing { name: String },
    #[error("there is no backup")]
    NoBackup,
    #[error("there is no backup of the name {0}")]
    NoSuchBackup(String),
    #[error("{file} of the backup {what}")]
    NotWhole { file: String, what: &'static str },
    #[error(
        "it was made by Hostler {hostler} with {what} {found}, and this program knows those up to {known}"
    )]
    TooNew {
        hostler: String,
        what: &'static str,
        found: i64,
        known: i64,
    },
    #[error(
        "it is of a {backup} database and this is to be a {here} one: restore it into its own kind, and use `hostler export` and `hostler import` then"
    )]
    OtherEngine {
        backup: &'static str,
        here: &'static str,
    },
    #[error("a bucket can't be taken by one process, so that nothing in it can be deleted safely")]
    SharedPlace,
    #[error("{0} is not empty: a backup is restored into nothing but an empty place")]
    NotEmpty(String),
    #[error("the disk failed")]
    Io(#[from] std::io::Error),
    #[error("the rows can't be moved")]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupEngine {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgresql => "PostgreSQL",
        }
    }
}

impl BackupPlace {
    /// `scratch` is a folder of this process alone, which remembers its uploads.
    fn open(&self, scratch: &FolderPath) -> Result<Blobs, StoreError> {
        match self {
            Self::Folder(folder) => Blobs::at_folder(folder),
            Self::Bucket(bucket) => Blobs::in_bucket(bucket, &scratch.join("uploads")),
        }
    }
}

impl std::fmt::Display for BackupPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => write!(formatter, "{}", folder.display()),
            Self::Bucket(bucket) => write!(formatter, "{}", bucket.address),
        }
    }
}

/// Bytes that a row names: a line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reference {
    /// In the store of the blobs.
    name: String,
    #[serde(rename = "of")]
    bytes: Bytes,
}

impl Reference {
    fn path(&self) -> Path {
        Path::from(self.name.as_str())
    }
}

const FILES: &str = "select id, size_bytes, sha256 from files order by id";
const CHECKPOINTS: &str =
    "select blob_id, size_bytes, sha256 from sandbox_checkpoints order by blob_id";

const SKILLS: &str = "select id, size_bytes, sha256 from skill_versions order by id";

/// All bytes that the rows name.
fn references(tx: &Tx<'_>) -> Result<Vec<Reference>, StoreError> {
    let mut all = Vec::new();
    for (folder, sql) in [
        (crate::files::FOLDER, FILES),
        (crate::checkpoints::FOLDER, CHECKPOINTS),
        (crate::skills::FOLDER, SKILLS),
    ] {
        all.extend(tx.all(sql, &[], |row| {
            let size = u64::try_from(row.integer(1)?).unwrap_or(0);
            Ok(Reference {
                name: format!("{folder}/{}", row.text(0)?),
                bytes: Bytes {
                    size,
                    sha256: row.text(2)?,
                },
            })
        })?);
    }
    Ok(all)
}

/// The name of a backup: when, and the sum of its manifest.
fn backup_name(at: Timestamp, manifest: &[u8]) -> String {
    let time: String = at
        .to_string()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!("{time}-{}", sum_of(manifest))
}

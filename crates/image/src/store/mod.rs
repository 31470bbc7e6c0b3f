//! The trees that are there, under their digests.

mod draft;
mod make;
mod record;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use self::record::Record;
use crate::digest::Digest;
use crate::error::{ImageError, While};
use crate::source::Source;

/// How far the making of a tree has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Downloading {
        bytes: u64,
        of: u64,
    },
    /// Layers count from one.
    Unpacking {
        layer: usize,
        of: usize,
    },
}

/// Called often; it must not wait.
pub type Report = Arc<dyn Fn(Progress) + Send + Sync>;

/// A tree to make sandboxes of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub digest: Digest,
    /// Read-only for everybody.
    pub root: PathBuf,
    /// Variables that the image wants its programs to have.
    pub environment: BTreeMap<String, String>,
}

/// What the operator is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub digest: Digest,
    pub root: PathBuf,
    pub bytes: u64,
    /// Those that had this tree when they were last pulled.
    pub sources: Vec<String>,
}

/// Cheap to clone. Several processes may use one folder.
#[derive(Debug, Clone)]
pub struct ImageStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// One at a time for each source: the others get what it has made.
    making: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

const PARTS: [&str; 4] = ["sources", "trees", "blobs", "drafts"];

impl ImageStore {
    /// Makes the folder if there is none, and deletes what a crash has left.
    pub fn open(folder: &Path) -> Result<Self, ImageError> {
        let doing = || format!("opening the image store {}", folder.display());
        for directory in
            std::iter::once(folder.to_owned()).chain(PARTS.map(|part| folder.join(part)))
        {
            let mut builder = fs::DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o700)
                .create(&directory)
                .doing(doing)?;
        }
        // Files in it may be setuid: nobody else gets in.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).doing(doing)?;
        let folder = fs::canonicalize(folder).doing(doing)?;
        draft::sweep(&folder.join("drafts")).doing(doing)?;
        Ok(Self {
            inner: Arc::new(Inner {
                folder,
                making: Mutex::default(),
            }),
        })
    }

    /// The tree that the source had when it was last pulled, or else pulls it.
    pub async fn get(&self, source: &Source, report: Report) -> Result<Image, ImageError> {
        let _alone = self.alone(source).await;
        if let Some(image) = self.inner.find(source)? {
            return Ok(image);
        }
        self.inner.make(source, report).await
    }

    /// Makes the tree anew, if the source has another one by now.
    pub async fn pull(&self, source: &Source, report: Report) -> Result<Image, ImageError> {
        let _alone = self.alone(source).await;
        self.inner.make(source, report).await
    }

    /// What is there of the source, without pulling anything.
    pub fn find(&self, source: &Source) -> Result<Option<Image>, ImageError> {
        self.inner.find(source)
    }

    pub fn list(&self) -> Result<Vec<Stored>, ImageError> {
        self.inner.list()
    }

    /// Removes a tree, by its digest, the start of that, or one of its sources. Sandboxes are
    /// made of those `in_use`.
    pub fn remove(&self, name: &str, in_use: &BTreeSet<PathBuf>) -> Result<Stored, ImageError> {
        self.inner.remove(name, in_use)
    }

    async fn alone(&self, source: &Source) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let making = self.inner.making.lock();
            let mut making = making.unwrap_or_else(PoisonError::into_inner);
            making.retain(|_, lock| lock.strong_count() > 0);
            let key = source.to_string();
            making.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
                let lock = Arc::new(tokio::sync::Mutex::new(()));
                making.insert(key, Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }
}

impl Inner {
    fn tree(&self, digest: &Digest) -> PathBuf {
        self.folder.join("trees").join(digest.hex())
    }

    fn find(&self, source: &Source) -> Result<Option<Image>, ImageError> {
        let Some(digest) = record::digest_of(&self.folder, source)? else {
            return Ok(None);
        };
        self.image(&digest)
    }

    fn image(&self, digest: &Digest) -> Result<Option<Image>, ImageError> {
        let directory = self.tree(digest);
        let Some(record) = Record::load(&directory)? else {
            return Ok(None);
        };
        Ok(Some(Image {
            digest: digest.clone(),
            root: directory.join("root"),
            environment: record.environment,
        }))
    }

    fn list(&self) -> Result<Vec<Stored>, ImageError> {
        let sources = record::sources(&self.folder)?;
        let trees = self.folder.join("trees");
        let doing = || format!("reading {}", trees.display());
        let mut found = Vec::new();
        for entry in fs::read_dir(&trees).doing(doing)? {
            let name = entry.doing(doing)?.file_name();
            let digest = format!("sha256:{}", name.to_string_lossy());
            let Ok(digest) = digest.parse::<Digest>() else {
                continue;
            };
            let directory = self.tree(&digest);
            let Some(record) = Record::load(&directory)? else {
                continue;
            };
            let of_it = sources.iter().filter(|(_, other)| *other == digest);
            found.push(Stored {
                root: directory.join("root"),
                bytes: record.bytes,
                sources: of_it.map(|(source, _)| source.clone()).collect(),
                digest,
            });
        }
        found.sort_by(|one, other| one.digest.cmp(&other.digest));
        Ok(found)
    }

    fn remove(&self, name: &str, in_use: &BTreeSet<PathBuf>) -> Result<Stored, ImageError> {
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        let source = name.parse::<Source>().map(|source| source.to_string());
        let mut matching = self.list()?.into_iter().filter(|stored| {
            let by_digest = !hex.is_empty() && stored.digest.hex().starts_with(hex);
            by_digest
                || source
                    .as_ref()
                    .is_ok_and(|source| stored.sources.contains(source))
        });
        let (Some(stored), None) = (matching.next(), matching.next()) else {
            return Err(ImageError::Invalid(format!(
                "{name:?} does not name one image; `hostler images list` shows them"
            )));
        };
        if in_use.contains(&stored.root) {
            return Err(ImageError::Invalid(format!(
                "{} is in use: sandboxes of existing sessions are made of it",
                stored.digest
            )));
        }
        let directory = self.tree(&stored.digest);
        // Out of sight in one step: nobody is given half a tree.
        draft::throw_away(&self.folder.join("drafts"), &directory)
            .doing(|| format!("removing {}", directory.display()))?;
        record::forget(&self.folder, &stored.digest)?;
        Ok(stored)
    }
}

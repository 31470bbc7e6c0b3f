//! Bytes that are too many for a row: files, in the data folder.
//!
//! A blob is written under a temporary name and gets its own when it is complete and synced, so a
//! crash leaves no half of one. **Invariant:** a row is written after its blob and deleted before
//! it: a row without a blob is corruption, a blob without a row is swept at the next start.

use std::path::{Path as FolderPath, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};

use crate::StoreError;
use crate::limits::{BLOB_PART_BYTES, BLOB_PARTS_IN_FLIGHT};

/// The bytes of a blob, in chunks.
pub type BlobStream = BoxStream<'static, Result<Bytes, StoreError>>;

#[derive(Clone)]
pub(crate) struct Blobs {
    objects: Arc<LocalFileSystem>,
    folder: Arc<FolderPath>,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Blobs")
    }
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        Self::Blob(Box::new(error))
    }
}

fn io_failure(error: std::io::Error) -> StoreError {
    StoreError::Blob(Box::new(error))
}

impl Blobs {
    /// Opens or makes `blobs` in the data folder.
    pub(crate) fn open(folder: &FolderPath) -> Result<Self, StoreError> {
        let folder = folder.join("blobs");
        std::fs::create_dir_all(&folder).map_err(io_failure)?;
        let objects = LocalFileSystem::new_with_prefix(&folder)?.with_fsync(true);
        Ok(Self {
            objects: Arc::new(objects),
            folder: folder.into(),
        })
    }

    /// Removes what uploads have left that never ended. Only while none is under way.
    pub(crate) fn remove_unfinished(&self) -> Result<(), StoreError> {
        remove_unfinished(&self.folder)
    }

    pub(crate) async fn begin(&self, name: Path) -> Result<BlobUpload, StoreError> {
        let upload = self.objects.put_multipart(&name).await?;
        Ok(BlobUpload {
            parts: WriteMultipart::new_with_chunk_size(upload, BLOB_PART_BYTES),
            name,
            size: 0,
            digest: digest::Context::new(&digest::SHA256),
        })
    }

    /// `None`: there is no such blob.
    pub(crate) async fn read(&self, name: &Path) -> Result<Option<BlobStream>, StoreError> {
        match self.objects.get(name).await {
            Ok(found) => {
                let chunks = found.into_stream();
                Ok(Some(chunks.map(|chunk| Ok(chunk?)).boxed()))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives the bytes of a blob a second name, without copying them. Answers whether there was
    /// such a blob.
    pub(crate) async fn copy(&self, from: &Path, to: &Path) -> Result<bool, StoreError> {
        // The object store makes a hard link. That it can't doesn't say why, so it is asked.
        match self.objects.copy(from, to).await {
            Ok(()) => Ok(true),
            Err(error) => match self.objects.head(from).await {
                Err(object_store::Error::NotFound { .. }) => Ok(false),
                Ok(_) | Err(_) => Err(error.into()),
            },
        }
    }

    /// Deleting what isn't there is fine.
    pub(crate) async fn delete(&self, name: &Path) -> Result<(), StoreError> {
        match self.objects.delete(name).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn list(&self, folder: &Path) -> BoxStream<'static, Result<Path, StoreError>> {
        self.objects
            .list(Some(folder))
            .map(|found| Ok(found?.location))
            .boxed()
    }
}

/// A blob while it is written. Dropped before [`BlobUpload::finish`] it leaves nothing.
pub struct BlobUpload {
    parts: WriteMultipart,
    name: Path,
    size: u64,
    digest: digest::Context,
}

impl std::fmt::Debug for BlobUpload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "BlobUpload({}, {} bytes)", self.name, self.size)
    }
}

/// A complete blob.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) name: Path,
    pub(crate) size: u64,
    /// In lower-case hexadecimal.
    pub(crate) sha256: String,
}

impl BlobUpload {
    /// Bytes so far: the caller refuses more than it wants.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Waits while earlier parts are being written.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.parts.wait_for_capacity(BLOB_PARTS_IN_FLIGHT).await?;
        self.parts.write(chunk);
        self.digest.update(chunk);
        self.size += chunk.len() as u64;
        Ok(())
    }

    pub(crate) async fn finish(self) -> Result<Blob, StoreError> {
        self.parts.finish().await?;
        let sha256 = self
            .digest
            .finish()
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Blob {
            name: self.name,
            size: self.size,
            sha256,
        })
    }
}

/// The object store writes to `<name>#<number>` first.
fn remove_unfinished(folder: &FolderPath) -> Result<(), StoreError> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).map_err(io_failure)? {
            let entry = entry.map_err(io_failure)?;
            let kind = entry.file_type().map_err(io_failure)?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy().contains('#') {
                std::fs::remove_file(entry.path()).map_err(io_failure)?;
            }
        }
    }
    Ok(())
}

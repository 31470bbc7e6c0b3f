//! Bytes that are too many for a row: files, in the data folder or in a bucket.
//!
//! A blob shows under its name when it is complete and synced, so a crash leaves no half of one.
//! **Invariant:** a row is written after its blob and deleted before it: a row without a blob is
//! corruption, a blob without a row is swept. Nothing but the constructors knows which place it
//! is; what an upload needs of each is in `blobs/upload.rs`.

mod bucket;
mod folder;
mod unfinished;
mod upload;

use std::path::Path as FolderPath;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use hostler_protocol::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

pub use bucket::{BucketAddress, BucketAddressError, BucketError, BucketKey, BucketOptions};
pub use upload::BlobUpload;

use crate::StoreError;
use crate::limits::ORPHAN_AGE_SHARED;
use bucket::Bucket;
use folder::Folder;

/// The bytes of a blob, in chunks.
pub type BlobStream = BoxStream<'static, Result<Bytes, StoreError>>;

#[derive(Clone)]
pub(crate) struct Blobs {
    place: Place,
}

#[derive(Clone)]
enum Place {
    Folder(Arc<Folder>),
    Bucket(Arc<Bucket>),
}

/// A blob that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: Path,
    pub(crate) size: u64,
    pub(crate) written_at: Timestamp,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Blobs")
    }
}

impl Blobs {
    /// Opens or makes `blobs` in the data folder.
    pub(crate) fn in_folder(data_folder: &FolderPath) -> Result<Self, StoreError> {
        Self::at_folder(&data_folder.join("blobs"))
    }

    /// Opens or makes a folder of that name.
    pub(crate) fn at_folder(folder: &FolderPath) -> Result<Self, StoreError> {
        let folder = Folder::open(folder)?;
        Ok(Self {
            place: Place::Folder(Arc::new(folder)),
        })
    }

    /// A folder of this process remembers which uploads were begun.
    pub(crate) fn in_bucket(
        options: &BucketOptions,
        records: &FolderPath,
    ) -> Result<Self, StoreError> {
        let bucket = Bucket::open(options, records)?;
        Ok(Self {
            place: Place::Bucket(Arc::new(bucket)),
        })
    }

    /// The bucket, where it is one: others use it at the same time.
    pub(crate) fn bucket(&self) -> Option<&Bucket> {
        match &self.place {
            Place::Folder(_) => None,
            Place::Bucket(bucket) => Some(bucket),
        }
    }

    /// How old a blob without a row has to be before it is nobody's, where one that is younger may
    /// get its row in a moment, from another server.
    pub(crate) fn orphan_age(&self) -> Option<Duration> {
        match &self.place {
            Place::Folder(_) => None,
            Place::Bucket(_) => Some(ORPHAN_AGE_SHARED),
        }
    }

    /// Removes what uploads of this process, or of one before it, have left that never ended. None
    /// that is under way.
    pub(crate) async fn remove_unfinished(&self) -> Result<(), StoreError> {
        match &self.place {
            // A dropped upload removes its own; what a crash leaves is removed at the start.
            Place::Folder(folder) => folder.remove_unfinished(),
            Place::Bucket(bucket) => bucket.abort_unfinished().await,
        }
    }

    /// Gives up what uploads of this process to a bucket have left that were dropped. At any time.
    pub(crate) async fn end_dropped(&self) -> Result<(), StoreError> {
        match &self.place {
            Place::Folder(_) => Ok(()),
            Place::Bucket(bucket) => bucket.abort_unfinished().await,
        }
    }

    pub(crate) fn begin(&self, name: Path) -> BlobUpload {
        BlobUpload::new(self.clone(), name)
    }

    /// `None`: there is no such blob.
    pub(crate) async fn read(&self, name: &Path) -> Result<Option<BlobStream>, StoreError> {
        match self.objects().get(&self.at(name)).await {
            Ok(found) => {
                let blobs = self.clone();
                let chunks = found.into_stream();
                let chunks = chunks.map(move |chunk| chunk.map_err(|error| blobs.failure(error)));
                Ok(Some(chunks.boxed()))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Its bytes in number. `None`: there is no such blob.
    pub(crate) async fn size(&self, name: &Path) -> Result<Option<u64>, StoreError> {
        match self.objects().head(&self.at(name)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Gives the bytes of a blob a second name, without bringing them here. Answers whether there
    /// was such a blob.
    pub(crate) async fn copy(&self, from: &Path, to: &Path) -> Result<bool, StoreError> {
        let copied = self.objects().copy(&self.at(from), &self.at(to)).await;
        let Err(error) = copied else {
            return Ok(true);
        };
        // In a folder it is a hard link. That it can't be made doesn't say why, so it is asked.
        match self.size(from).await {
            Ok(None) => Ok(false),
            Ok(Some(_)) | Err(_) => Err(self.failure(error)),
        }
    }

    /// Deleting what isn't there is fine.
    pub(crate) async fn delete(&self, name: &Path) -> Result<(), StoreError> {
        match self.objects().delete(&self.at(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failure(error)),
        }
    }

    pub(crate) fn list(&self, folder: &Path) -> BoxStream<'static, Result<Listed, StoreError>> {
        let blobs = self.clone();
        self.objects()
            .list(Some(&self.at(folder)))
            .map(move |found| match found {
                Ok(found) => blobs.listed(found),
                Err(error) => Err(blobs.failure(error)),
            })
            .boxed()
    }

    fn listed(&self, found: object_store::ObjectMeta) -> Result<Listed, StoreError> {
        let name = match &self.place {
            Place::Folder(_) => found.location,
            Place::Bucket(bucket) => bucket.name(&found.location),
        };
        Ok(Listed {
            name,
            size: found.size,
            written_at: Timestamp::from_micros(found.last_modified.timestamp_micros()),
        })
    }

    fn objects(&self) -> &dyn ObjectStore {
        match &self.place {
            Place::Folder(folder) => folder.objects(),
            Place::Bucket(bucket) => bucket.objects(),
        }
    }

    /// Where a blob is in its place.
    fn at(&self, name: &Path) -> Path {
        match &self.place {
            Place::Folder(_) => name.clone(),
            Place::Bucket(bucket) => bucket.key(name),
        }
    }

    fn failure(&self, error: object_store::Error) -> StoreError {
        match &self.place {
            Place::Folder(_) => folder_failure(error),
            Place::Bucket(bucket) => bucket.failure(error),
        }
    }
}

fn folder_failure(error: object_store::Error) -> StoreError {
    StoreError::of_folder(error)
}

/// The bytes, which end with an error if they are not those with this sum.
pub(crate) fn verified(chunks: BlobStream, sha256: String) -> BlobStream {
    let state = (chunks, digest::Context::new(&digest::SHA256), Some(sha256));
    stream::unfold(state, |(mut chunks, mut sum, mut expected)| async move {
        match chunks.next().await {
            Some(Ok(chunk)) => {
                sum.update(&chunk);
                Some((Ok(chunk), (chunks, sum, expected)))
            }
            Some(Err(error)) => Some((Err(error), (chunks, sum, None))),
            None => {
                let expected = expected.take()?;
                let found = hexadecimal(sum.clone().finish().as_ref());
                let error = std::io::Error::other("its sum is wrong: the bytes were changed");
                let wrong = found != expected;
                wrong.then(|| (Err(StoreError::Blob(Box::new(error))), (chunks, sum, None)))
            }
        }
    })
    .boxed()
}

/// In lower-case hexadecimal.
pub(crate) fn sum_of(bytes: &[u8]) -> String {
    hexadecimal(digest::digest(&digest::SHA256, bytes).as_ref())
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

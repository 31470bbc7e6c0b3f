//! A blob while it is written. A short one is one request, a long one goes in parts.

use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{ObjectStoreExt, WriteMultipart};
use tokio::task::JoinSet;

use super::bucket::Bucket;
use super::unfinished::Underway;
use super::{Blobs, Place};
use crate::StoreError;
use crate::limits::{BLOB_PART_BYTES, BLOB_PARTS_IN_FLIGHT, BUCKET_PART_BYTES};

/// A blob while it is written. Dropped before it is finished it leaves nothing that shows, and in
/// a bucket parts that are given up soon.
pub struct BlobUpload {
    blobs: Blobs,
    name: Path,
    size: u64,
    digest: digest::Context,
    /// What was not sent yet.
    waiting: BytesMut,
    parts: Option<Parts>,
}

enum Parts {
    Folder(Box<WriteMultipart>),
    Bucket(Box<BucketParts>),
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
    pub(super) fn new(blobs: Blobs, name: Path) -> Self {
        Self {
            blobs,
            name,
            size: 0,
            digest: digest::Context::new(&digest::SHA256),
            waiting: BytesMut::new(),
            parts: None,
        }
    }

    /// Bytes so far: the caller refuses more than it wants.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Of the bytes so far, in lower-case hexadecimal.
    pub(crate) fn sha256(&self) -> String {
        super::hexadecimal(self.digest.clone().finish().as_ref())
    }

    /// Waits while earlier parts are being written.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.digest.update(chunk);
        self.size += chunk.len() as u64;
        self.waiting.extend_from_slice(chunk);
        let part = match &self.blobs.place {
            Place::Folder(_) => BLOB_PART_BYTES,
            Place::Bucket(_) => BUCKET_PART_BYTES,
        };
        while self.waiting.len() >= part {
            let bytes = self.waiting.split_to(part).freeze();
            self.send(bytes).await?;
        }
        Ok(())
    }

    async fn send(&mut self, part: Bytes) -> Result<(), StoreError> {
        let mut parts = match self.parts.take() {
            Some(parts) => parts,
            None => Parts::begin(&self.blobs, &self.name).await?,
        };
        match &mut parts {
            Parts::Folder(parts) => {
                let room = parts.wait_for_capacity(BLOB_PARTS_IN_FLIGHT).await;
                room.map_err(|error| self.blobs.failure(error))?;
                parts.put(part);
            }
            Parts::Bucket(parts) => parts.send(part).await?,
        }
        self.parts = Some(parts);
        Ok(())
    }

    pub(crate) async fn finish(mut self) -> Result<Blob, StoreError> {
        let rest = self.waiting.split().freeze();
        if self.parts.is_some() && !rest.is_empty() {
            self.send(rest.clone()).await?;
        }
        match self.parts.take() {
            None => {
                let at = self.blobs.at(&self.name);
                let put = self.blobs.objects().put(&at, rest.into());
                put.await.map_err(|error| self.blobs.failure(error))?;
            }
            Some(Parts::Folder(parts)) => {
                let finished = parts.finish().await;
                finished.map_err(|error| self.blobs.failure(error))?;
            }
            Some(Parts::Bucket(parts)) => {
                parts.finish().await?;
                check_size(&self.blobs, &self.name, self.size).await?;
            }
        }
        let sha256 = super::hexadecimal(self.digest.finish().as_ref());
        Ok(Blob {
            name: self.name,
            size: self.size,
            sha256,
        })
    }
}

// What follows takes no upload by reference, which would have to be one that threads can share.

/// Each part was checked by the server against its sum; that they are all there is asked.
async fn check_size(blobs: &Blobs, name: &Path, size: u64) -> Result<(), StoreError> {
    let found = blobs.size(name).await?;
    match (found == Some(size), blobs.bucket()) {
        (false, Some(bucket)) => {
            let what = format!("kept {found:?} of the {size} bytes of {name}");
            Err(bucket.unfit(what))
        }
        (true, _) | (false, None) => Ok(()),
    }
}

impl Parts {
    async fn begin(blobs: &Blobs, name: &Path) -> Result<Self, StoreError> {
        match &blobs.place {
            Place::Folder(folder) => {
                let upload = folder.objects().put_multipart(name).await;
                let upload = upload.map_err(|error| blobs.failure(error))?;
                let parts = WriteMultipart::new_with_chunk_size(upload, BLOB_PART_BYTES);
                Ok(Self::Folder(Box::new(parts)))
            }
            Place::Bucket(bucket) => {
                let parts = BucketParts::begin(Arc::clone(bucket), bucket.key(name)).await?;
                Ok(Self::Bucket(Box::new(parts)))
            }
        }
    }
}

/// An upload in parts to a bucket.
struct BucketParts {
    bucket: Arc<Bucket>,
    key: Path,
    upload: String,
    underway: Underway,
    sending: JoinSet<(usize, Result<PartId, object_store::Error>)>,
    sent: Vec<Option<PartId>>,
}

impl BucketParts {
    async fn begin(bucket: Arc<Bucket>, key: Path) -> Result<Self, StoreError> {
        let upload = bucket.in_parts().create_multipart(&key).await;
        let upload = upload.map_err(|error| bucket.failure(error))?;
        let underway = bucket.unfinished().begin(key.as_ref(), &upload).await?;
        Ok(Self {
            bucket,
            key,
            upload,
            underway,
            sending: JoinSet::new(),
            sent: Vec::new(),
        })
    }

    async fn send(&mut self, part: Bytes) -> Result<(), StoreError> {
        while self.sending.len() >= BLOB_PARTS_IN_FLIGHT {
            self.join().await?;
        }
        let index = self.sent.len();
        self.sent.push(None);
        let (bucket, key, upload) = (
            Arc::clone(&self.bucket),
            self.key.clone(),
            self.upload.clone(),
        );
        self.sending.spawn(async move {
            let sent = bucket
                .in_parts()
                .put_part(&key, &upload, index, part.into());
            (index, sent.await)
        });
        Ok(())
    }

    async fn join(&mut self) -> Result<(), StoreError> {
        let Some(joined) = self.sending.join_next().await else {
            return Ok(());
        };
        let sent = match joined {
            Ok((index, sent)) => sent.map(|part| (index, part)),
            Err(source) => Err(object_store::Error::JoinError { source }),
        };
        let (index, part) = sent.map_err(|error| self.bucket.failure(error))?;
        self.sent[index] = Some(part);
        Ok(())
    }

    async fn finish(mut self) -> Result<(), StoreError> {
        while !self.sending.is_empty() {
            self.join().await?;
        }
        let parts: Vec<PartId> = self.sent.into_iter().flatten().collect();
        let complete = self
            .bucket
            .in_parts()
            .complete_multipart(&self.key, &self.upload, parts);
        complete.await.map_err(|error| self.bucket.failure(error))?;
        self.underway.end().await
    }
}

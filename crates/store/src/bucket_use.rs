//! Keeping the blobs of a database in a bucket.

use std::path::Path as FolderPath;

use crate::blobs::Blobs;
use crate::{BucketOptions, Store, StoreError};

impl Store {
    /// The same store with its blobs in a bucket. `records` is a folder of this process alone, which
    /// remembers its uploads. Asks nothing of the bucket yet: see [`Store::claim_bucket`].
    pub fn in_bucket(
        mut self,
        options: &BucketOptions,
        records: &FolderPath,
    ) -> Result<Self, StoreError> {
        self.blobs = Blobs::in_bucket(options, records)?;
        Ok(self)
    }

    /// Whether other servers of the database reach the blobs, too.
    pub fn shares_blobs(&self) -> bool {
        self.blobs.bucket().is_some()
    }

    /// Before a server keeps anything in a bucket: that it works, and that what is there is of this
    /// database and no other. `trial` is a name that nobody else uses. Nothing for a folder.
    ///
    /// # Errors
    /// In words for the bucket's owner.
    pub async fn claim_bucket(&self, trial: &str) -> Result<(), StoreError> {
        let Some(bucket) = self.blobs.bucket() else {
            return Ok(());
        };
        bucket.try_out(trial).await?;
        // The first workspace comes along wherever the rows go, and no other database has it.
        let workspaces = self.workspaces().await?;
        let first = workspaces.first().ok_or_else(|| StoreError::Corrupt {
            what: "there is no workspace".to_owned(),
        })?;
        bucket.claim(&first.id.to_string()).await
    }
}

/// Whether a bucket does what a server asks of it, for those who only want to know. It leaves
/// nothing there.
///
/// # Errors
/// In words for the bucket's owner.
pub async fn try_bucket(options: &BucketOptions, trial: &str) -> Result<(), StoreError> {
    // Nothing is uploaded in parts.
    let blobs = Blobs::in_bucket(options, FolderPath::new("."))?;
    match blobs.bucket() {
        Some(bucket) => bucket.try_out(trial).await,
        None => Ok(()),
    }
}

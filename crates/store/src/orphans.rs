//! Blobs without a row: what uploads have left whose row was never written, or was deleted first.

use futures::StreamExt;
use hostler_protocol::Timestamp;
use object_store::path::Path;

use crate::blobs::Listed;
use crate::{Store, StoreError, checkpoints, files, skills};

/// The folders of blobs, and the statement that finds the row of one by its name.
const FOLDERS: [(&str, &str); 3] = [
    (files::FOLDER, files::EXISTS),
    (checkpoints::FOLDER, checkpoints::EXISTS),
    (skills::FOLDER, skills::EXISTS),
];

impl Store {
    /// Deletes them, and answers how many. In a folder only at the start of its one server, since
    /// an upload gets its row when it is complete; in a bucket at any time, and only those that are
    /// so old that nobody will write a row for them.
    pub async fn sweep_orphans(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.blobs.remove_unfinished().await?;
        let mut swept = 0;
        for (folder, exists) in FOLDERS {
            let mut blobs = self.blobs.list(&Path::from(folder));
            while let Some(blob) = blobs.next().await {
                let blob = blob?;
                let age = self.blobs.orphan_age();
                let is_old = age.is_none_or(|age| blob.written_at.plus(age) <= now);
                if is_old && !self.has_row(&blob, exists).await? {
                    self.blobs.delete(&blob.name).await?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    /// Gives up what uploads of this process to a bucket have left that were dropped. At any time.
    pub async fn end_dropped_uploads(&self) -> Result<(), StoreError> {
        self.blobs.end_dropped().await
    }

    async fn has_row(&self, blob: &Listed, exists: &'static str) -> Result<bool, StoreError> {
        let id = blob.name.filename().unwrap_or_default().to_owned();
        let row: Option<String> = self
            .db
            .read(move |tx| tx.one(exists, &[&id], |row| row.text(0)))
            .await?;
        Ok(row.is_some())
    }
}

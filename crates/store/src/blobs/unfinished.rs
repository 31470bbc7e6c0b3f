//! Uploads in parts that were begun in a bucket: what was sent of one that never ended stays there,
//! unseen and paid for, until somebody who knows its number gives it up.
//!
//! Each has a file in the data folder from before its first part until its end, so that it is
//! given up by whoever comes after a crash.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path as FolderPath, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folder::io_failure;
use crate::StoreError;

#[derive(Clone)]
pub(super) struct Unfinished {
    folder: Arc<FolderPath>,
    /// Names of the files of uploads that are under way.
    active: Arc<Mutex<HashSet<String>>>,
}

/// An upload that is under way. Dropped, it may be given up.
pub(super) struct Underway {
    unfinished: Unfinished,
    file: String,
}

/// One that is not.
pub(super) struct Left {
    pub(super) key: String,
    pub(super) upload: String,
    file: PathBuf,
}

impl Unfinished {
    /// The folder is made when there is something to remember.
    pub(super) fn new(folder: &FolderPath) -> Self {
        Self {
            folder: folder.into(),
            active: Arc::default(),
        }
    }

    pub(super) async fn begin(&self, key: &str, upload: &str) -> Result<Underway, StoreError> {
        let file = key.replace('/', "_");
        self.active().insert(file.clone());
        let underway = Underway {
            unfinished: self.clone(),
            file,
        };
        let text = format!("{key}\n{upload}\n");
        let made = tokio::fs::create_dir_all(&self.folder).await;
        made.map_err(io_failure)?;
        let path = self.folder.join(&underway.file);
        tokio::fs::write(path, text).await.map_err(io_failure)?;
        Ok(underway)
    }

    pub(super) async fn left(&self) -> Result<Vec<Left>, StoreError> {
        let mut left = Vec::new();
        let mut files = match tokio::fs::read_dir(&self.folder).await {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(left),
            Err(error) => return Err(io_failure(error)),
        };
        while let Some(entry) = files.next_entry().await.map_err(io_failure)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            if self.active().contains(&name) {
                continue;
            }
            let text = tokio::fs::read_to_string(entry.path()).await;
            let text = text.map_err(io_failure)?;
            let mut lines = text.lines().map(str::to_owned);
            let file = entry.path();
            match (lines.next(), lines.next()) {
                (Some(key), Some(upload)) => left.push(Left { key, upload, file }),
                // It broke off before its first part was sent.
                (Some(_), None) | (None, _) => remove(&file).await?,
            }
        }
        Ok(left)
    }

    fn active(&self) -> MutexGuard<'_, HashSet<String>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Underway {
    /// It has ended well.
    pub(super) async fn end(self) -> Result<(), StoreError> {
        remove(&self.unfinished.folder.join(&self.file)).await
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.unfinished.active().remove(&self.file);
    }
}

impl Left {
    /// It was given up.
    pub(super) async fn forget(self) -> Result<(), StoreError> {
        remove(&self.file).await
    }
}

async fn remove(file: &FolderPath) -> Result<(), StoreError> {
    match tokio::fs::remove_file(file).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_failure(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

//! Blobs as files in the data folder of one server.

use std::path::{Path as FolderPath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use crate::StoreError;

pub(super) struct Folder {
    objects: Arc<LocalFileSystem>,
    path: PathBuf,
}

impl Folder {
    /// Makes it if there is none.
    pub(super) fn open(path: &FolderPath) -> Result<Self, StoreError> {
        std::fs::create_dir_all(path).map_err(io_failure)?;
        let objects = LocalFileSystem::new_with_prefix(path)
            .map_err(super::folder_failure)?
            .with_fsync(true);
        Ok(Self {
            objects: Arc::new(objects),
            path: path.to_owned(),
        })
    }

    pub(super) fn objects(&self) -> &dyn ObjectStore {
        &*self.objects
    }

    /// The object store writes to `<name>#<number>` first. Only while no upload is under way.
    pub(super) fn remove_unfinished(&self) -> Result<(), StoreError> {
        let mut folders: Vec<PathBuf> = vec![self.path.clone()];
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
}

pub(super) fn io_failure(error: std::io::Error) -> StoreError {
    StoreError::of_folder(error)
}

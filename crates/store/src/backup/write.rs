//! Making a backup beside a server that goes on.
//!
//! The rows are those of one moment; their bytes are copied after it. Bytes that a client deleted
//! between the two are missed, but so are their rows in the next moment: then the rows are read
//! again, and what was copied already stays.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path as FolderPath;

use futures::StreamExt;
use hostler_protocol::Timestamp;
use object_store::path::Path;

use super::{
    BACKUPS, BLOBS, Backup, BackupEngine, BackupError, BackupPlace, BackupProgress, Bytes,
    DATABASES, FORMAT, LISTS, Manifest, Reference, backup_name, references,
};
use crate::blobs::Blobs;
use crate::limits::{BACKUP_CHUNK_BYTES, BACKUP_ROUNDS};
use crate::{Schema, Store, StoreError};

/// A backup under way.
struct Writing<'a> {
    store: &'a Store,
    place: Blobs,
    /// What is in the place, by its sum.
    there: HashMap<String, u64>,
    progress: BackupProgress,
    tell: &'a mut (dyn FnMut(BackupProgress) + Send),
}

impl Store {
    /// Adds a backup to `place`. `scratch` is a folder of this process alone with room for the rows.
    /// Nobody has to stop meanwhile, but for another backup into the same folder.
    ///
    /// # Errors
    /// See [`BackupError`]. What was copied by then stays, for the next one.
    pub async fn backup(
        &self,
        place: &BackupPlace,
        scratch: &FolderPath,
        (program, at): (&str, Timestamp),
        tell: &mut (dyn FnMut(BackupProgress) + Send),
    ) -> Result<Backup, BackupError> {
        let place = place.open(scratch)?;
        place.remove_unfinished().await?;
        let mut writing = Writing {
            store: self,
            there: there(&place).await?,
            place,
            progress: BackupProgress::default(),
            tell,
        };
        let rows = scratch.join("rows");
        let mut round = 1;
        let references = loop {
            let references = self.snapshot(&rows).await?;
            let missing = writing.copy_all(&references).await?;
            match missing {
                None => break references,
                Some(name) if round == BACKUP_ROUNDS => return Err(BackupError::Missing { name }),
                Some(_) => round += 1,
            }
        };
        let database = writing.copy_file(&rows, DATABASES).await?;
        let list = scratch.join("list");
        write_list(&references, &list)?;
        let list = writing.copy_file(&list, LISTS).await?;
        let manifest = Manifest {
            format: FORMAT,
            hostler: program.to_owned(),
            created_at: at.to_string(),
            engine: self.engine(),
            schema: Schema::known_version(),
            database,
            list,
            files: references.len() as u64,
            file_bytes: references.iter().map(|file| file.bytes.size).sum(),
        };
        writing.finish(manifest, at).await
    }

    pub(super) fn engine(&self) -> BackupEngine {
        match self.db.is_shared() {
            true => BackupEngine::Postgresql,
            false => BackupEngine::Sqlite,
        }
    }

    /// Writes all rows to a file, and answers what bytes these rows name.
    async fn snapshot(&self, to: &FolderPath) -> Result<Vec<Reference>, BackupError> {
        if to.exists() {
            std::fs::remove_file(to)?;
        }
        match self.db.file() {
            Some(file) => Ok(file.copy(to.to_owned(), references).await?),
            None => {
                let out = BufWriter::new(File::create_new(to)?);
                Ok(self.export_and(out, references).await?.1)
            }
        }
    }
}

/// The sums of the bytes that are there, and their numbers.
async fn there(place: &Blobs) -> Result<HashMap<String, u64>, StoreError> {
    let mut there = HashMap::new();
    let mut listed = place.list(&Path::from(BLOBS));
    while let Some(found) = listed.next().await {
        let found = found?;
        if let Some(sum) = found.name.filename() {
            there.insert(sum.to_owned(), found.size);
        }
    }
    Ok(there)
}

impl Writing<'_> {
    /// Answers one whose bytes are gone.
    async fn copy_all(&mut self, references: &[Reference]) -> Result<Option<String>, BackupError> {
        self.progress = BackupProgress {
            files: references.len() as u64,
            bytes_copied: self.progress.bytes_copied,
            ..BackupProgress::default()
        };
        for reference in references {
            let is_there = self.there.get(&reference.bytes.sha256) == Some(&reference.bytes.size);
            if is_there {
                self.progress.files_reused += 1;
            } else if !self.copy(reference).await? {
                return Ok(Some(reference.name.clone()));
            }
            self.progress.files_done += 1;
            (self.tell)(self.progress);
        }
        Ok(None)
    }

    /// Whether there was something to copy.
    async fn copy(&mut self, reference: &Reference) -> Result<bool, BackupError> {
        let Bytes { size, sha256 } = &reference.bytes;
        let Some(mut chunks) = self.store.blobs.read(&reference.path()).await? else {
            return Ok(false);
        };
        let mut upload = self.place.begin(Path::from_iter([BLOBS, sha256]));
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            self.progress.bytes_copied += chunk.len() as u64;
            upload.write(&chunk).await?;
            (self.tell)(self.progress);
        }
        // Before it shows: what has a sum in its name has that sum.
        if upload.size() != *size || upload.sha256() != *sha256 {
            let name = reference.name.clone();
            return Err(BackupError::Damaged { name });
        }
        upload.finish().await?;
        self.there.insert(sha256.clone(), *size);
        Ok(true)
    }

    async fn copy_file(&self, path: &FolderPath, to: &str) -> Result<Bytes, BackupError> {
        let sha256 = sum_of_file(path)?;
        let mut upload = self.place.begin(Path::from_iter([to, &sha256]));
        let mut file = File::open(path)?;
        let mut chunk = vec![0; BACKUP_CHUNK_BYTES];
        loop {
            let length = file.read(&mut chunk)?;
            if length == 0 {
                break;
            }
            upload.write(&chunk[..length]).await?;
        }
        let size = upload.size();
        if upload.sha256() != sha256 {
            let name = path.display().to_string();
            return Err(BackupError::Damaged { name });
        }
        upload.finish().await?;
        Ok(Bytes { size, sha256 })
    }

    /// From here on the backup is there.
    async fn finish(self, manifest: Manifest, at: Timestamp) -> Result<Backup, BackupError> {
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::other)?;
        text.push(b'\n');
        let name = backup_name(at, &text);
        let mut upload = self.place.begin(Path::from_iter([BACKUPS, &name]));
        upload.write(&text).await?;
        upload.finish().await?;
        Ok(Backup { name, manifest })
    }
}

fn write_list(references: &[Reference], to: &FolderPath) -> Result<(), std::io::Error> {
    let mut out = BufWriter::new(File::create(to)?);
    for reference in references {
        serde_json::to_writer(&mut out, reference)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn sum_of_file(path: &FolderPath) -> Result<String, std::io::Error> {
    use aws_lc_rs::digest;
    let mut file = File::open(path)?;
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut chunk = vec![0; BACKUP_CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(crate::blobs::hexadecimal(sum.finish().as_ref())),
            length => sum.update(&chunk[..length]),
        }
    }
}

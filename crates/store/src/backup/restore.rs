//! Bringing a backup back, into an empty place. Nothing is used before its sum was found right, and
//! the rows come last: a restore that broke off is no data of anybody.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path as FolderPath;

use futures::StreamExt;
use object_store::path::Path;

use super::prune::is_sum;
use super::{
    BACKUPS, BLOBS, Backup, BackupEngine, BackupError, BackupPlace, BackupProgress, Bytes,
    DATABASES, FORMAT, Head, LISTS, Manifest, Reference,
};
use crate::blobs::{BlobStream, Blobs, sum_of};
use crate::limits::MANIFEST_BYTES_MAX;
use crate::{
    BucketOptions, DATABASE_FILE, PostgresOptions, Schema, Store, StoreError, StoreOptions, WakeUps,
};

/// An empty place for what a backup holds.
#[derive(Debug)]
pub struct RestorePlace<'a> {
    pub data_folder: &'a FolderPath,
    /// `None`: a file in the data folder.
    pub database: Option<PostgresOptions>,
    /// `None`: a folder in the data folder.
    pub bucket: Option<BucketOptions>,
    /// Where a folder is made with room for the rows, on the same disk as the data folder. The
    /// caller removes it when all is well.
    pub scratch: &'a FolderPath,
}

/// The backups of a place, oldest first. None is looked into; files of other names are none.
pub(super) async fn names(place: &Blobs) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    let mut listed = place.list(&Path::from(BACKUPS));
    while let Some(found) = listed.next().await {
        names.extend(found?.name.filename().map(str::to_owned));
    }
    names.retain(|name| name.rsplit_once('-').is_some_and(|(_, sum)| is_sum(sum)));
    names.sort_unstable();
    Ok(names)
}

impl BackupPlace {
    /// Brings back the backup of that name, or the newest.
    ///
    /// # Errors
    /// See [`BackupError`]. Then `to` may hold files, and holds no rows.
    pub async fn restore(
        &self,
        name: Option<&str>,
        to: RestorePlace<'_>,
        tell: &mut (dyn FnMut(BackupProgress) + Send),
    ) -> Result<Backup, BackupError> {
        let from = self.open(to.scratch)?;
        let backup = find(&from, name).await?;
        to.takes(&backup.manifest)?;
        let store = to.empty_database().await?;
        let blobs = to.empty_blobs().await?;
        // From here on the place is not what it was.
        std::fs::create_dir(to.scratch)?;
        let (rows, list) = (to.scratch.join("rows"), to.scratch.join("list"));
        fetch_file(&from, DATABASES, &backup.manifest.database, &rows).await?;
        fetch_file(&from, LISTS, &backup.manifest.list, &list).await?;
        let mut progress = BackupProgress {
            files: backup.manifest.files,
            ..BackupProgress::default()
        };
        for line in BufReader::new(File::open(&list)?).lines() {
            let reference = serde_json::from_str(&line?).map_err(std::io::Error::other)?;
            copy(&from, &blobs, &reference, &mut progress, tell).await?;
        }
        match store {
            Some(store) => {
                let rows = BufReader::new(File::open(&rows)?);
                store.import(rows).await?;
            }
            None => put_in_place(&rows, to.data_folder)?,
        }
        Ok(backup)
    }
}

pub(super) async fn find(from: &Blobs, name: Option<&str>) -> Result<Backup, BackupError> {
    let names = names(from).await?;
    let name = match name {
        None => names.last().ok_or(BackupError::NoBackup)?,
        Some(wanted) => names
            .iter()
            .find(|name| *name == wanted)
            .ok_or_else(|| BackupError::NoSuchBackup(wanted.to_owned()))?,
    };
    let file = format!("{BACKUPS}/{name}");
    let not_whole = |what| BackupError::NotWhole {
        file: file.clone(),
        what,
    };
    let stream = from.read(&Path::from(file.as_str())).await?;
    let mut stream = stream.ok_or_else(|| not_whole("is missing"))?;
    let mut text = Vec::new();
    while let Some(chunk) = stream.next().await {
        text.extend_from_slice(&chunk?);
        if text.len() > MANIFEST_BYTES_MAX {
            return Err(not_whole("is too long"));
        }
    }
    if name.rsplit('-').next() != Some(&sum_of(&text)) {
        return Err(not_whole(
            "is not as it was written: its SHA-256 is not that in its name",
        ));
    }
    let unread = |_| not_whole("can't be read");
    let head: Head = serde_json::from_slice(&text).map_err(unread)?;
    if head.format > FORMAT {
        return Err(BackupError::TooNew {
            hostler: head.hostler,
            what: "format",
            found: i64::from(head.format),
            known: i64::from(FORMAT),
        });
    }
    let manifest: Manifest = serde_json::from_slice(&text).map_err(unread)?;
    let name = name.clone();
    Ok(Backup { name, manifest })
}

/// Everything of one sum, and nothing that has another.
async fn fetch(
    from: &Blobs,
    folder: &str,
    bytes: &Bytes,
) -> Result<(BlobStream, impl Fn(&'static str) -> BackupError + use<>), BackupError> {
    let file = Path::from_iter([folder, &bytes.sha256]);
    let shown = file.to_string();
    let not_whole = move |what| BackupError::NotWhole {
        file: shown.clone(),
        what,
    };
    match from.read(&file).await? {
        Some(stream) => Ok((stream, not_whole)),
        None => Err(not_whole("is missing")),
    }
}

const CHANGED: &str = "is not as it was written: its SHA-256 is not that in its name";

pub(super) async fn fetch_file(
    from: &Blobs,
    folder: &str,
    bytes: &Bytes,
    to: &FolderPath,
) -> Result<(), BackupError> {
    use aws_lc_rs::digest;
    let (mut stream, not_whole) = fetch(from, folder, bytes).await?;
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut file = File::create_new(to)?;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        sum.update(&chunk);
        file.write_all(&chunk)?;
    }
    file.sync_all()?;
    match crate::blobs::hexadecimal(sum.finish().as_ref()) == bytes.sha256 {
        true => Ok(()),
        false => Err(not_whole(CHANGED)),
    }
}

async fn copy(
    from: &Blobs,
    to: &Blobs,
    reference: &Reference,
    progress: &mut BackupProgress,
    tell: &mut (dyn FnMut(BackupProgress) + Send),
) -> Result<(), BackupError> {
    let (mut stream, not_whole) = fetch(from, BLOBS, &reference.bytes).await?;
    let mut upload = to.begin(reference.path());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        progress.bytes_copied += chunk.len() as u64;
        upload.write(&chunk).await?;
        tell(*progress);
    }
    if upload.sha256() != reference.bytes.sha256 {
        return Err(not_whole(CHANGED));
    }
    upload.finish().await?;
    progress.files_done += 1;
    tell(*progress);
    Ok(())
}

/// The rename is what makes the folder that of a server.
fn put_in_place(rows: &FolderPath, data_folder: &FolderPath) -> Result<(), std::io::Error> {
    std::fs::rename(rows, data_folder.join(DATABASE_FILE))?;
    File::open(data_folder)?.sync_all()
}

impl RestorePlace<'_> {
    /// Whether this program, and this database, can hold it.
    fn takes(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let known = Schema::known_version();
        if manifest.schema > known {
            return Err(BackupError::TooNew {
                hostler: manifest.hostler.clone(),
                what: "schema version",
                found: manifest.schema,
                known,
            });
        }
        let here = match self.database {
            Some(_) => BackupEngine::Postgresql,
            None => BackupEngine::Sqlite,
        };
        if here != manifest.engine {
            return Err(BackupError::OtherEngine {
                backup: manifest.engine.name(),
                here: here.name(),
            });
        }
        Ok(())
    }

    /// The database for the rows; `None`: a file that does not exist yet.
    async fn empty_database(&self) -> Result<Option<Store>, BackupError> {
        let Some(database) = self.database.clone() else {
            let file = self.data_folder.join(DATABASE_FILE);
            return match file.exists() {
                true => Err(BackupError::NotEmpty(file.display().to_string())),
                false => Ok(None),
            };
        };
        let folder = self.data_folder.to_owned();
        let options = StoreOptions {
            wake_ups: WakeUps::Off,
            ..StoreOptions::default()
        };
        let connect = move || Store::connect(&folder, database, options);
        let store = tokio::task::spawn_blocking(connect).await;
        let store = store.map_err(std::io::Error::other)??;
        match store.first_table_with_rows().await? {
            Some(table) => Err(BackupError::NotEmpty(format!("the database ({table})"))),
            None => Ok(Some(store)),
        }
    }

    async fn empty_blobs(&self) -> Result<Blobs, BackupError> {
        let (blobs, shown) = match &self.bucket {
            Some(bucket) => {
                let records = self.scratch.join("uploads");
                (
                    Blobs::in_bucket(bucket, &records)?,
                    bucket.address.to_string(),
                )
            }
            None => {
                let shown = self.data_folder.join("blobs").display().to_string();
                (Blobs::in_folder(self.data_folder)?, shown)
            }
        };
        for folder in [
            crate::files::FOLDER,
            crate::checkpoints::FOLDER,
            crate::skills::FOLDER,
        ] {
            if blobs.list(&Path::from(folder)).next().await.is_some() {
                return Err(BackupError::NotEmpty(shown));
            }
        }
        Ok(blobs)
    }
}

//! Files: a row with what is known, a blob with the bytes.

use std::time::Duration;

use hostler_protocol::Timestamp;
use hostler_protocol::file::{FileMetadata, FileScope, FileType};
use hostler_protocol::id::{FileId, SessionId, WorkspaceId};
use object_store::path::Path;

use crate::blobs::{BlobStream, BlobUpload, verified};
use crate::db::Tx;
use crate::limits::{EXPIRED_FILE_DAYS, FILES_BY_ID_MAX, SWEPT_FILES_MAX};
use crate::page::PageRange;
use crate::row::Row;
use crate::session_outputs::lose_file;
use crate::session_resources::forget_copy;
use crate::{Store, StoreError};

/// What an upload says about itself.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub id: FileId,
    pub filename: String,
    pub mime_type: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// Bytes that the workspace may hold in all.
    pub quota_bytes: u64,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileCreated {
    Created(FileMetadata),
    QuotaExceeded,
}

/// What became of the wish to read a file.
pub enum FileContent {
    Content(FileMetadata, BlobStream),
    Expired,
    NoSuchFile,
}

const CREATE: &str = "\
    insert into files (id, workspace_id, filename, mime_type, size_bytes, sha256, downloadable, \
    scope_id, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, 0, null, $7, $8)";

const STORED_BYTES: &str = "select bytes from file_storage where workspace_id = $1";

const ADD_STORED_BYTES: &str = "\
    insert into file_storage (workspace_id, bytes) values ($1, $2) \
    on conflict (workspace_id) do update set bytes = file_storage.bytes + excluded.bytes";

const DELETE: &str = "\
    delete from files where workspace_id = $1 and id = $2 returning size_bytes";

const FIND: &str = "\
    select id, filename, mime_type, size_bytes, downloadable, scope_id, created_at, expires_at \
    from files where workspace_id = $1 and id = $2 and (expires_at is null or expires_at > $3)";

const LIST: &str = "\
    select id, filename, mime_type, size_bytes, downloadable, scope_id, created_at, expires_at \
    from files where workspace_id = $1 and (expires_at is null or expires_at > $2) \
    and (cast($3 as text) is null or scope_id = $3) and (created_at, id) < ($4, $5) \
    order by created_at desc, id desc limit $6";

const LIST_UP: &str = "\
    select id, filename, mime_type, size_bytes, downloadable, scope_id, created_at, expires_at \
    from files where workspace_id = $1 and (expires_at is null or expires_at > $2) \
    and (created_at, id) > ($3, $4) order by created_at, id limit $5";

const LONG_EXPIRED: &str = "\
    select workspace_id, id from files where expires_at <= $1 limit $2";

pub(crate) const EXISTS: &str = "select id from files where id = $1";

const SUM: &str = "select sha256 from files where workspace_id = $1 and id = $2";

impl Store {
    /// Starts an upload; the file doesn't exist before [`Store::create_file`].
    pub async fn begin_upload(&self, id: FileId) -> Result<BlobUpload, StoreError> {
        Ok(self.blobs.begin(blob_name(id)))
    }

    /// Completes an upload. The bytes are on disk before the row is.
    pub async fn create_file(
        &self,
        workspace: WorkspaceId,
        file: NewFile,
        upload: BlobUpload,
    ) -> Result<FileCreated, StoreError> {
        let blob = upload.finish().await?;
        let (name, size) = (blob.name, blob.size);
        let created: Result<FileCreated, StoreError> = self
            .db
            .write(move |tx| insert(tx, workspace, file, size, &blob.sha256))
            .await;
        // After an error the row may be there: then a sweep decides.
        if matches!(created, Ok(FileCreated::QuotaExceeded)) {
            self.blobs.delete(&name).await?;
        }
        created
    }

    /// A file that expired long ago is not found.
    pub async fn file(
        &self,
        workspace: WorkspaceId,
        id: FileId,
        now: Timestamp,
    ) -> Result<Option<FileMetadata>, StoreError> {
        self.db.read(move |tx| find(tx, workspace, id, now)).await
    }

    /// Newest first; those of one session where `scope` is given.
    pub async fn files(
        &self,
        workspace: WorkspaceId,
        scope: Option<SessionId>,
        now: Timestamp,
        range: PageRange,
    ) -> Result<Vec<FileMetadata>, StoreError> {
        self.db
            .read(move |tx| {
                let (below_at, below_id) = range.below();
                tx.all(
                    LIST,
                    &[
                        &workspace.to_string(),
                        &shown_from(now),
                        &scope.map(|scope| scope.to_string()),
                        &below_at,
                        &below_id,
                        &range.rows(),
                    ],
                    read_file,
                )
            })
            .await
    }

    /// Oldest first, from behind the range's key: what a list that goes down has before it.
    pub async fn files_above(
        &self,
        workspace: WorkspaceId,
        now: Timestamp,
        range: PageRange,
    ) -> Result<Vec<FileMetadata>, StoreError> {
        self.db
            .read(move |tx| {
                let (above_at, above_id) = range.above();
                tx.all(
                    LIST_UP,
                    &[
                        &workspace.to_string(),
                        &shown_from(now),
                        &above_at,
                        &above_id,
                        &range.rows(),
                    ],
                    read_file,
                )
            })
            .await
    }

    /// Those of `ids` that exist, newest first. At most `FILES_BY_ID_MAX` are looked up.
    pub async fn files_by_id(
        &self,
        workspace: WorkspaceId,
        ids: Vec<FileId>,
        now: Timestamp,
    ) -> Result<Vec<FileMetadata>, StoreError> {
        self.db
            .read(move |tx| {
                let mut files = Vec::new();
                for id in ids.into_iter().take(FILES_BY_ID_MAX) {
                    files.extend(find(tx, workspace, id, now)?);
                }
                files.sort_by_key(|file| std::cmp::Reverse((file.created_at, file.id)));
                Ok(files)
            })
            .await
    }

    /// The bytes, whether or not clients may download them: a session may read what it was given.
    /// They end with an error if they are not those that were written.
    pub async fn file_content(
        &self,
        workspace: WorkspaceId,
        id: FileId,
        now: Timestamp,
    ) -> Result<FileContent, StoreError> {
        let Some(file) = self.file(workspace, id, now).await? else {
            return Ok(FileContent::NoSuchFile);
        };
        if file.expires_at.is_some_and(|at| at <= now) {
            return Ok(FileContent::Expired);
        }
        let sum = move |tx: &Tx<'_>| {
            let key: (String, String) = (workspace.to_string(), id.to_string());
            tx.one(SUM, &[&key.0, &key.1], |row| row.text(0))
        };
        let sum: Option<String> = self.db.read(sum).await?;
        let content = self.blobs.read(&blob_name(id)).await?;
        match content.zip(sum) {
            Some((content, sum)) => Ok(FileContent::Content(file, verified(content, sum))),
            // It may have been deleted between the two look-ups.
            None if self.file(workspace, id, now).await?.is_none() => Ok(FileContent::NoSuchFile),
            None => Err(StoreError::Corrupt {
                what: format!("the bytes of {id} are missing"),
            }),
        }
    }

    /// Answers whether there was such a file.
    pub async fn delete_file(
        &self,
        workspace: WorkspaceId,
        id: FileId,
    ) -> Result<bool, StoreError> {
        let delete = move |tx: &Tx<'_>| delete_row(tx, workspace, id);
        let deleted = self.db.write_and_tell(delete, self.mounts_changed()).await;
        let deleted: bool = deleted?;
        if deleted {
            self.blobs.delete(&blob_name(id)).await?;
        }
        Ok(deleted)
    }

    /// Deletes files that expired so long ago that nobody sees them. Answers how many; call again
    /// while it is not zero.
    pub async fn delete_expired_files(&self, now: Timestamp) -> Result<usize, StoreError> {
        let expired: Result<Vec<(WorkspaceId, FileId)>, StoreError> = self
            .db
            .read(move |tx| {
                tx.all(LONG_EXPIRED, &[&shown_from(now), &SWEPT_FILES_MAX], |row| {
                    Ok((row.id(0)?, row.id(1)?))
                })
            })
            .await;
        let expired = expired?;
        for (workspace, id) in &expired {
            self.delete_file(*workspace, *id).await?;
        }
        Ok(expired.len())
    }
}

pub(crate) const FOLDER: &str = "files";

pub(crate) fn blob_name(id: FileId) -> Path {
    Path::from_iter([FOLDER, &id.to_string()])
}

/// Files that expired before this moment are not shown any more.
fn shown_from(now: Timestamp) -> i64 {
    let shown = Duration::from_secs(EXPIRED_FILE_DAYS * 24 * 60 * 60);
    let micros = i64::try_from(shown.as_micros()).unwrap_or(i64::MAX);
    now.as_micros().saturating_sub(micros)
}

fn insert(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    file: NewFile,
    size: u64,
    sha256: &str,
) -> Result<FileCreated, StoreError> {
    let stored = stored_bytes(tx, workspace)?;
    let workspace = workspace.to_string();
    if stored.saturating_add(size) > file.quota_bytes {
        return Ok(FileCreated::QuotaExceeded);
    }
    let size_column = i64::try_from(size).unwrap_or(i64::MAX);
    tx.execute(
        CREATE,
        &[
            &file.id.to_string(),
            &workspace,
            &file.filename,
            &file.mime_type,
            &size_column,
            &sha256,
            &file.created_at.as_micros(),
            &file.expires_at.map(Timestamp::as_micros),
        ],
    )?;
    tx.execute(ADD_STORED_BYTES, &[&workspace, &size_column])?;
    Ok(FileCreated::Created(FileMetadata {
        id: file.id,
        kind: FileType::File,
        filename: file.filename,
        mime_type: file.mime_type,
        size_bytes: size,
        created_at: file.created_at,
        downloadable: false,
        expires_at: file.expires_at,
        scope: None,
    }))
}

pub(crate) fn stored_bytes(tx: &Tx<'_>, workspace: WorkspaceId) -> Result<u64, StoreError> {
    let stored = tx.one(STORED_BYTES, &[&workspace.to_string()], |row| {
        row.integer(0)
    })?;
    Ok(u64::try_from(stored.unwrap_or(0)).unwrap_or(0))
}

pub(crate) fn add_stored_bytes(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    bytes: i64,
) -> Result<(), StoreError> {
    tx.execute(ADD_STORED_BYTES, &[&workspace.to_string(), &bytes])
        .map(drop)
}

/// A session's copy of a file goes with its resource: neither is ever without the other.
pub(crate) fn delete_row(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    id: FileId,
) -> Result<bool, StoreError> {
    let workspace = workspace.to_string();
    let size = tx.one(DELETE, &[&workspace, &id.to_string()], |row| row.integer(0))?;
    let Some(size) = size else {
        return Ok(false);
    };
    lose_file(tx, id)?;
    if forget_copy(tx, id)? {
        tx.execute(ADD_STORED_BYTES, &[&workspace, &-size])?;
    }
    Ok(true)
}

/// Whether the file is there and its bytes may be read.
pub(crate) fn is_live(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    id: FileId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let found = find(tx, workspace, id, now)?;
    Ok(found.is_some_and(|file| file.expires_at.is_none_or(|at| at > now)))
}

fn find(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    id: FileId,
    now: Timestamp,
) -> Result<Option<FileMetadata>, StoreError> {
    let key = [workspace.to_string(), id.to_string()];
    tx.one(FIND, &[&key[0], &key[1], &shown_from(now)], read_file)
}

fn read_file(row: &Row<'_>) -> Result<FileMetadata, StoreError> {
    let size = row.integer(3)?;
    let has_scope = row.optional_text(5)?.is_some();
    Ok(FileMetadata {
        id: row.id(0)?,
        kind: FileType::File,
        filename: row.text(1)?,
        mime_type: row.text(2)?,
        size_bytes: u64::try_from(size).map_err(|_| StoreError::Corrupt {
            what: format!("column size_bytes: {size}"),
        })?,
        downloadable: row.flag(4)?,
        scope: match has_scope {
            true => Some(FileScope::Session { id: row.id(5)? }),
            false => None,
        },
        created_at: row.timestamp(6)?,
        expires_at: row.optional_timestamp(7)?,
    })
}

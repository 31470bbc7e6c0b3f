//! Archives of sandboxes: a row for each session that has one, a blob with the bytes.

use hostler_protocol::Timestamp;
use hostler_protocol::id::{EventId, SessionId};
use object_store::path::Path;

use crate::blobs::{BlobStream, BlobUpload, verified};
use crate::limits::SWEPT_CHECKPOINTS_MAX;
use crate::row::Row;
use crate::{Store, StoreError};

/// The archive of a session's sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxCheckpoint {
    /// Names the archive; a newer one has another.
    pub id: EventId,
    pub format: i64,
    pub size: u64,
    /// In lower-case hexadecimal.
    pub sha256: String,
    /// When the sandbox was made.
    pub made_at: Timestamp,
    pub created_at: Timestamp,
}

/// What becomes the archive of a session's sandbox, if the one before is still `follows`.
#[derive(Debug, Clone, Copy)]
pub struct NewCheckpoint {
    pub session: SessionId,
    pub id: EventId,
    /// `None`: it is the first.
    pub follows: Option<EventId>,
    pub format: i64,
    /// When the sandbox was made.
    pub made_at: Timestamp,
    pub created_at: Timestamp,
}

/// What became of a new archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointCommit {
    Kept,
    /// Another one was kept since: this one, which may be older, is deleted.
    Superseded,
}

pub(crate) const FOLDER: &str = "checkpoints";

const FIND: &str = "\
    select blob_id, format, size_bytes, sha256, made_at, created_at \
    from sandbox_checkpoints where session_id = $1";

const INSERT: &str = "\
    insert into sandbox_checkpoints \
    (session_id, blob_id, format, size_bytes, sha256, made_at, created_at) \
    values ($1, $2, $3, $4, $5, $6, $7) on conflict (session_id) do nothing";

const REPLACE: &str = "\
    update sandbox_checkpoints set blob_id = $2, format = $3, size_bytes = $4, sha256 = $5, \
    made_at = $6, created_at = $7 where session_id = $1 and blob_id = $8";

const DELETE: &str = "delete from sandbox_checkpoints where session_id = $1";

const OF_NOBODY: &str = "\
    select session_id from sandbox_checkpoints \
    where session_id not in (select id from sessions) limit $1";

const MADE_UNTIL: &str = "\
    select session_id from sandbox_checkpoints \
    where made_at <= $1 and session_id > $2 order by session_id limit $3";

pub(crate) const EXISTS: &str = "select blob_id from sandbox_checkpoints where blob_id = $1";

impl Store {
    /// Starts an archive with a new id; it is nobody's before [`Store::commit_checkpoint`].
    pub async fn begin_checkpoint(&self, id: EventId) -> Result<BlobUpload, StoreError> {
        Ok(self.blobs.begin(blob_name(id)))
    }

    /// Makes it the archive of the session's sandbox. The one before is deleted after that.
    pub async fn commit_checkpoint(
        &self,
        new: NewCheckpoint,
        upload: BlobUpload,
    ) -> Result<CheckpointCommit, StoreError> {
        let blob = upload.finish().await?;
        let size = i64::try_from(blob.size).unwrap_or(i64::MAX);
        let written = self.db.write(move |tx| {
            let (session, id) = (new.session.to_string(), new.id.to_string());
            let (made_at, created_at) = (new.made_at.as_micros(), new.created_at.as_micros());
            let (format, sha256) = (new.format, &blob.sha256);
            match new.follows.map(|before| before.to_string()) {
                None => tx.execute(
                    INSERT,
                    &[&session, &id, &format, &size, sha256, &made_at, &created_at],
                ),
                Some(before) => tx.execute(
                    REPLACE,
                    &[
                        &session,
                        &id,
                        &format,
                        &size,
                        sha256,
                        &made_at,
                        &created_at,
                        &before,
                    ],
                ),
            }
        });
        if written.await? == 0 {
            self.blobs.delete(&blob_name(new.id)).await?;
            return Ok(CheckpointCommit::Superseded);
        }
        if let Some(before) = new.follows {
            self.blobs.delete(&blob_name(before)).await?;
        }
        Ok(CheckpointCommit::Kept)
    }

    pub async fn checkpoint(
        &self,
        session: SessionId,
    ) -> Result<Option<SandboxCheckpoint>, StoreError> {
        self.db
            .read(move |tx| tx.one(FIND, &[&session.to_string()], read))
            .await
    }

    /// The bytes, which end with an error if they are not those that were written. `None`: the
    /// blob is missing.
    pub async fn read_checkpoint(
        &self,
        checkpoint: &SandboxCheckpoint,
    ) -> Result<Option<BlobStream>, StoreError> {
        let blob = self.blobs.read(&blob_name(checkpoint.id)).await?;
        Ok(blob.map(|chunks| verified(chunks, checkpoint.sha256.clone())))
    }

    /// For a sandbox that is gone for good. None is fine.
    pub async fn delete_checkpoint(&self, session: SessionId) -> Result<(), StoreError> {
        let before: Option<SandboxCheckpoint> = self
            .db
            .write(move |tx| {
                let session = session.to_string();
                let before = tx.one(FIND, &[&session], read)?;
                tx.execute(DELETE, &[&session])?;
                Ok::<_, StoreError>(before)
            })
            .await?;
        match before {
            Some(before) => self.blobs.delete(&blob_name(before.id)).await,
            None => Ok(()),
        }
    }

    /// Deletes those of sessions that are gone, a bounded number at a time.
    pub async fn delete_checkpoints_of_nobody(&self) -> Result<usize, StoreError> {
        let gone: Vec<SessionId> = self
            .db
            .read(|tx| tx.all(OF_NOBODY, &[&SWEPT_CHECKPOINTS_MAX], |row| row.id(0)))
            .await?;
        for session in &gone {
            self.delete_checkpoint(*session).await?;
        }
        Ok(gone.len())
    }

    /// The sessions with archives of sandboxes that were made by then, a page at a time: each
    /// continues after the last session of the one before.
    pub async fn checkpoints_made_until(
        &self,
        at: Timestamp,
        after: Option<SessionId>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let after = after.map(|session| session.to_string()).unwrap_or_default();
        let at = at.as_micros();
        self.db
            .read(move |tx| {
                tx.all(MADE_UNTIL, &[&at, &after, &SWEPT_CHECKPOINTS_MAX], |row| {
                    row.id(0)
                })
            })
            .await
    }
}

fn blob_name(id: EventId) -> Path {
    Path::from_iter([FOLDER, &id.to_string()])
}

fn read(row: &Row<'_>) -> Result<SandboxCheckpoint, StoreError> {
    Ok(SandboxCheckpoint {
        id: row.id(0)?,
        format: row.integer(1)?,
        size: u64::try_from(row.integer(2)?).unwrap_or(0),
        sha256: row.text(3)?,
        made_at: row.timestamp(4)?,
        created_at: row.timestamp(5)?,
    })
}

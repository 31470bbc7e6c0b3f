//! What a session made: files of its own, one for each path in its sandbox's outputs.
//!
//! A file never changes. A path whose bytes have changed gets a new file, and the one before goes;
//! one that was written again with the same bytes keeps its file. **Invariant:** as everywhere, the
//! blob is there before its row and goes after it.

use hostler_protocol::id::{FileId, SessionId, WorkspaceId};

use crate::blobs::BlobUpload;
use crate::db::Tx;
use crate::files::{NewFile, add_stored_bytes, blob_name, delete_row, stored_bytes};
use crate::row::Row;
use crate::{Store, StoreError};

/// A path in the outputs, as it was when it was captured last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOutput {
    pub path: String,
    /// `None`: an earlier sandbox made it.
    pub fingerprint: Option<String>,
}

/// A path in the outputs, as it was when its bytes were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenOutput {
    pub path: String,
    pub fingerprint: String,
    pub written: OutputWritten,
}

/// Whether a path seems to have been written since it was captured last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputWritten {
    /// Or it is not known.
    Anew,
    /// It is what it was, under another fingerprint: its sandbox was restored elsewhere.
    AsBefore,
}

/// What became of the wish to keep a path's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKept {
    /// As a file with this id.
    Kept(FileId),
    /// They are those that the path's file has, or had before somebody deleted it.
    Unchanged,
    QuotaExceeded,
    NoSuchSession,
}

const WORKSPACE: &str = "select workspace_id from sessions where id = $1";

const KNOWN: &str = "\
    select path, fingerprint from session_outputs where session_id = $1 order by path";

const FILE_OF_PATH: &str = "\
    select f.id, f.size_bytes from session_outputs o join files f on f.id = o.file_id \
    where o.session_id = $1 and o.path = $2";

const DIGEST_OF_PATH: &str = "\
    select sha256, file_id from session_outputs where session_id = $1 and path = $2";

const CREATE: &str = "\
    insert into files (id, workspace_id, filename, mime_type, size_bytes, sha256, downloadable, \
    scope_id, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9)";

const SAVE: &str = "\
    insert into session_outputs (session_id, path, file_id, sha256, fingerprint) \
    values ($1, $2, $3, $4, $5) on conflict (session_id, path) do update set \
    file_id = excluded.file_id, sha256 = excluded.sha256, fingerprint = excluded.fingerprint";

const TOUCH: &str = "\
    update session_outputs set fingerprint = $3 where session_id = $1 and path = $2";

const FORGET: &str = "update session_outputs set fingerprint = null where session_id = $1";

const DELETE_PATH: &str = "delete from session_outputs where session_id = $1 and path = $2";

const DELETE_ALL: &str = "delete from session_outputs where session_id = $1";

const LOSE_FILE: &str = "update session_outputs set file_id = null where file_id = $1";

impl Store {
    /// The paths that are known. Whoever captures them bounds their number.
    pub async fn session_outputs(
        &self,
        session: SessionId,
    ) -> Result<Vec<KnownOutput>, StoreError> {
        self.db
            .read(move |tx| {
                tx.all(KNOWN, &[&session.to_string()], |row| {
                    Ok(KnownOutput {
                        path: row.text(0)?,
                        fingerprint: row.optional_text(1)?,
                    })
                })
            })
            .await
    }

    /// Keeps the bytes of a path as a file of the session.
    pub async fn keep_output(
        &self,
        session: SessionId,
        seen: SeenOutput,
        file: NewFile,
        upload: BlobUpload,
    ) -> Result<OutputKept, StoreError> {
        let new = file.id;
        let blob = upload.finish().await?;
        let output = Output { session, seen };
        let keep = move |tx: &Tx<'_>| output.keep(tx, &file, blob.size, &blob.sha256);
        let kept: Result<(OutputKept, Option<FileId>), StoreError> = self.db.write(keep).await;
        // After an error the row may be there: then a sweep decides.
        let (kept, replaced) = kept?;
        if !matches!(kept, OutputKept::Kept(_)) {
            self.blobs.delete(&blob_name(new)).await?;
        }
        self.delete_blobs(Vec::from_iter(replaced)).await?;
        Ok(kept)
    }

    /// Remembers a path that is there and isn't shown; its file, if it had one, goes.
    pub async fn hide_output(
        &self,
        session: SessionId,
        path: String,
        fingerprint: String,
    ) -> Result<(), StoreError> {
        let hide = move |tx: &Tx<'_>| {
            let Some(workspace) = workspace_of(tx, session)? else {
                return Ok(None);
            };
            let lost = take_file(tx, workspace, session, &path)?;
            let none: Option<String> = None;
            tx.execute(
                SAVE,
                &[&session.to_string(), &path, &none, &none, &fingerprint],
            )?;
            Ok::<_, StoreError>(lost)
        };
        let lost = self.db.write(hide).await?;
        self.delete_blobs(Vec::from_iter(lost)).await
    }

    /// Forgets paths that are gone, and deletes their files.
    pub async fn remove_outputs(
        &self,
        session: SessionId,
        paths: Vec<String>,
    ) -> Result<(), StoreError> {
        let remove = move |tx: &Tx<'_>| {
            let mut lost = Vec::new();
            let Some(workspace) = workspace_of(tx, session)? else {
                return Ok(lost);
            };
            for path in &paths {
                lost.extend(take_file(tx, workspace, session, path)?);
                tx.execute(DELETE_PATH, &[&session.to_string(), path])?;
            }
            Ok::<_, StoreError>(lost)
        };
        let lost = self.db.write(remove).await?;
        self.delete_blobs(lost).await
    }

    /// Whether the storage has room for a path's bytes, given what they replace: asked before they
    /// are read.
    pub async fn has_room_for_output(
        &self,
        session: SessionId,
        path: String,
        size: u64,
        quota_bytes: u64,
    ) -> Result<bool, StoreError> {
        let ask = move |tx: &Tx<'_>| match workspace_of(tx, session)? {
            Some(workspace) => has_room(tx, workspace, session, &path, size, quota_bytes),
            None => Ok(true),
        };
        self.db.read(ask).await
    }

    /// Keeps the files of a sandbox that is no more: that a later one lacks them says nothing.
    pub async fn forget_output_fingerprints(&self, session: SessionId) -> Result<(), StoreError> {
        let forget = move |tx: &Tx<'_>| tx.execute(FORGET, &[&session.to_string()]).map(drop);
        self.db.write(forget).await
    }
}

struct Output {
    session: SessionId,
    seen: SeenOutput,
}

impl Output {
    /// Answers the file that has been replaced, too.
    fn keep(
        &self,
        tx: &Tx<'_>,
        file: &NewFile,
        size: u64,
        sha256: &str,
    ) -> Result<(OutputKept, Option<FileId>), StoreError> {
        let Some(workspace) = workspace_of(tx, self.session)? else {
            return Ok((OutputKept::NoSuchSession, None));
        };
        let session = self.session.to_string();
        let SeenOutput {
            path,
            fingerprint,
            written,
        } = &self.seen;
        let before = tx.one(DIGEST_OF_PATH, &[&session, path], |row: &Row<'_>| {
            Ok((row.optional_text(0)?, row.optional_text(1)?.is_some()))
        })?;
        let is_unchanged = before.is_some_and(|(digest, is_shown)| {
            digest.as_deref() == Some(sha256) && (is_shown || *written == OutputWritten::AsBefore)
        });
        if is_unchanged {
            tx.execute(TOUCH, &[&session, path, fingerprint])?;
            return Ok((OutputKept::Unchanged, None));
        }
        if !has_room(tx, workspace, self.session, path, size, file.quota_bytes)? {
            return Ok((OutputKept::QuotaExceeded, None));
        }
        let replaced = take_file(tx, workspace, self.session, path)?;
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        tx.execute(
            CREATE,
            &[
                &file.id.to_string(),
                &workspace.to_string(),
                &file.filename,
                &file.mime_type,
                &size,
                &sha256,
                &session,
                &file.created_at.as_micros(),
                &file.expires_at.map(|at| at.as_micros()),
            ],
        )?;
        add_stored_bytes(tx, workspace, size)?;
        let id = file.id.to_string();
        tx.execute(SAVE, &[&session, path, &id, &sha256, fingerprint])?;
        Ok((OutputKept::Kept(file.id), replaced))
    }
}

fn workspace_of(tx: &Tx<'_>, session: SessionId) -> Result<Option<WorkspaceId>, StoreError> {
    tx.one(WORKSPACE, &[&session.to_string()], |row| row.id(0))
}

fn has_room(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    session: SessionId,
    path: &str,
    size: u64,
    quota_bytes: u64,
) -> Result<bool, StoreError> {
    let replaced = tx.one(FILE_OF_PATH, &[&session.to_string(), &path], |row| {
        row.integer(1)
    })?;
    let replaced = u64::try_from(replaced.unwrap_or(0)).unwrap_or(0);
    let stored = stored_bytes(tx, workspace)?.saturating_sub(replaced);
    Ok(stored.saturating_add(size) <= quota_bytes)
}

/// Deletes the row of a path's file.
fn take_file(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    session: SessionId,
    path: &str,
) -> Result<Option<FileId>, StoreError> {
    let file: Option<FileId> = tx.one(FILE_OF_PATH, &[&session.to_string(), &path], |row| {
        row.id(0)
    })?;
    if let Some(file) = file {
        delete_row(tx, workspace, file)?;
    }
    Ok(file)
}

/// A file that somebody deletes doesn't come back before its path has been written again. Its
/// digest stays, to tell that from a restore of the sandbox.
pub(crate) fn lose_file(tx: &Tx<'_>, file: FileId) -> Result<(), StoreError> {
    tx.execute(LOSE_FILE, &[&file.to_string()]).map(drop)
}

pub(crate) fn delete_outputs(tx: &Tx<'_>, session: SessionId) -> Result<(), StoreError> {
    tx.execute(DELETE_ALL, &[&session.to_string()]).map(drop)
}

//! Where the sandboxes of sessions at rest are kept: on this machine's disk, or as archives in the
//! blob store, from which any server of this database makes them again.
//!
//! **Invariant:** files are let go only when the row of their archive is committed and they were
//! not touched since. A crash at any point costs an archive that nobody knows, never a file. An
//! archive takes the place of the one that its files came after, and of no other.

use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use hostler_protocol::Timestamp;
use hostler_protocol::id::{EventId, SessionId};
use hostler_sandbox::{Checkpoint, SandboxError, SandboxName, Standing};
use hostler_store::{
    BlobStream, BlobUpload, CheckpointCommit, NewCheckpoint, SandboxCheckpoint, StoreError,
};
use tokio::sync::mpsc;

use crate::limits::{CHECKPOINT_CHUNK_BYTES, CHECKPOINT_CHUNKS_IN_FLIGHT};
use crate::options::{Checkpoints, Parts};
use crate::{outputs, repositories, session_sandbox};

/// The archives that this version writes and reads.
const FORMAT: i64 = 1;

/// Writes an archive of a sandbox that rests, unless there is one, and lets its files go if that
/// is wanted. One that was started since is left alone: it rests when its session has been idle.
pub(crate) async fn keep(parts: &Parts, session: SessionId, name: &SandboxName) -> Kept {
    let Checkpoints::Blobs { evict } = parts.options.sandbox_checkpoints else {
        return Ok(());
    };
    if parts.sandboxes.is_known_alive(name) {
        return Ok(());
    }
    let known = parts.store.checkpoint(session).await.map_err(store)?;
    let known = known.map(|checkpoint| checkpoint.id);
    let mark = match standing(parts, name, known).await? {
        Standing::Packed => known.map(|id| id.to_string()),
        Standing::Ahead => write(parts, session, name, known).await?,
        Standing::Absent => None,
        Standing::Behind => {
            tracing::info!(%session, "a sandbox went on on another server; its files here stay");
            None
        }
    };
    if let Some(mark) = mark.filter(|_| evict)
        && parts.sandboxes.evict(name, &mark).await?
    {
        tracing::info!(%session, "a resting sandbox is an archive now");
    }
    Ok(())
}

type Kept = Result<(), SandboxError>;

/// What the files here are worth. Without any archive they are all that there is.
async fn standing(
    parts: &Parts,
    name: &SandboxName,
    newest: Option<EventId>,
) -> Result<Standing, SandboxError> {
    match newest {
        Some(newest) => parts.sandboxes.standing(name, &newest.to_string()).await,
        None => Ok(Standing::Ahead),
    }
}

/// The mark of the archive; `None` if there was nothing to pack or somebody uses it.
async fn write(
    parts: &Parts,
    session: SessionId,
    name: &SandboxName,
    follows: Option<EventId>,
) -> Result<Option<String>, SandboxError> {
    let id: EventId = parts.env.id();
    let mark = id.to_string();
    let mut upload = parts.store.begin_checkpoint(id).await.map_err(store)?;
    let (sink, chunks) = sink();
    let uploading = drain(chunks, &mut upload);
    let before = follows.map(|before| before.to_string());
    let packing = parts
        .sandboxes
        .checkpoint(name, &mark, before.as_deref(), sink);
    let (done, uploaded) = tokio::join!(packing, uploading);
    uploaded.map_err(store)?;
    match done? {
        Checkpoint::Packed { created_at, .. } => {
            let new = NewCheckpoint {
                session,
                id,
                follows,
                format: FORMAT,
                made_at: timestamp(created_at),
                created_at: parts.env.now(),
            };
            let committed = parts.store.commit_checkpoint(new, upload).await;
            match committed.map_err(store)? {
                CheckpointCommit::Kept => Ok(Some(mark)),
                CheckpointCommit::Superseded => {
                    tracing::info!(%session, "another server has kept its archive of a sandbox");
                    Ok(None)
                }
            }
        }
        Checkpoint::InUse | Checkpoint::Absent => Ok(None),
    }
}

/// Makes the session's sandbox of its archive, where it has one and no files here, or but files
/// that went on elsewhere. One that was kept long enough is let go instead.
pub(crate) async fn bring_back(parts: &Parts, session: SessionId, name: &SandboxName) -> Kept {
    if parts.sandboxes.is_known_alive(name) {
        return Ok(());
    }
    let Some(found) = parts.store.checkpoint(session).await.map_err(store)? else {
        return Ok(());
    };
    match standing(parts, name, Some(found.id)).await? {
        Standing::Packed | Standing::Ahead => return Ok(()),
        Standing::Absent => {}
        Standing::Behind => {
            tracing::info!(%session, "a sandbox comes back from another server");
        }
    }
    let age = parts.env.now().since(found.made_at);
    if parts.options.sandbox_keep.is_some_and(|keep| age >= keep) {
        // That its outputs are missing from now on doesn't mean that they were deleted.
        outputs::forget(parts, session).await?;
        repositories::forget(parts, session).await?;
        // Files that are behind are no longer anybody's.
        parts.sandboxes.throw_away(name).await?;
        parts.sandboxes.begin_expired(name).await?;
        return forget(parts, session).await;
    }
    if found.format != FORMAT {
        let reason = format!("its archive has the format {}, not {FORMAT}", found.format);
        return Err(SandboxError::Unavailable { reason });
    }
    read(parts, name, &found).await
}

/// Lets go of the archives of sandboxes that have no files here and were kept long enough.
pub(crate) async fn expire_old(parts: &Parts) -> Kept {
    let Some(keep) = parts.options.sandbox_keep else {
        return Ok(());
    };
    let keep = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
    let now = parts.env.now().as_micros();
    let oldest = Timestamp::from_micros(now.saturating_sub(keep));
    let mut after = None;
    loop {
        let old = parts.store.checkpoints_made_until(oldest, after).await;
        let old = old.map_err(store)?;
        let Some(last) = old.last() else {
            return Ok(());
        };
        after = Some(*last);
        for session in old {
            let name = session_sandbox::name(session)?;
            // With files here, it goes with these.
            if !parts.sandboxes.has_files(&name).await {
                expire(parts, session, &name).await?;
            }
        }
    }
}

/// A sandbox that was kept long enough: files, archive, and what is known of its outputs. What was
/// captured of these stays. In use, it stays whole.
pub(crate) async fn expire(parts: &Parts, session: SessionId, name: &SandboxName) -> Kept {
    let forgetting = async {
        // That outputs are missing soon doesn't mean that they were deleted.
        outputs::forget(parts, session).await?;
        repositories::forget(parts, session).await?;
        // Before the files: with an archive they would come back.
        forget(parts, session).await
    };
    parts.sandboxes.expire(name, forgetting).await.map(drop)
}

async fn read(parts: &Parts, name: &SandboxName, found: &SandboxCheckpoint) -> Kept {
    let bytes = parts.store.read_checkpoint(found).await.map_err(store)?;
    let Some(bytes) = bytes else {
        let reason = "its archive is missing in the blob store".to_owned();
        return Err(SandboxError::Unavailable { reason });
    };
    let (source, feed) = source(bytes);
    let made_at =
        UNIX_EPOCH + Duration::from_micros(u64::try_from(found.made_at.as_micros()).unwrap_or(0));
    let mark = found.id.to_string();
    let restoring = parts.sandboxes.restore(name, &mark, made_at, source);
    let (restored, ()) = tokio::join!(restoring, feed);
    restored.map(drop)
}

/// The session's sandbox is gone for good.
pub(crate) async fn forget(parts: &Parts, session: SessionId) -> Kept {
    parts.store.delete_checkpoint(session).await.map_err(store)
}

fn store(error: StoreError) -> SandboxError {
    SandboxError::Io(failed(&error))
}

/// With its cause, which is what says whether the blob store fails or the archive is wrong.
fn failed(error: &StoreError) -> io::Error {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    io::Error::other(format!("{error}{}", cause.unwrap_or_default()))
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// From a thread that packs to a task that uploads; at most a few chunks are between.
struct Sink {
    chunk: Vec<u8>,
    chunks: mpsc::Sender<Vec<u8>>,
}

fn sink() -> (Sink, mpsc::Receiver<Vec<u8>>) {
    let (chunks, receiver) = mpsc::channel(CHECKPOINT_CHUNKS_IN_FLIGHT);
    let chunk = Vec::with_capacity(CHECKPOINT_CHUNK_BYTES);
    (Sink { chunk, chunks }, receiver)
}

/// Where the chunks of an archive go.
trait Chunks: Send {
    type Error;

    fn take(&mut self, chunk: Vec<u8>) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

impl Chunks for BlobUpload {
    type Error = StoreError;

    async fn take(&mut self, chunk: Vec<u8>) -> Result<(), StoreError> {
        self.write(&chunk).await
    }
}

/// Owns the chunks: a failure drops them, and whoever packs breaks off instead of waiting for ever.
async fn drain<C: Chunks>(
    mut chunks: mpsc::Receiver<Vec<u8>>,
    taker: &mut C,
) -> Result<(), C::Error> {
    while let Some(chunk) = chunks.recv().await {
        taker.take(chunk).await?;
    }
    Ok(())
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHECKPOINT_CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = std::mem::take(&mut self.chunk);
        if chunk.is_empty() {
            return Ok(());
        }
        let sent = self.chunks.blocking_send(chunk);
        sent.map_err(|_| io::Error::other("the upload of the archive was given up"))
    }
}

/// From a task that downloads to a thread that unpacks.
struct Source {
    chunk: io::Cursor<Vec<u8>>,
    chunks: mpsc::Receiver<Result<Vec<u8>, StoreError>>,
}

fn source(mut bytes: BlobStream) -> (Source, impl Future<Output = ()>) {
    let (sender, chunks) = mpsc::channel(CHECKPOINT_CHUNKS_IN_FLIGHT);
    let feed = async move {
        while let Some(chunk) = bytes.next().await {
            // Nobody reads on after an error.
            if sender
                .send(chunk.map(|chunk| chunk.to_vec()))
                .await
                .is_err()
            {
                return;
            }
        }
    };
    let chunk = io::Cursor::default();
    (Source { chunk, chunks }, feed)
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.chunk.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            match self.chunks.blocking_recv() {
                None => return Ok(0),
                Some(chunk) => self.chunk = io::Cursor::new(chunk.map_err(|error| failed(&error))?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full;

    impl Chunks for Full {
        type Error = &'static str;

        async fn take(&mut self, _chunk: Vec<u8>) -> Result<(), &'static str> {
            Err("the disk is full")
        }
    }

    #[tokio::test]
    async fn whoever_packs_breaks_off_when_the_upload_fails() {
        let (mut sink, chunks) = sink();
        // More than is ever on its way.
        let packing = tokio::task::spawn_blocking(move || {
            let chunk = vec![0; CHECKPOINT_CHUNK_BYTES];
            (0..=2 * CHECKPOINT_CHUNKS_IN_FLIGHT).try_for_each(|_| sink.write_all(&chunk))
        });
        let mut full = Full;
        let uploading = drain(chunks, &mut full);
        let (packed, uploaded) = tokio::join!(packing, uploading);
        assert_eq!(uploaded, Err("the disk is full"));
        let error = packed.unwrap().unwrap_err();
        assert!(error.to_string().contains("was given up"), "{error}");
    }
}

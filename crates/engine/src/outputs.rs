//! What a session's tools leave in `/mnt/session/outputs`: kept as files of the session before the
//! result of the call that wrote it is in the log.
//!
//! A look at an empty directory is a few system calls. Where there is something, names and
//! fingerprints are compared with those of the last look, and what differs is read. Everything in
//! there is a stranger's, and may change while it is read: what was torn is read again at the next
//! look, since its fingerprint has changed by then.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::stream::BoxStream;
use hostler_protocol::event::{Draft, Event};
use hostler_protocol::file::{made_filename, mime_type};
use hostler_protocol::id::SessionId;
use hostler_sandbox::{Fingerprint, OutputFile, OutputScan, Outputs, SandboxError};
use hostler_store::{NewFile, OutputKept, OutputWritten, SeenOutput, StoreError};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::limits::{
    CAPTURE_TIME_MAX, OUTPUT_BYTES_MAX, OUTPUT_CHUNK_BYTES, OUTPUT_FILE_BYTES_MAX,
    OUTPUTS_NAMED_MAX, STORAGE_BYTES_MAX, SYNCED_SESSIONS_MAX,
};
use crate::options::Parts;
use crate::session_sandbox;

/// What is known of the outputs of the sessions of this process.
#[derive(Default)]
pub(crate) struct Captures {
    sessions: Mutex<HashMap<SessionId, Place>>,
}

/// Held during a look: calls that end side by side look one after the other.
type Place = Arc<tokio::sync::Mutex<Option<Known>>>;

/// What the last look has found.
#[derive(Default)]
struct Known {
    /// By path, as text.
    fingerprints: BTreeMap<String, String>,
    /// Sentences that the model was told already.
    told: BTreeSet<String>,
}

#[derive(Debug, thiserror::Error)]
enum CaptureError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("while reading an output: {0}")]
    Io(#[from] std::io::Error),
}

impl Captures {
    fn place(&self, session: SessionId) -> Place {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SYNCED_SESSIONS_MAX && !sessions.contains_key(&session) {
            // Whoever is forgotten is asked of the store again, which costs a moment.
            sessions.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(sessions.entry(session).or_default())
    }
}

/// Keeps what has changed. Answers what the model should be told: what its user will not get, once
/// each. A failure is ours and not the call's, so it is logged; the next look tries again.
pub(crate) async fn capture(parts: &Parts, session: SessionId) -> Option<String> {
    match look(parts, session).await {
        Ok(sentences) if sentences.is_empty() => None,
        Ok(sentences) => Some(format!(
            "note: not everything in /mnt/session/outputs can be given to the user: {}.",
            sentences.join("; ")
        )),
        Err(error) => {
            tracing::error!(%session, %error, "outputs can't be kept");
            None
        }
    }
}

/// The facts of a model call, with a look before the last of them: what ran in the background may
/// have written since the last call.
pub(crate) fn before_the_end(
    parts: Arc<Parts>,
    session: SessionId,
    facts: BoxStream<'static, Vec<Draft>>,
) -> BoxStream<'static, Vec<Draft>> {
    let look_first = move |facts: Vec<Draft>| {
        let parts = Arc::clone(&parts);
        async move {
            let calls_tools = |fact: &Draft| matches!(fact.event, Event::AgentToolUse(_));
            if !facts.iter().any(calls_tools) {
                capture(&parts, session).await;
            }
            facts
        }
    };
    facts.then(look_first).boxed()
}

/// From here on, that a path is missing doesn't mean that its file is to go.
pub(crate) async fn forget(parts: &Parts, session: SessionId) -> Result<(), SandboxError> {
    let place = parts.captures.place(session);
    let mut known = place.lock().await;
    *known = None;
    let forgotten = parts.store.forget_output_fingerprints(session).await;
    forgotten.map_err(|error| SandboxError::Unavailable {
        reason: format!("the session's outputs can't be looked up: {error}"),
    })
}

async fn look(parts: &Parts, session: SessionId) -> Result<Vec<String>, CaptureError> {
    let name = session_sandbox::name(session)?;
    let Some(outputs) = parts.sandboxes.outputs(&name).await? else {
        return Ok(Vec::new());
    };
    let place = parts.captures.place(session);
    let mut known = place.lock().await;
    if known.is_none() {
        *known = Some(load(parts, session).await?);
    }
    let Some(known) = known.as_mut() else {
        return Ok(Vec::new());
    };
    if known.fingerprints.is_empty() && outputs.is_empty()? {
        return Ok(Vec::new());
    }
    let scan = outputs.scan().await?;
    remove_what_is_gone(parts, session, &scan, known).await?;
    let mut sentences = left_out(&scan);
    let mut look = Look {
        parts,
        session,
        outputs: &outputs,
        until: Instant::now() + CAPTURE_TIME_MAX,
        bytes: 0,
    };
    for file in scan.files {
        if let Some(sentence) = look.file(file, known).await? {
            sentences.push(sentence);
        }
    }
    sentences.retain(|sentence| {
        known.told.len() < OUTPUTS_NAMED_MAX && known.told.insert(sentence.clone())
    });
    Ok(sentences)
}

async fn load(parts: &Parts, session: SessionId) -> Result<Known, CaptureError> {
    let stored = parts.store.session_outputs(session).await?;
    let of_this_sandbox = stored
        .into_iter()
        .filter_map(|output| Some((output.path, output.fingerprint?)));
    Ok(Known {
        fingerprints: of_this_sandbox.collect(),
        told: BTreeSet::new(),
    })
}

async fn remove_what_is_gone(
    parts: &Parts,
    session: SessionId,
    scan: &OutputScan,
    known: &mut Known,
) -> Result<(), CaptureError> {
    if !scan.is_complete {
        return Ok(());
    }
    let found: BTreeSet<&str> = scan.files.iter().map(|file| file.path.as_str()).collect();
    let is_gone = |path: &&String| !found.contains(path.as_str());
    let gone: Vec<String> = known.fingerprints.keys().filter(is_gone).cloned().collect();
    if gone.is_empty() {
        return Ok(());
    }
    parts.store.remove_outputs(session, gone.clone()).await?;
    for path in gone {
        known.fingerprints.remove(&path);
    }
    Ok(())
}

fn left_out(scan: &OutputScan) -> Vec<String> {
    let mut sentences: Vec<String> = scan
        .left_out
        .iter()
        .map(|left| format!("{} ({})", left.path, left.why))
        .collect();
    if scan.left_out_count > scan.left_out.len() {
        sentences.push("and others like these".to_owned());
    }
    if !scan.is_complete {
        sentences.push("there are too many files".to_owned());
    }
    sentences
}

/// One look at what a scan has shown.
struct Look<'l> {
    parts: &'l Parts,
    session: SessionId,
    outputs: &'l Outputs,
    until: Instant,
    /// Of the files so far.
    bytes: u64,
}

impl Look<'_> {
    /// Answers why the file is not kept, if it isn't.
    async fn file(
        &mut self,
        file: OutputFile,
        known: &mut Known,
    ) -> Result<Option<String>, CaptureError> {
        self.bytes = self.bytes.saturating_add(file.fingerprint.size);
        let fingerprint = text(file.fingerprint);
        if known.fingerprints.get(&file.path) == Some(&fingerprint) {
            return Ok(None);
        }
        if Instant::now() >= self.until {
            return Ok(Some(format!("{} (it is kept later)", file.path)));
        }
        let why = if file.fingerprint.size > OUTPUT_FILE_BYTES_MAX {
            Some(too_large())
        } else if self.bytes > OUTPUT_BYTES_MAX {
            let gib = OUTPUT_BYTES_MAX >> 30;
            Some(format!("the outputs have more than {gib} GiB in all"))
        } else {
            let before = known.fingerprints.get(&file.path).map(String::as_str);
            match self.keep(&file, before).await? {
                Kept::Yes { fingerprint } => {
                    known.fingerprints.insert(file.path, fingerprint);
                    return Ok(None);
                }
                // The next look finds out what became of it.
                Kept::Gone => return Ok(None),
                Kept::No(why) => Some(why),
                // What it held before stays, and it is kept as soon as there is room.
                Kept::NoRoom => {
                    let path = file.path;
                    return Ok(Some(format!("{path} (the storage quota is used up)")));
                }
            }
        };
        let path = file.path;
        let hidden = self
            .parts
            .store
            .hide_output(self.session, path.clone(), fingerprint.clone());
        hidden.await?;
        known.fingerprints.insert(path.clone(), fingerprint);
        Ok(why.map(|why| format!("{path} ({why})")))
    }

    async fn keep(&self, seen: &OutputFile, before: Option<&str>) -> Result<Kept, CaptureError> {
        let (parts, session, path) = (self.parts, self.session, seen.path.as_str());
        let size = seen.fingerprint.size;
        let has_room =
            parts
                .store
                .has_room_for_output(session, path.to_owned(), size, STORAGE_BYTES_MAX);
        if !has_room.await? {
            return Ok(Kept::NoRoom);
        }
        let (file, fingerprint) = match self.outputs.read(path.to_owned()).await? {
            Ok(opened) => opened,
            Err(_) => return Ok(Kept::Gone),
        };
        let filename = made_filename(path);
        let new = NewFile {
            id: parts.env.id(),
            mime_type: mime_type(None, Some(&filename))
                .unwrap_or_else(|_| "application/octet-stream".to_owned()),
            filename,
            created_at: parts.env.now(),
            expires_at: None,
            quota_bytes: STORAGE_BYTES_MAX,
        };
        let mut upload = parts.store.begin_upload(new.id).await?;
        let mut file = tokio::fs::File::from_std(file);
        let mut chunk = vec![0; OUTPUT_CHUNK_BYTES];
        loop {
            let length = file.read(&mut chunk).await?;
            if length == 0 {
                break;
            }
            // It may have grown since it was looked at.
            if upload.size().saturating_add(length as u64) > OUTPUT_FILE_BYTES_MAX {
                return Ok(Kept::No(too_large()));
            }
            upload.write(&chunk[..length]).await?;
        }
        let seen = SeenOutput {
            path: path.to_owned(),
            written: written(before, fingerprint),
            fingerprint: text(fingerprint),
        };
        let fingerprint = seen.fingerprint.clone();
        let kept = parts.store.keep_output(session, seen, new, upload);
        Ok(match kept.await? {
            OutputKept::Kept(_) | OutputKept::Unchanged => Kept::Yes { fingerprint },
            OutputKept::QuotaExceeded => Kept::NoRoom,
            OutputKept::NoSuchSession => Kept::Gone,
        })
    }
}

enum Kept {
    Yes { fingerprint: String },
    No(String),
    NoRoom,
    Gone,
}

fn too_large() -> String {
    format!("it is larger than {} MB", OUTPUT_FILE_BYTES_MAX / 1_000_000)
}

fn text(fingerprint: Fingerprint) -> String {
    let Fingerprint {
        size,
        inode,
        modified_ns,
        changed_ns,
    } = fingerprint;
    format!("{size}.{inode}.{modified_ns}.{changed_ns}")
}

/// A restored sandbox has other inodes; the time of a file's last change is in its archive.
fn written(before: Option<&str>, now: Fingerprint) -> OutputWritten {
    let mut before = before.unwrap_or_default().split('.');
    let size = before.next().and_then(|size| size.parse().ok());
    let modified_ns: Option<i64> = before.nth(1).and_then(|time| time.parse().ok());
    if size == Some(now.size) && modified_ns == Some(now.modified_ns) {
        OutputWritten::AsBefore
    } else {
        OutputWritten::Anew
    }
}

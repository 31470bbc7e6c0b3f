//! The files that a session's sandbox is to show, as its mounts say: placed before a tool runs.
//!
//! The mounts of a session may change while it runs; the next tool call finds them as they are by
//! then. A call in a sandbox that is known to be up to date asks nobody: the store counts the
//! changes to all mounts, and as long as that count stands still there is nothing to do.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use hostler_protocol::id::{SessionId, WorkspaceId};
use hostler_sandbox::{InnerPath, Mode, Opened, Sandbox, SandboxError, Upload, UploadLink};
use hostler_store::{FileContent, Mount, MountsGeneration, StoreError};
use tokio::sync::Semaphore;
use tokio_util::io::StreamReader;

use crate::limits::{SKILLS_UNPACKED_AT_ONCE, SYNCED_SESSIONS_MAX, UPLOAD_LINKS_MAX};
use crate::options::Parts;
use crate::skills;

/// What is known of the sandboxes of this process.
pub(crate) struct Uploads {
    sessions: Mutex<HashMap<SessionId, Place>>,
    /// One for each skill that is unpacked: it is in memory for so long.
    pub(crate) skills: Semaphore,
}

impl Default for Uploads {
    fn default() -> Self {
        Self {
            sessions: Mutex::default(),
            skills: Semaphore::new(SKILLS_UNPACKED_AT_ONCE),
        }
    }
}

/// Held while a sandbox is brought up to date: calls that run side by side wait for the first.
type Place = Arc<tokio::sync::Mutex<Option<Placed>>>;

/// What a sandbox shows.
#[derive(Clone)]
struct Placed {
    generation: MountsGeneration,
    links: Vec<UploadLink>,
}

/// What a sandbox is to show.
pub(crate) struct Wanted {
    placed: tokio::sync::OwnedMutexGuard<Option<Placed>>,
    generation: MountsGeneration,
    pub(crate) links: Vec<UploadLink>,
}

impl Uploads {
    fn place(&self, session: SessionId) -> Place {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SYNCED_SESSIONS_MAX && !sessions.contains_key(&session) {
            // Whoever is forgotten is looked at again, which costs a moment.
            sessions.retain(|_, place| Arc::strong_count(place) > 1);
        }
        Arc::clone(sessions.entry(session).or_default())
    }
}

impl Wanted {
    /// The sandbox is about to be started.
    pub(crate) fn expect_nothing(&mut self) {
        *self.placed = None;
    }
}

/// What the session's sandbox is to show, before it is opened: some of it only its start can make.
pub(crate) async fn wanted(parts: &Parts, session: SessionId) -> Result<Wanted, SandboxError> {
    let placed = parts.uploads.place(session).lock_owned().await;
    let generation = parts.store.mounts_generation();
    let links = match &*placed {
        Some(placed) if placed.generation == generation => placed.links.clone(),
        Some(_) | None => {
            let mounts = parts.store.session_mounts(session).await;
            links(&mounts.map_err(unreadable)?)?
        }
    };
    Ok(Wanted {
        placed,
        generation,
        links,
    })
}

/// Brings an opened sandbox up to date.
pub(crate) async fn place(
    parts: &Parts,
    session: SessionId,
    opened: &Opened,
    mut wanted: Wanted,
) -> Result<(), SandboxError> {
    let placed = wanted.placed.as_ref();
    if placed.is_some_and(|placed| placed.generation == wanted.generation) {
        return Ok(());
    }
    // Unknown until it is done: what fails in the middle is looked at again.
    *wanted.placed = None;
    let mounts = parts.store.session_mounts(session).await;
    let mounts = mounts.map_err(unreadable)?;
    let skills = parts.store.session_skills(session).await;
    let skills = skills.map_err(unreadable)?;
    let mut uploads = mounts.iter().map(upload).collect::<Result<Vec<_>, _>>()?;
    for skill in &skills {
        uploads.extend(skills::uploads(skill)?);
    }
    let mut missing = opened.sandbox.keep_uploads(uploads).await?;
    for skill in &skills {
        let of_skill = |upload: &mut Upload| upload.id == skill.version_id.to_string();
        let files: Vec<Upload> = missing.extract_if(.., of_skill).collect();
        skills::place(parts, &opened.sandbox, skill, files).await?;
    }
    if !missing.is_empty() {
        let brief = parts.store.session_brief(session).await;
        let Some(brief) = brief.map_err(unreadable)? else {
            return Ok(());
        };
        for upload in missing {
            place_one(parts, brief.workspace_id, &opened.sandbox, upload, &mounts).await?;
        }
    }
    *wanted.placed = Some(Placed {
        generation: wanted.generation,
        links: wanted.links,
    });
    Ok(())
}

async fn place_one(
    parts: &Parts,
    workspace: WorkspaceId,
    sandbox: &Sandbox,
    upload: Upload,
    mounts: &[Mount],
) -> Result<(), SandboxError> {
    let of_upload = |mount: &&Mount| mount.mount_path.relative() == upload.path.as_str();
    let Some(mount) = mounts.iter().find(of_upload) else {
        return Ok(());
    };
    let content = parts
        .store
        .file_content(workspace, mount.file_id, parts.env.now());
    match content.await.map_err(unreadable)? {
        FileContent::Content(_, chunks) => {
            let chunks = chunks.map(|chunk| chunk.map_err(std::io::Error::other));
            // First: once the file is there, nothing is missing, and nobody comes back for the link.
            match parts.sandboxes.isolation().mode {
                Mode::Isolated | Mode::Container | Mode::Pod => {
                    sandbox.link_in_workspace(upload.path.clone()).await?;
                }
                Mode::UnsafeProcess => {}
            }
            let content = StreamReader::new(chunks);
            sandbox.place_upload(upload, content).await
        }
        // Taken away a moment ago: the count of changes says so, and the next call finds it gone.
        FileContent::Expired | FileContent::NoSuchFile => Ok(()),
    }
}

fn upload(mount: &Mount) -> Result<Upload, SandboxError> {
    Ok(Upload {
        path: inner_path(mount)?,
        id: mount.file_id.to_string(),
        size: mount.size_bytes,
        is_executable: false,
    })
}

fn links(mounts: &[Mount]) -> Result<Vec<UploadLink>, SandboxError> {
    let mut links = BTreeSet::new();
    for mount in mounts {
        links.extend(UploadLink::of(&inner_path(mount)?));
    }
    Ok(links.into_iter().take(UPLOAD_LINKS_MAX).collect())
}

fn inner_path(mount: &Mount) -> Result<InnerPath, SandboxError> {
    let path = mount.mount_path.relative().parse();
    path.map_err(|error| SandboxError::Unavailable {
        reason: format!("the mount path {}: {error}", mount.mount_path),
    })
}

pub(crate) fn unreadable(error: StoreError) -> SandboxError {
    SandboxError::Unavailable {
        reason: format!("the session's files can't be read: {error}"),
    }
}

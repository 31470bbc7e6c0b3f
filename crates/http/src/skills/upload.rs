//! Reads the form of a skill: one zip archive, or a part for each file, whose name is its path from
//! the skill's folder on.
//!
//! A skill is small and checked as a whole, so it is held in memory: what of it comes in is counted
//! like any body, and so few are unpacked, packed and stored at once that what they hold besides has a bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Request;
use axum::extract::multipart::Field;
use axum::http::header;
use hostler_protocol::id::{SkillId, WorkspaceId};
use hostler_protocol::limits::SKILL_VERSIONS_MAX;
use hostler_protocol::skill::display_name;
use hostler_skill::{Bundle, Refused, SKILL_FILES_MAX, ZIP_BYTES_MAX};
use hostler_store::{NewSkillVersion, SkillFileEntry};
use tokio::sync::OwnedSemaphorePermit;

use crate::api_error::Excess;
use crate::body::{in_time, refuse_encoded};
use crate::fair::Part;
use crate::form::{broken, discard, open};
use crate::limits::DISPLAY_NAME_BYTES_MAX;
use crate::{Api, ApiError};

const DISPLAY_NAME: &str = "display_name";

/// What a form held.
pub(super) struct Uploaded {
    pub(super) bundle: Bundle,
    pub(super) display_name: Option<String>,
    held: Held,
}

/// Of the bound on what skills take of memory, until one is stored.
pub(super) struct Held {
    _turn: OwnedSemaphorePermit,
    _part: Part,
}

/// # Errors
/// 400 for a form that isn't one and for files that are no skill, 413 for too many bytes.
pub(super) async fn receive(
    api: &Api,
    workspace: WorkspaceId,
    request: Request,
) -> Result<Uploaded, ApiError> {
    refuse_encoded(request.headers())?;
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let length = length.unwrap_or(ZIP_BYTES_MAX).min(ZIP_BYTES_MAX);
    let part = api.bytes.take(workspace, length);
    let part = part.ok_or_else(|| ApiError::too_much(Excess::Memory))?;
    let read = read(request);
    let (parts, display_name) = in_time(api.options.upload_read_time_max, read).await?;
    let turn = Arc::clone(&api.skill_uploads).acquire_owned().await;
    let turn = turn.map_err(|error| ApiError::internal("nobody closes it").with_source(error))?;
    let held = Held {
        _turn: turn,
        _part: part,
    };
    // It goes on when its client goes away, and so does what it holds.
    let (bundle, held) = working(move || (bundle(parts), held)).await?;
    let bundle = bundle.map_err(|refused| ApiError::invalid(format!("files: {refused}")))?;
    Ok(Uploaded {
        bundle,
        display_name,
        held,
    })
}

/// The version that a form describes; what it holds is held until that is stored.
pub(super) async fn version(
    api: &Api,
    skill: SkillId,
    uploaded: Uploaded,
) -> Result<(NewSkillVersion, Held), ApiError> {
    let Uploaded { bundle, held, .. } = uploaded;
    let files = bundle.files.iter().map(|file| SkillFileEntry {
        path: file.path.clone(),
        size: file.content.len() as u64,
        executable: file.is_executable,
    });
    let files = files.collect();
    let (name, description) = (bundle.name.clone(), bundle.description.clone());
    let (archive, held) = working(move || (bundle.to_zip(), held)).await?;
    let version = NewSkillVersion {
        id: api.env.id(),
        skill_id: skill,
        name,
        description,
        files,
        archive,
        at: api.env.now(),
        quota_bytes: api.options.storage_bytes_max,
        versions_max: SKILL_VERSIONS_MAX,
    };
    Ok((version, held))
}

/// Packing takes its time, which others need not wait for.
async fn working<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::internal("a skill could not be read").with_source(error))
}

type Parts = Vec<(String, Vec<u8>)>;

fn bundle(mut parts: Parts) -> Result<Bundle, Refused> {
    let is_archive = |(name, content): &(String, Vec<u8>)| {
        name.to_ascii_lowercase().ends_with(".zip") || content.starts_with(b"PK\x03\x04")
    };
    match parts.pop() {
        Some(only) if parts.is_empty() && is_archive(&only) => Bundle::of_zip(&only.1),
        last => {
            parts.extend(last);
            Bundle::of_parts(parts)
        }
    }
}

async fn read(request: Request) -> Result<(Parts, Option<String>), ApiError> {
    let (mut form, unread) = open(request).await?;
    let (mut parts, mut name, mut size) = (Parts::new(), None, 0);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        unread.store(0, Ordering::Relaxed);
        match field.name() {
            Some("files[]" | "files") => {
                if parts.len() == SKILL_FILES_MAX {
                    let message =
                        format!("files: List should have at most {SKILL_FILES_MAX} items");
                    return Err(ApiError::invalid(message));
                }
                let path = field.file_name().unwrap_or_default().to_owned();
                let room = ZIP_BYTES_MAX - size;
                let content = read_field(field, &unread, room).await?;
                size += content.len();
                parts.push((path, content));
            }
            Some(DISPLAY_NAME) if name.is_none() => {
                let text = read_field(field, &unread, DISPLAY_NAME_BYTES_MAX).await?;
                let text = String::from_utf8(text)
                    .map_err(|_| ApiError::invalid("display_name: Input should be UTF-8"))?;
                name = Some(display_name(text)?);
            }
            Some(DISPLAY_NAME) => {
                return Err(ApiError::invalid(
                    "display_name: Input should be given once",
                ));
            }
            other => {
                let other: String = other.unwrap_or_default().chars().take(64).collect();
                let message = format!("{other}: Extra inputs are not permitted");
                return Err(ApiError::invalid(message));
            }
        }
    }
    if parts.is_empty() {
        return Err(ApiError::invalid("files: Field required"));
    }
    Ok((parts, name))
}

async fn read_field(
    mut field: Field<'_>,
    unread: &AtomicUsize,
    bytes_max: usize,
) -> Result<Vec<u8>, ApiError> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut content = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        unread.store(0, Ordering::Relaxed);
        if content.len() + chunk.len() > bytes_max {
            discard(field, unread).await?;
            let message = format!("{name}: there is more of it than there may be of a skill");
            return Err(ApiError::too_large(message));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

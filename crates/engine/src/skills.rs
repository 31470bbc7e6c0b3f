//! The skills of a session: their files, placed in its sandbox like uploads, and what a model is told.
//!
//! Nobody inside can write them. They lie below the uploads, and a link makes them good at the
//! documented place, `/workspace/skills/<name>`.

use std::collections::HashMap;

use hostler_sandbox::{InnerPath, Mode, Sandbox, SandboxError, Upload};
use hostler_store::{RepositorySkill, SessionRepository, SessionSkill};

use crate::network::Reach;
use crate::options::Parts;
use crate::uploads::unreadable;

/// Below `/workspace`.
const FOLDER: &str = "skills";

const ABOUT: &str = "You have the skills below. A skill is a folder with instructions in a file SKILL.md and with what \
    belongs to them. When a task fits a description, read that SKILL.md before you begin, and follow it; \
    paths in it are relative to its folder.";

/// A skill, as a model is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToldSkill {
    pub(crate) name: String,
    pub(crate) description: String,
    /// Where its folder is, below `/workspace`.
    pub(crate) folder: String,
}

impl From<SessionSkill> for ToldSkill {
    fn from(skill: SessionSkill) -> Self {
        Self {
            folder: format!("{FOLDER}/{}", skill.name),
            name: skill.name,
            description: skill.description,
        }
    }
}

impl ToldSkill {
    /// Of all that were found in a repository.
    pub(crate) fn of_repository(repository: &SessionRepository) -> impl Iterator<Item = Self> {
        let place = repository.mount_path.relative();
        let told = move |skill: &RepositorySkill| Self {
            name: skill.name.clone(),
            description: skill.description.clone(),
            folder: format!("{place}/.claude/skills/{}", skill.folder),
        };
        repository.skills.iter().flatten().map(told)
    }
}

/// The files of a skill, as they are to be in the sandbox.
pub(crate) fn uploads(skill: &SessionSkill) -> Result<Vec<Upload>, SandboxError> {
    let files = skill.files.iter().map(|file| {
        Ok(Upload {
            path: inner(&format!("{}/{}", folder(skill), file.path))?,
            id: skill.version_id.to_string(),
            size: file.size,
            is_executable: file.executable,
        })
    });
    files.collect()
}

/// Places those of its files that are missing.
pub(crate) async fn place(
    parts: &Parts,
    sandbox: &Sandbox,
    skill: &SessionSkill,
    missing: Vec<Upload>,
) -> Result<(), SandboxError> {
    if missing.is_empty() {
        return Ok(());
    }
    let _turn = parts.uploads.skills.acquire().await;
    let archive = parts.store.skill_archive(skill.version_id).await;
    let Some(archive) = archive.map_err(unreadable)? else {
        // Its session is being deleted.
        return Ok(());
    };
    let unpacked = tokio::task::spawn_blocking(move || hostler_skill::unzip(&archive)).await;
    let unpacked = unpacked.map_err(|error| broken(skill, &error))?;
    let files = unpacked.map_err(|error| broken(skill, &error))?;
    let contents = files.into_iter().filter_map(|file| {
        let (_, path) = file.path.split_once('/')?;
        Some((format!("{}/{path}", folder(skill)), file.content))
    });
    let mut contents: HashMap<String, Vec<u8>> = contents.collect();
    // First: once all files are there, nothing is missing, and nobody comes back for the link.
    let link = inner(&folder(skill))?;
    match parts.sandboxes.isolation().mode {
        Mode::Isolated | Mode::Container | Mode::Pod => sandbox.link_in_workspace(link).await?,
        Mode::UnsafeProcess => sandbox.link_on_host(link).await?,
    }
    for upload in missing {
        let content = contents.remove(upload.path.as_str());
        let content = content.ok_or_else(|| broken(skill, &"it lacks a file"))?;
        sandbox.place_upload(upload, content.as_slice()).await?;
    }
    Ok(())
}

/// What a model is told. `None`: there are none.
pub(crate) fn text(skills: &[ToldSkill], reach: &Reach) -> Option<String> {
    if skills.is_empty() {
        return None;
    }
    let workspace = match reach {
        Reach::Nothing | Reach::Public | Reach::Limited(_) => "/workspace/",
        // Without isolation, relative paths begin there.
        Reach::Host => "",
    };
    let mut text = format!("{ABOUT}\n<available_skills>\n");
    for skill in skills {
        text.push_str(&format!(
            "<skill>\n<name>{}</name>\n<description>{}</description>\n\
             <location>{workspace}{}/SKILL.md</location>\n</skill>\n",
            escaped(&skill.name),
            escaped(&skill.description),
            escaped(&skill.folder),
        ));
    }
    text.push_str("</available_skills>");
    Some(text)
}

/// No text of a stranger ends the list, or begins another.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn folder(skill: &SessionSkill) -> String {
    format!("workspace/{FOLDER}/{}", skill.name)
}

fn broken(skill: &SessionSkill, error: &dyn std::fmt::Display) -> SandboxError {
    SandboxError::Unavailable {
        reason: format!("the skill {} can't be unpacked: {error}", skill.name),
    }
}

fn inner(path: &str) -> Result<InnerPath, SandboxError> {
    path.parse().map_err(|error| SandboxError::Refused {
        reason: format!("{path}: {error}"),
    })
}

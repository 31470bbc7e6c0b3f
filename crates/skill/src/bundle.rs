//! The files of one version of a skill, checked.

use std::collections::HashSet;

use crate::front_matter::{Fields, FrontMatter};
use crate::limits::{SKILL_BYTES_MAX, SKILL_FILES_MAX};
use crate::unzip::{too_large, too_many, unzip};
use crate::zip::zip;
use crate::{Refused, path};

const SKILL_MD: &str = "SKILL.md";

/// A file of a skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillFile {
    pub path: String,
    pub is_executable: bool,
    pub content: Vec<u8>,
}

/// A skill that is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    pub name: String,
    pub description: String,
    /// By path below the skill's folder.
    pub files: Vec<SkillFile>,
}

impl Bundle {
    /// What was uploaded as one archive: `SKILL.md` is at its root, or in the one folder there.
    ///
    /// # Errors
    /// For whatever is no skill, in a sentence.
    pub fn of_zip(bytes: &[u8]) -> Result<Self, Refused> {
        let files = unzip(bytes)?;
        if files.iter().any(|file| file.path == SKILL_MD) {
            return Self::new(None, files);
        }
        let (folder, files) = in_one_folder(files)?;
        Self::new(Some(&folder), files)
    }

    /// What was uploaded file by file, each under its path from the skill's folder on. A form tells
    /// nothing of who may run a file, so those are executable that begin as a script does.
    ///
    /// # Errors
    /// For whatever is no skill, in a sentence.
    pub fn of_parts(parts: Vec<(String, Vec<u8>)>) -> Result<Self, Refused> {
        if parts.len() > SKILL_FILES_MAX {
            return Err(too_many());
        }
        let mut files = Vec::with_capacity(parts.len());
        let mut size = 0;
        for (path, content) in parts {
            path::check(&path)?;
            size += content.len();
            if size > SKILL_BYTES_MAX {
                return Err(too_large());
            }
            if !path::is_of_a_mac(&path) {
                files.push(SkillFile {
                    path,
                    is_executable: content.starts_with(b"#!"),
                    content,
                });
            }
        }
        let (folder, files) = in_one_folder(files)?;
        Self::new(Some(&folder), files)
    }

    /// One archive, with the skill's name for its folder.
    pub fn to_zip(&self) -> Vec<u8> {
        zip(&self.name, &self.files)
    }

    fn new(folder: Option<&str>, mut files: Vec<SkillFile>) -> Result<Self, Refused> {
        files.sort_by(|one, other| one.path.cmp(&other.path));
        check_names(&files)?;
        let skill_md = files.iter().find(|file| file.path == SKILL_MD);
        let skill_md = skill_md.ok_or_else(no_skill_md)?;
        let text = std::str::from_utf8(&skill_md.content)
            .map_err(|_| Refused::new("SKILL.md should be UTF-8"))?;
        let (name, description) = FrontMatter::read(text, Fields::OnlyKnown)?.checked(folder)?;
        // Its own archive has the name for a folder, whatever the upload had.
        for file in &files {
            path::check(&format!("{name}/{}", file.path))?;
        }
        Ok(Self {
            name,
            description,
            files,
        })
    }
}

fn no_skill_md() -> Refused {
    Refused::new("a skill should have a SKILL.md at the root of its one folder")
}

fn in_one_folder(files: Vec<SkillFile>) -> Result<(String, Vec<SkillFile>), Refused> {
    let first = files.first().ok_or_else(no_skill_md)?;
    let folder = first.path.split('/').next().unwrap_or_default().to_owned();
    let mut inner = Vec::with_capacity(files.len());
    for file in files {
        let below = file.path.strip_prefix(folder.as_str());
        let Some(path) = below.and_then(|rest| rest.strip_prefix('/')) else {
            let message = "all files of a skill should be in the same folder";
            return Err(Refused::new(message));
        };
        inner.push(SkillFile {
            path: path.to_owned(),
            ..file
        });
    }
    Ok((folder, inner))
}

/// No name comes twice, in whatever case, and none is a file here and a directory there: nobody
/// could unpack that everywhere.
fn check_names(files: &[SkillFile]) -> Result<(), Refused> {
    let mut seen = HashSet::new();
    let mut directories = HashSet::new();
    for file in files {
        let path = file.path.to_lowercase();
        let parents = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
        directories.extend(parents);
        if !seen.insert(path) {
            let message = format!(
                "{:?} is there twice, but for the case of letters",
                file.path
            );
            return Err(Refused::new(message));
        }
    }
    match directories.iter().find(|name| seen.contains(*name)) {
        Some(name) => Err(Refused::new(format!("{name:?} is a file and a directory"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

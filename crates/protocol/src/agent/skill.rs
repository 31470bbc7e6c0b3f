//! Skills that an agent brings along: those that were uploaded, each at one version.
//!
//! A request may leave the version open; which one is the newest is decided when the agent, or the
//! session's own list, is saved.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{At, Invalid};
use crate::id::{SkillId, SkillVersionId};
use crate::limits::{AGENT_SKILLS_MAX, SKILL_ID_CHARS, SKILL_VERSION_CHARS};
use crate::skill::VersionWanted;

/// A skill at a concrete version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Skill {
    Anthropic { skill_id: String, version: String },
    Custom { skill_id: String, version: String },
}

impl Skill {
    /// Its version. `None`: no version of this server has that name.
    pub fn version_id(&self) -> Option<SkillVersionId> {
        match self {
            Self::Anthropic { .. } => None,
            Self::Custom { version, .. } => version.parse().ok(),
        }
    }
}

/// A skill to be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedSkill {
    pub skill_id: SkillId,
    pub version: VersionWanted,
}

/// What was found, each with its version.
pub type FoundSkills = [(WantedSkill, SkillVersionId)];

/// Who makes a skill that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Anthropic,
    Custom,
}

/// A skill as requested: without a version the newest is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkillParams {
    kind: Kind,
    skill_id: String,
    version: Option<String>,
    path: String,
}

impl SkillParams {
    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let kind = match fields.tag()? {
            "anthropic" => Kind::Anthropic,
            "custom" => Kind::Custom,
            other => return Err(fields.unknown_tag(other, &["anthropic", "custom"])),
        };
        let (skill_id, path) = fields.required("skill_id", |at| {
            Ok((at.text(SKILL_ID_CHARS)?, at.path.clone()))
        })?;
        let version = fields.nullable("version", |at| at.text(SKILL_VERSION_CHARS))?;
        fields.finish()?;
        Ok(Self {
            kind,
            skill_id,
            version: version.filter(|version| version != "latest"),
            path,
        })
    }

    pub(crate) fn decode_list(at: &At<'_>) -> Result<Vec<Self>, Invalid> {
        let skills = at.list(0..=AGENT_SKILLS_MAX, Self::decode)?;
        let mut seen = HashSet::new();
        for skill in &skills {
            if !seen.insert(skill.skill_id.as_str()) {
                return Err(Invalid::new(&skill.path, "skill_id is listed twice"));
            }
        }
        Ok(skills)
    }

    /// `None` for what can't be the name of a skill of this server.
    fn wanted(&self) -> Option<WantedSkill> {
        if self.kind == Kind::Anthropic {
            return None;
        }
        Some(WantedSkill {
            skill_id: self.skill_id.parse().ok()?,
            version: match &self.version {
                None => VersionWanted::Latest,
                Some(version) => VersionWanted::Exactly(version.parse().ok()?),
            },
        })
    }

    fn resolve(&self, found: &FoundSkills) -> Result<Skill, Invalid> {
        let wanted = self.wanted();
        let version = found.iter().find(|(known, _)| Some(*known) == wanted);
        match (version, self.kind) {
            (Some((wanted, version)), Kind::Custom) => Ok(Skill::Custom {
                skill_id: wanted.skill_id.to_string(),
                version: version.to_string(),
            }),
            (_, Kind::Anthropic) => {
                let message = "skill not found: this server has no skills of the type 'anthropic'; \
                    upload your own, of the type 'custom'";
                Err(Invalid::new(&self.path, message))
            }
            (None, Kind::Custom) => Err(Invalid::new(&self.path, "skill not found")),
        }
    }
}

/// The skills of a configuration that is being saved.
#[derive(Debug, Clone)]
pub(crate) enum SkillList {
    /// As they were.
    Kept(Vec<Skill>),
    Asked(Vec<SkillParams>),
}

impl SkillList {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Kept(skills) => skills.len(),
            Self::Asked(skills) => skills.len(),
        }
    }

    pub(crate) fn wanted(&self) -> Vec<WantedSkill> {
        match self {
            Self::Kept(_) => Vec::new(),
            Self::Asked(skills) => skills.iter().filter_map(SkillParams::wanted).collect(),
        }
    }

    pub(crate) fn resolve(self, found: &FoundSkills) -> Result<Vec<Skill>, Invalid> {
        match self {
            Self::Kept(skills) => Ok(skills),
            Self::Asked(skills) => skills.iter().map(|skill| skill.resolve(found)).collect(),
        }
    }
}

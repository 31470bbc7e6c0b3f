//! Skills that an agent brings along.
//!
//! This version stores no skills, so every skill that a request names is unknown. The shapes are
//! here because responses carry the list.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{At, Invalid};
use crate::limits::{AGENT_SKILLS_MAX, SKILL_ID_CHARS, SKILL_VERSION_CHARS};

/// A skill at a concrete version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Skill {
    Anthropic { skill_id: String, version: String },
    Custom { skill_id: String, version: String },
}

/// A skill as requested: without a version the newest is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkillParams {
    pub(crate) skill_id: String,
    pub(crate) version: Option<String>,
    path: String,
}

impl SkillParams {
    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        match fields.tag()? {
            "anthropic" | "custom" => {}
            other => return Err(fields.unknown_tag(other, &["anthropic", "custom"])),
        }
        let (skill_id, path) = fields.required("skill_id", |at| {
            Ok((at.text(SKILL_ID_CHARS)?, at.path.clone()))
        })?;
        let version = fields.nullable("version", |at| at.text(SKILL_VERSION_CHARS))?;
        fields.finish()?;
        Ok(Self {
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

    /// The refusal of a skill that isn't there.
    pub(crate) fn not_found(&self) -> Invalid {
        Invalid::new(&self.path, "skill not found")
    }
}

//! Skills and their versions, as clients see them. What a skill's files must be is in the crate
//! `hostler-skill`; the skills that an agent names are in `agent/skill.rs`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::decode::Invalid;
use crate::id::{SkillId, SkillVersionId};
use crate::limits::SKILL_DISPLAY_NAME_CHARS;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkillResource {
    pub id: SkillId,
    #[serde(rename = "type")]
    pub kind: SkillResourceType,
    pub display_name: String,
    pub latest_version_id: SkillVersionId,
    pub source: SkillSource,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkillResourceType {
    #[default]
    Skill,
}

/// Where a skill comes from. This server has those that were uploaded to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SkillSource {
    Custom,
}

/// One version: a snapshot of all its files, which never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkillVersion {
    pub id: SkillVersionId,
    #[serde(rename = "type")]
    pub kind: SkillVersionType,
    pub skill_id: SkillId,
    /// The same in all versions.
    pub name: String,
    pub description: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkillVersionType {
    #[default]
    SkillVersion,
}

/// What is left of a deleted skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedSkill {
    pub id: SkillId,
    #[serde(rename = "type")]
    pub kind: DeletedSkillType,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeletedSkillType {
    #[default]
    SkillDeleted,
}

/// What is left of a deleted version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedSkillVersion {
    pub id: SkillVersionId,
    #[serde(rename = "type")]
    pub kind: DeletedSkillVersionType,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeletedSkillVersionType {
    #[default]
    SkillVersionDeleted,
}

/// Which version of a skill is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionWanted {
    Latest,
    Exactly(SkillVersionId),
}

/// A skill's display name: one line.
pub fn display_name(given: String) -> Result<String, Invalid> {
    let fits = SKILL_DISPLAY_NAME_CHARS.contains(&given.chars().count());
    if !fits || given.trim().is_empty() || given.chars().any(char::is_control) {
        let message = format!(
            "Input should be one line of {} to {} characters",
            SKILL_DISPLAY_NAME_CHARS.start(),
            SKILL_DISPLAY_NAME_CHARS.end()
        );
        return Err(Invalid::new("display_name", message));
    }
    Ok(given)
}

//! `POST /v1/agents/{agent_id}`: what is left out is kept.

use super::AgentConfig;
use super::create::{description, system};
use super::draft::AgentDraft;
use super::identity::ExecutionIdentity;
use super::mcp::McpServer;
use super::model::{ModelLookup, ModelParams};
use super::multiagent_params::{MultiagentParams, agent_version, requested};
use super::roster::BlockOrigin;
use super::skill::{SkillList, SkillParams};
use super::tool_list::Tool;
use crate::decode::{At, Fields, Invalid, Patch, metadata_patch, patch_metadata};
use crate::limits::AGENT_NAME_CHARS;

#[derive(Debug, Clone)]
pub struct UpdateAgent {
    /// The version that the client has seen. If it isn't the newest, nothing is changed.
    pub version: Option<u32>,
    name: Option<String>,
    description: Patch<Option<String>>,
    system: Patch<Option<String>>,
    model: Option<ModelParams>,
    tools: Option<Vec<Tool>>,
    mcp_servers: Option<Vec<McpServer>>,
    skills: Option<Vec<SkillParams>>,
    multiagent: Patch<MultiagentParams>,
    execution_identity: Patch<ExecutionIdentity>,
    /// A string sets a key, null deletes it.
    metadata: Vec<(String, Option<String>)>,
}

impl UpdateAgent {
    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let update = Self {
            version: fields.optional("version", agent_version)?,
            name: fields.optional("name", |at| at.text(AGENT_NAME_CHARS))?,
            description: fields.patch("description", description)?,
            system: fields.patch("system", system)?,
            model: fields.optional("model", ModelParams::decode)?,
            tools: replacement(&mut fields, "tools", Tool::decode_list)?,
            mcp_servers: replacement(&mut fields, "mcp_servers", McpServer::decode_list)?,
            skills: replacement(&mut fields, "skills", SkillParams::decode_list)?,
            multiagent: fields.patch("multiagent", MultiagentParams::decode)?,
            execution_identity: fields.patch("execution_identity", ExecutionIdentity::decode)?,
            metadata: fields
                .nullable("metadata", |at| metadata_patch(&at))?
                .unwrap_or_default(),
        };
        fields.finish()?;
        Ok(update)
    }

    /// What holds after the update. The rules are those of the result, not of the request.
    pub fn draft(self, current: &AgentConfig, models: &ModelLookup) -> Result<AgentDraft, Invalid> {
        let tools = self.tools.unwrap_or_else(|| current.tools.clone());
        let skills = match self.skills {
            Some(skills) => SkillList::Asked(skills),
            None => SkillList::Kept(current.skills.clone()),
        };
        let multiagent = match self.multiagent {
            Patch::Null => None,
            Patch::Value(params) => {
                let merged = params.merge(current.multiagent.as_ref());
                Some((merged, BlockOrigin::Requested))
            }
            Patch::Absent => current
                .multiagent
                .as_ref()
                .map(|stored| (stored.map(|member| requested(*member)), BlockOrigin::Stored)),
        };
        Ok(AgentDraft {
            name: self.name.unwrap_or_else(|| current.name.clone()),
            description: self
                .description
                .apply(Some(current.description.clone()))
                .flatten(),
            system: self.system.apply(Some(current.system.clone())).flatten(),
            model: match self.model {
                Some(model) => model.resolve(Some(&current.model), models)?,
                None => current.model.clone(),
            },
            tools,
            mcp_servers: self
                .mcp_servers
                .unwrap_or_else(|| current.mcp_servers.clone()),
            skills,
            multiagent,
            execution_identity: self
                .execution_identity
                .apply(Some(current.execution_identity.clone()))
                .unwrap_or_default(),
            metadata: patch_metadata(current.metadata.clone(), self.metadata, "metadata")?,
        })
    }
}

/// A list that replaces the stored one as a whole; null clears.
pub(crate) fn replacement<'a, T>(
    fields: &mut Fields<'a>,
    key: &'static str,
    read: impl FnOnce(&At<'a>) -> Result<Vec<T>, Invalid>,
) -> Result<Option<Vec<T>>, Invalid> {
    Ok(match fields.patch(key, |at| read(&at))? {
        Patch::Absent => None,
        Patch::Null => Some(Vec::new()),
        Patch::Value(list) => Some(list),
    })
}

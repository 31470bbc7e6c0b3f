//! `POST /v1/agents`.

use super::draft::AgentDraft;
use super::identity::ExecutionIdentity;
use super::mcp::McpServer;
use super::model::{ModelLookup, ModelParams};
use super::multiagent_params::MultiagentParams;
use super::roster::BlockOrigin;
use super::skill::{SkillList, SkillParams};
use super::tool_list::Tool;
use crate::decode::{At, Invalid, Metadata, metadata};
use crate::limits::{AGENT_DESCRIPTION_CHARS_MAX, AGENT_NAME_CHARS, AGENT_SYSTEM_CHARS_MAX};

#[derive(Debug, Clone)]
pub struct CreateAgent {
    name: String,
    description: Option<String>,
    system: Option<String>,
    model: ModelParams,
    tools: Vec<Tool>,
    mcp_servers: Vec<McpServer>,
    skills: Vec<SkillParams>,
    multiagent: Option<MultiagentParams>,
    execution_identity: ExecutionIdentity,
    metadata: Metadata,
}

impl CreateAgent {
    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let create = Self {
            name: fields.required("name", |at| at.text(AGENT_NAME_CHARS))?,
            description: fields.nullable("description", description)?.flatten(),
            system: fields.nullable("system", system)?.flatten(),
            model: fields.required("model", ModelParams::decode)?,
            tools: fields
                .optional("tools", |at| Tool::decode_list(&at))?
                .unwrap_or_default(),
            mcp_servers: fields
                .optional("mcp_servers", |at| McpServer::decode_list(&at))?
                .unwrap_or_default(),
            skills: fields
                .optional("skills", |at| SkillParams::decode_list(&at))?
                .unwrap_or_default(),
            multiagent: fields.nullable("multiagent", MultiagentParams::decode)?,
            execution_identity: fields
                .nullable("execution_identity", ExecutionIdentity::decode)?
                .unwrap_or_default(),
            metadata: fields
                .optional("metadata", |at| metadata(&at))?
                .unwrap_or_default(),
        };
        fields.finish()?;
        Ok(create)
    }

    pub fn draft(self, models: &ModelLookup) -> Result<AgentDraft, Invalid> {
        Ok(AgentDraft {
            name: self.name,
            description: self.description,
            system: self.system,
            model: self.model.resolve(None, models)?,
            skills: SkillList::Asked(self.skills),
            tools: self.tools,
            mcp_servers: self.mcp_servers,
            multiagent: self
                .multiagent
                .map(|params| (params.merge(None), BlockOrigin::Requested)),
            execution_identity: self.execution_identity,
            metadata: self.metadata,
        })
    }
}

/// Empty text is the same as none.
pub(crate) fn description(at: At<'_>) -> Result<Option<String>, Invalid> {
    at.text(0..=AGENT_DESCRIPTION_CHARS_MAX).map(none_if_empty)
}

/// Empty text is the same as none.
pub(crate) fn system(at: At<'_>) -> Result<Option<String>, Invalid> {
    at.text(0..=AGENT_SYSTEM_CHARS_MAX).map(none_if_empty)
}

fn none_if_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

//! Agents: versioned configurations of a model, its instructions and its tools.
//!
//! A request is read (`create.rs`, `update.rs`), becomes an [`AgentDraft`] that names the other
//! agents it needs, and the draft becomes an [`AgentConfig`], which is what is stored for a
//! version. [`Agent`] is the response, [`SessionAgent`] the snapshot that a session keeps.

mod create;
mod custom_tool;
mod domain_list;
mod draft;
mod identity;
mod mcp;
mod model;
mod multiagent;
mod multiagent_params;
mod permission;
mod roster;
mod session_agent;
mod session_params;
mod skill;
mod stdio;
mod tool_list;
mod toolset;
mod unsupported;
mod update;
mod url_sources;
mod user_location;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::decode::Metadata;
use crate::id::AgentId;

pub use create::CreateAgent;
pub use custom_tool::CustomTool;
pub(crate) use domain_list::is_label as is_host_label;
pub use draft::AgentDraft;
pub use identity::ExecutionIdentity;
pub(crate) use mcp::server_url;
pub use mcp::{McpServer, McpToolConfig, McpToolset, canonical_url};
pub use model::{
    Effort, EffortLevel, InferenceGeo, ModelConfig, ModelFacts, ModelLookup, ModelParams, Speed,
};
pub use multiagent::{
    Advisor, AgentReference, CoordinatorEntry, Delegation, InlineAgents, Multiagent, PinnedAgent,
    PredefinedEntry, SessionMultiagent,
};
pub use permission::{PermissionPolicy, ToolSwitch};
pub use roster::{FoundAgents, Reference};
pub use session_agent::{SessionAgent, SessionThreadAgent};
pub use session_params::{AgentOverrides, SessionAgentParams, SessionAgentUpdate};
pub use skill::{FoundSkills, Skill, WantedSkill};
pub use stdio::StdioServer;
pub use tool_list::{Tool, builtin_toolset};
pub use toolset::{
    AgentToolset, BuiltinTool, BuiltinToolConfig, PlainToolConfig, WebFetchConfig, WebSearchConfig,
};
pub use update::UpdateAgent;
pub use url_sources::{ToolReference, UrlSource, UrlSources};
pub use user_location::UserLocation;

/// The `type` of an agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentType {
    #[default]
    Agent,
}

/// What a version of an agent says. Stored as JSON; two equal configurations are one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentConfig {
    pub name: String,
    pub description: Option<String>,
    pub system: Option<String>,
    pub model: ModelConfig,
    pub tools: Vec<Tool>,
    pub mcp_servers: Vec<McpServer>,
    pub skills: Vec<Skill>,
    pub multiagent: Option<Multiagent<PinnedAgent>>,
    pub execution_identity: ExecutionIdentity,
    pub metadata: Metadata,
}

/// One version of an agent, as responses show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    pub id: AgentId,
    #[serde(rename = "type")]
    pub kind: AgentType,
    pub version: u32,
    pub name: String,
    pub description: Option<String>,
    pub system: Option<String>,
    pub model: ModelConfig,
    pub tools: Vec<Tool>,
    pub mcp_servers: Vec<McpServer>,
    pub skills: Vec<Skill>,
    pub multiagent: Option<Multiagent<AgentReference>>,
    pub execution_identity: ExecutionIdentity,
    #[schema(value_type = Object)]
    pub metadata: Metadata,
    /// Of the agent, not of the version.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub archived_at: Option<Timestamp>,
}

impl Agent {
    pub fn new(
        id: AgentId,
        version: u32,
        config: AgentConfig,
        created_at: Timestamp,
        updated_at: Timestamp,
    ) -> Self {
        Self {
            id,
            kind: AgentType::Agent,
            version,
            name: config.name,
            description: config.description,
            system: config.system,
            model: config.model,
            tools: config.tools,
            mcp_servers: config.mcp_servers,
            skills: config.skills,
            multiagent: config
                .multiagent
                .map(|stored| stored.at_owner_version(version)),
            execution_identity: config.execution_identity,
            metadata: config.metadata,
            created_at,
            updated_at,
            archived_at: None,
        }
    }
}

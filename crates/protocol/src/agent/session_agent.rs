//! The agent as a session keeps it: a snapshot of one version, with the session's overrides.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::identity::ExecutionIdentity;
use super::mcp::McpServer;
use super::model::ModelConfig;
use super::multiagent::{AgentReference, SessionMultiagent};
use super::roster::{FoundAgents, Reference};
use super::skill::Skill;
use super::tool_list::{Tool, builtin_toolset};
use super::toolset::BuiltinTool;
use super::{Agent, AgentType};
use crate::decode::Invalid;
use crate::id::AgentId;

/// The effective configuration, under the base agent's id and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionAgent {
    #[serde(rename = "type")]
    pub kind: AgentType,
    pub id: AgentId,
    pub version: u32,
    pub name: String,
    pub description: Option<String>,
    pub system: Option<String>,
    pub model: ModelConfig,
    pub tools: Vec<Tool>,
    pub mcp_servers: Vec<McpServer>,
    pub skills: Vec<Skill>,
    pub execution_identity: ExecutionIdentity,
    #[schema(no_recursion)]
    pub multiagent: Option<SessionMultiagent>,
}

/// A member of a session's roster. Its `type` is written by the entry that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionThreadAgent {
    pub id: AgentId,
    pub version: u32,
    pub name: String,
    pub description: Option<String>,
    pub system: Option<String>,
    pub model: ModelConfig,
    pub tools: Vec<Tool>,
    pub mcp_servers: Vec<McpServer>,
    pub skills: Vec<Skill>,
    pub execution_identity: ExecutionIdentity,
}

impl Agent {
    /// The members that a session of this agent must look up, each at its pinned version.
    pub fn roster(&self) -> Vec<Reference> {
        let mut roster: Vec<Reference> = Vec::new();
        let members = self.multiagent.as_ref().map(|block| block.members());
        for (_, member) in members.unwrap_or_default() {
            let reference = pinned(member);
            if member.id != self.id && !roster.contains(&reference) {
                roster.push(reference);
            }
        }
        roster
    }
}

fn pinned(member: &AgentReference) -> Reference {
    Reference {
        id: member.id,
        version: Some(member.version),
    }
}

impl SessionAgent {
    /// The snapshot of an agent as it stands. `roster` is what was found for [`Agent::roster`].
    pub fn snapshot(agent: &Agent, roster: &FoundAgents) -> Result<Self, Invalid> {
        Self::with_roster(Self::alone(agent), agent, roster)
    }

    /// Everything but the roster.
    pub(crate) fn alone(agent: &Agent) -> Self {
        Self {
            kind: AgentType::Agent,
            id: agent.id,
            version: agent.version,
            name: agent.name.clone(),
            description: agent.description.clone(),
            system: agent.system.clone(),
            model: agent.model.clone(),
            tools: agent.tools.clone(),
            mcp_servers: agent.mcp_servers.clone(),
            skills: agent.skills.clone(),
            execution_identity: agent.execution_identity.clone(),
            multiagent: None,
        }
    }

    /// Puts full definitions into the roster. A copy of the agent itself is a copy of what holds
    /// in the session, overrides included.
    pub(crate) fn with_roster(
        mut self,
        agent: &Agent,
        roster: &FoundAgents,
    ) -> Result<Self, Invalid> {
        let Some(block) = &agent.multiagent else {
            return Ok(self);
        };
        let expanded = block.try_map(|member| {
            if member.id == self.id {
                return Ok(self.as_member());
            }
            roster
                .iter()
                .find(|(reference, _)| *reference == pinned(member))
                .map(|(_, agent)| Self::alone(agent).as_member())
                .ok_or_else(|| Invalid::new("agent", format!("agent {} not found", member.id)))
        })?;
        self.multiagent = Some(expanded);
        Ok(self)
    }

    fn as_member(&self) -> SessionThreadAgent {
        SessionThreadAgent {
            id: self.id,
            version: self.version,
            name: self.name.clone(),
            description: self.description.clone(),
            system: self.system.clone(),
            model: self.model.clone(),
            tools: self.tools.clone(),
            mcp_servers: self.mcp_servers.clone(),
            skills: self.skills.clone(),
            execution_identity: self.execution_identity.clone(),
        }
    }

    /// The built-in tools that the model is offered, in their fixed order.
    pub fn enabled_builtin_tools(&self) -> Vec<BuiltinTool> {
        let Some(toolset) = builtin_toolset(&self.tools) else {
            return Vec::new();
        };
        BuiltinTool::ALL
            .into_iter()
            .filter(|tool| toolset.switch(*tool).enabled)
            .collect()
    }
}

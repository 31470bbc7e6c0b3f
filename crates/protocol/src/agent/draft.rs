//! A configuration that is complete but for the other agents on its roster.

use super::AgentConfig;
use super::identity::ExecutionIdentity;
use super::mcp::McpServer;
use super::model::{ModelConfig, ModelLookup};
use super::multiagent::Multiagent;
use super::multiagent_params::{MemberParams, check_block};
use super::roster::{self, BlockOrigin, FoundAgents, Owner, Reference};
use super::skill::{FoundSkills, SkillList, WantedSkill};
use super::tool_list::{Tool, builtin_toolset, check_servers};
use super::toolset::BuiltinTool;
use crate::decode::{Invalid, Metadata};
use crate::id::AgentId;

/// Made by `CreateAgent::draft` and `UpdateAgent::draft`: look up [`AgentDraft::references`] and
/// [`AgentDraft::wanted_skills`], then [`AgentDraft::resolve`].
#[derive(Debug)]
pub struct AgentDraft {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) system: Option<String>,
    pub(crate) model: ModelConfig,
    pub(crate) tools: Vec<Tool>,
    pub(crate) mcp_servers: Vec<McpServer>,
    pub(crate) skills: SkillList,
    pub(crate) multiagent: Option<(Multiagent<MemberParams>, BlockOrigin)>,
    pub(crate) execution_identity: ExecutionIdentity,
    pub(crate) metadata: Metadata,
}

impl AgentDraft {
    /// The other agents whose newest or named version the configuration depends on.
    pub fn references(&self) -> Vec<Reference> {
        self.multiagent
            .as_ref()
            .map(|(block, _)| roster::references(block))
            .unwrap_or_default()
    }

    /// The skills whose newest or named version it depends on.
    pub fn wanted_skills(&self) -> Vec<WantedSkill> {
        self.skills.wanted()
    }

    /// The configuration to store for `owner`.
    pub fn resolve(
        self,
        owner: AgentId,
        found: &FoundAgents,
        skills: &FoundSkills,
        models: &ModelLookup,
    ) -> Result<AgentConfig, Invalid> {
        check_servers(&self.tools, &self.mcp_servers, ("tools", "mcp_servers"))?;
        check_skills_readable(self.skills.len(), &self.tools, "tools")?;
        let multiagent = match &self.multiagent {
            None => None,
            Some((block, origin)) => {
                if *origin == BlockOrigin::Requested {
                    check_block(block, "multiagent", models)?;
                }
                let owner = Owner {
                    id: owner,
                    name: &self.name,
                    inference_geo: self.model.inference_geo,
                };
                Some(roster::pin(block, "multiagent", owner, *origin, found)?)
            }
        };
        Ok(AgentConfig {
            name: self.name,
            description: self.description,
            system: self.system,
            model: self.model,
            tools: self.tools,
            mcp_servers: self.mcp_servers,
            skills: self.skills.resolve(skills)?,
            multiagent,
            execution_identity: self.execution_identity,
            metadata: self.metadata,
        })
    }
}

/// Skills are files that the agent reads.
pub(crate) fn check_skills_readable(
    skills: usize,
    tools: &[Tool],
    path: &str,
) -> Result<(), Invalid> {
    let can_read =
        builtin_toolset(tools).is_some_and(|toolset| toolset.switch(BuiltinTool::Read).enabled);
    if skills > 0 && !can_read {
        let message = "skills need the 'read' tool of agent_toolset_20260401 to be enabled";
        return Err(Invalid::new(path, message));
    }
    Ok(())
}

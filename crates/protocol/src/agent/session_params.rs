//! The `agent` of a session's create and update requests.

use super::draft::check_skills_readable;
use super::mcp::McpServer;
use super::model::{ModelLookup, ModelParams};
use super::multiagent_params::agent_version;
use super::roster::{FoundAgents, Reference};
use super::session_agent::SessionAgent;
use super::skill::{FoundSkills, SkillList, SkillParams, WantedSkill};
use super::tool_list::{Tool, check_servers};
use super::update::replacement;
use super::{Agent, create};
use crate::decode::{At, Fields, Invalid, Patch};
use crate::id::AgentId;

/// Which agent a session runs: an id, a reference, or a reference with overrides.
#[derive(Debug, Clone)]
pub struct SessionAgentParams {
    pub reference: Reference,
    pub overrides: AgentOverrides,
    path: String,
}

/// What a session changes about its agent. What is left out is inherited; a value replaces the
/// agent's in full.
#[derive(Debug, Clone)]
pub struct AgentOverrides {
    model: Option<ModelParams>,
    system: Patch<Option<String>>,
    tools: Option<Vec<Tool>>,
    mcp_servers: Option<Vec<McpServer>>,
    skills: Option<SkillList>,
}

impl AgentOverrides {
    fn none() -> Self {
        Self {
            model: None,
            system: Patch::Absent,
            tools: None,
            mcp_servers: None,
            skills: None,
        }
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            model: fields.optional("model", |at| {
                if at.value.is_null() {
                    let refusal = at.invalid("a session's agent needs a model");
                    return Err(refusal.with_code("agent_model_required"));
                }
                ModelParams::decode(at)
            })?,
            system: fields.patch("system", create::system)?,
            tools: replacement(fields, "tools", Tool::decode_list)?,
            mcp_servers: replacement(fields, "mcp_servers", McpServer::decode_list)?,
            skills: replacement(fields, "skills", SkillParams::decode_list)?.map(SkillList::Asked),
        })
    }
}

impl SessionAgentParams {
    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let path = at.path.clone();
        if at.value.is_string() {
            let reference = Reference {
                id: at.id()?,
                version: None,
            };
            return Ok(Self {
                reference,
                overrides: AgentOverrides::none(),
                path,
            });
        }
        if !at.value.is_object() {
            return Err(at.invalid("Input should be an agent id or an object"));
        }
        let mut fields = at.fields()?;
        let kind = fields.tag()?;
        let id: AgentId = fields.required("id", |at| at.id())?;
        let version = fields.nullable("version", agent_version)?;
        let overrides = match kind {
            "agent" => AgentOverrides::none(),
            "agent_with_overrides" => AgentOverrides::take(&mut fields)?,
            other => {
                let expected = ["agent", "agent_with_overrides"];
                return Err(fields.unknown_tag(other, &expected));
            }
        };
        fields.finish()?;
        Ok(Self {
            reference: Reference { id, version },
            overrides,
            path,
        })
    }

    /// The skills whose newest or named version its own list depends on.
    pub fn wanted_skills(&self) -> Vec<WantedSkill> {
        let skills = self.overrides.skills.as_ref();
        skills.map(SkillList::wanted).unwrap_or_default()
    }

    /// The effective agent of the session. `agent` is what was found for `reference`, `roster`
    /// for [`Agent::roster`], `skills` for [`SessionAgentParams::wanted_skills`].
    pub fn effective(
        self,
        agent: &Agent,
        roster: &FoundAgents,
        skills: &FoundSkills,
        models: &ModelLookup,
    ) -> Result<SessionAgent, Invalid> {
        let overrides = self.overrides;
        let path = |key: &str| format!("{}.{key}", self.path);
        let mut effective = SessionAgent::alone(agent);
        if let Some(model) = overrides.model {
            // Nothing of the agent's model survives, its effort neither.
            effective.model = model.resolve(None, models)?;
        }
        effective.system = overrides.system.apply(Some(effective.system)).flatten();
        if let Some(tools) = overrides.tools {
            effective.tools = tools;
        }
        if let Some(servers) = overrides.mcp_servers {
            effective.mcp_servers = servers;
        }
        if let Some(list) = overrides.skills {
            check_skills_readable(list.len(), &effective.tools, &path("tools"))?;
            effective.skills = list.resolve(skills)?;
        }
        check_skills_readable(effective.skills.len(), &effective.tools, &path("tools"))?;
        check_servers(
            &effective.tools,
            &effective.mcp_servers,
            (&path("tools"), &path("mcp_servers")),
        )?;
        check_geo(&effective, roster, &path("model"))?;
        effective.with_roster(agent, roster)
    }
}

/// All agents of a session run in one place, or don't care.
fn check_geo(agent: &SessionAgent, roster: &FoundAgents, path: &str) -> Result<(), Invalid> {
    let mut geos = roster
        .iter()
        .filter_map(|(_, member)| member.model.inference_geo)
        .chain(agent.model.inference_geo);
    let first = geos.next();
    if geos.all(|geo| Some(geo) == first) {
        return Ok(());
    }
    let message = "inference_geo should be the same in all agents of the session";
    Err(Invalid::new(path, message))
}

/// The `agent` of a session's update: each list replaces the session's.
#[derive(Debug, Clone)]
pub struct SessionAgentUpdate {
    tools: Option<Vec<Tool>>,
    mcp_servers: Option<Vec<McpServer>>,
    path: String,
}

impl SessionAgentUpdate {
    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let path = at.path.clone();
        let mut fields = at.fields()?;
        let update = Self {
            tools: replacement(&mut fields, "tools", Tool::decode_list)?,
            mcp_servers: replacement(&mut fields, "mcp_servers", McpServer::decode_list)?,
            path,
        };
        fields.finish()?;
        Ok(update)
    }

    /// What holds in the session after the update.
    pub fn apply(self, current: &SessionAgent) -> Result<SessionAgent, Invalid> {
        let path = |key: &str| format!("{}.{key}", self.path);
        let mut next = current.clone();
        if let Some(tools) = self.tools {
            next.tools = tools;
        }
        if let Some(servers) = self.mcp_servers {
            next.mcp_servers = servers;
        }
        check_skills_readable(next.skills.len(), &next.tools, &path("tools"))?;
        check_servers(
            &next.tools,
            &next.mcp_servers,
            (&path("tools"), &path("mcp_servers")),
        )?;
        Ok(next)
    }
}

//! Which other agents an agent may call on: the stored and the sent forms.
//!
//! One shape in three states, by what stands for a member: [`PinnedAgent`] as stored,
//! [`AgentReference`] in an agent's response, [`SessionThreadAgent`] in a session's. How requests
//! become the first is in `multiagent_params.rs`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::session_agent::SessionThreadAgent;
use crate::id::AgentId;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum Multiagent<Member> {
    #[serde(rename = "coordinator")]
    Coordinator {
        agents: Vec<CoordinatorEntry<Member>>,
    },
    #[serde(rename = "multiagent_20261001")]
    Multiagent20261001 {
        advisor: Advisor,
        subagents: Delegation<Member>,
        workflows: Delegation<Member>,
    },
}

/// **Invariant:** an advisor is the last entry of its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CoordinatorEntry<Member> {
    Agent(Member),
    Advisor { model: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Advisor {
    Enabled { model: String },
    Disabled,
}

/// The shape of `subagents` and of `workflows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Delegation<Member> {
    Enabled {
        inline_agents: InlineAgents,
        predefined_agents: Vec<PredefinedEntry<Member>>,
    },
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InlineAgents {
    Enabled,
    Disabled,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PredefinedEntry<Member> {
    Agent(Member),
}

/// A member as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedAgent {
    pub id: AgentId,
    /// Null for the owner itself (`self`), whose version moves with each update.
    pub version: Option<u32>,
}

/// A member in an agent's response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct AgentReference {
    pub id: AgentId,
    pub version: u32,
}

impl<Member> Multiagent<Member> {
    /// Every member with its path below the field.
    pub fn members(&self) -> Vec<(String, &Member)> {
        match self {
            Self::Coordinator { agents } => agents
                .iter()
                .enumerate()
                .filter_map(|(position, entry)| match entry {
                    CoordinatorEntry::Agent(member) => Some((format!("agents.{position}"), member)),
                    CoordinatorEntry::Advisor { .. } => None,
                })
                .collect(),
            Self::Multiagent20261001 {
                subagents,
                workflows,
                ..
            } => {
                let mut members = subagents.members("subagents");
                members.extend(workflows.members("workflows"));
                members
            }
        }
    }

    /// The same with another form of member.
    pub fn try_map<Other, Error>(
        &self,
        mut map: impl FnMut(&Member) -> Result<Other, Error>,
    ) -> Result<Multiagent<Other>, Error> {
        Ok(match self {
            Self::Coordinator { agents } => Multiagent::Coordinator {
                agents: agents
                    .iter()
                    .map(|entry| {
                        Ok(match entry {
                            CoordinatorEntry::Agent(member) => {
                                CoordinatorEntry::Agent(map(member)?)
                            }
                            CoordinatorEntry::Advisor { model } => CoordinatorEntry::Advisor {
                                model: model.clone(),
                            },
                        })
                    })
                    .collect::<Result<_, Error>>()?,
            },
            Self::Multiagent20261001 {
                advisor,
                subagents,
                workflows,
            } => Multiagent::Multiagent20261001 {
                advisor: advisor.clone(),
                subagents: subagents.try_map(&mut map)?,
                workflows: workflows.try_map(&mut map)?,
            },
        })
    }

    /// The same with another form of member, where that can't fail.
    pub fn map<Other>(&self, mut map: impl FnMut(&Member) -> Other) -> Multiagent<Other> {
        let mapped: Result<_, std::convert::Infallible> = self.try_map(|member| Ok(map(member)));
        match mapped {
            Ok(mapped) => mapped,
        }
    }
}

impl<Member> Delegation<Member> {
    fn members(&self, name: &str) -> Vec<(String, &Member)> {
        let Self::Enabled {
            predefined_agents, ..
        } = self
        else {
            return Vec::new();
        };
        predefined_agents
            .iter()
            .enumerate()
            .map(|(position, PredefinedEntry::Agent(member))| {
                (format!("{name}.predefined_agents.{position}"), member)
            })
            .collect()
    }

    fn try_map<Other, Error>(
        &self,
        map: &mut impl FnMut(&Member) -> Result<Other, Error>,
    ) -> Result<Delegation<Other>, Error> {
        Ok(match self {
            Self::Disabled => Delegation::Disabled,
            Self::Enabled {
                inline_agents,
                predefined_agents,
            } => Delegation::Enabled {
                inline_agents: *inline_agents,
                predefined_agents: predefined_agents
                    .iter()
                    .map(|PredefinedEntry::Agent(member)| Ok(PredefinedEntry::Agent(map(member)?)))
                    .collect::<Result<_, Error>>()?,
            },
        })
    }
}

impl Multiagent<PinnedAgent> {
    /// The form of an agent's response: the owner's own entries at the owner's version.
    pub fn at_owner_version(&self, owner_version: u32) -> Multiagent<AgentReference> {
        self.map(|member| AgentReference {
            id: member.id,
            version: member.version.unwrap_or(owner_version),
        })
    }
}

/// As a session shows it: each member is a full definition.
pub type SessionMultiagent = Multiagent<SessionThreadAgent>;

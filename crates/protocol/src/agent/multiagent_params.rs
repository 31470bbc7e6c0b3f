//! `multiagent` in requests: reading it, merging an update into what is stored, and the rules
//! that need no other agent. `roster.rs` has those that do.

use super::model::{ModelLookup, model_facts};
use super::multiagent::{
    Advisor, CoordinatorEntry, Delegation, InlineAgents, Multiagent, PinnedAgent, PredefinedEntry,
};
use crate::decode::{At, Fields, Invalid, Patch};
use crate::id::AgentId;
use crate::limits::{AGENT_ROSTER_MAX, MODEL_ID_CHARS};

/// A member as requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberParams {
    Owner,
    /// Without a version the newest is meant.
    Other {
        id: AgentId,
        version: Option<u32>,
    },
}

/// A `multiagent` as requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MultiagentParams {
    Coordinator(Vec<CoordinatorEntry<MemberParams>>),
    Multiagent20261001 {
        advisor: Patch<Advisor>,
        subagents: Patch<DelegationParams>,
        workflows: Patch<DelegationParams>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DelegationParams {
    Enabled {
        inline_agents: Patch<InlineAgents>,
        predefined_agents: Patch<Vec<PredefinedEntry<MemberParams>>>,
    },
    Disabled,
}

impl MemberParams {
    fn decode(at: &At<'_>) -> Result<Self, Invalid> {
        if at.value.is_string() {
            let id = at.id()?;
            return Ok(Self::Other { id, version: None });
        }
        let mut fields = at.clone().fields()?;
        let member = match fields.tag()? {
            "agent" => Self::decode_agent(&mut fields)?,
            "self" => Self::Owner,
            other => return Err(fields.unknown_tag(other, &["agent", "self"])),
        };
        fields.finish()?;
        Ok(member)
    }

    fn decode_agent(fields: &mut Fields<'_>) -> Result<Self, Invalid> {
        Ok(Self::Other {
            id: fields.required("id", |at| at.id())?,
            version: fields.nullable("version", agent_version)?,
        })
    }
}

/// A version of an agent: 1 or above.
pub(crate) fn agent_version(at: At<'_>) -> Result<u32, Invalid> {
    let version = at.integer(1..=i64::from(u32::MAX))?;
    u32::try_from(version).map_err(|_| at.invalid("Input should be a valid integer"))
}

impl MultiagentParams {
    pub(crate) fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let params = match fields.tag()? {
            "coordinator" => Self::Coordinator(fields.required("agents", coordinator_entries)?),
            "multiagent_20261001" => Self::Multiagent20261001 {
                advisor: fields.patch("advisor", decode_advisor)?,
                subagents: fields.patch("subagents", DelegationParams::decode)?,
                workflows: fields.patch("workflows", DelegationParams::decode)?,
            },
            other => {
                return Err(fields.unknown_tag(other, &["coordinator", "multiagent_20261001"]));
            }
        };
        fields.finish()?;
        Ok(params)
    }

    /// What holds after an update of `stored`. Two blocks of 2026-10-01 merge level by level,
    /// every other combination replaces.
    pub(crate) fn merge(
        self,
        stored: Option<&Multiagent<PinnedAgent>>,
    ) -> Multiagent<MemberParams> {
        let (advisor, subagents, workflows) = match self {
            Self::Coordinator(agents) => return Multiagent::Coordinator { agents },
            Self::Multiagent20261001 {
                advisor,
                subagents,
                workflows,
            } => (advisor, subagents, workflows),
        };
        let stored = stored.map(|stored| stored.map(|member| requested(*member)));
        let (stored_advisor, stored_subagents, stored_workflows) = match stored {
            Some(Multiagent::Multiagent20261001 {
                advisor,
                subagents,
                workflows,
            }) => (Some(advisor), Some(subagents), Some(workflows)),
            Some(Multiagent::Coordinator { .. }) | None => (None, None, None),
        };
        Multiagent::Multiagent20261001 {
            advisor: advisor.apply(stored_advisor).unwrap_or(Advisor::Disabled),
            subagents: merge_delegation(subagents, stored_subagents),
            workflows: merge_delegation(workflows, stored_workflows),
        }
    }
}

/// A stored member as if it had been requested with its pinned version.
pub(crate) fn requested(member: PinnedAgent) -> MemberParams {
    match member.version {
        None => MemberParams::Owner,
        version => MemberParams::Other {
            id: member.id,
            version,
        },
    }
}

fn merge_delegation(
    patch: Patch<DelegationParams>,
    stored: Option<Delegation<MemberParams>>,
) -> Delegation<MemberParams> {
    let default = Delegation::Enabled {
        inline_agents: InlineAgents::Enabled,
        predefined_agents: Vec::new(),
    };
    match (patch, stored) {
        (Patch::Absent, stored) => stored.unwrap_or(default),
        (Patch::Null, _) => default,
        (Patch::Value(DelegationParams::Disabled), _) => Delegation::Disabled,
        (
            Patch::Value(DelegationParams::Enabled {
                inline_agents,
                predefined_agents,
            }),
            stored,
        ) => {
            let (stored_inline, stored_predefined) = match stored {
                Some(Delegation::Enabled {
                    inline_agents,
                    predefined_agents,
                }) => (Some(inline_agents), Some(predefined_agents)),
                Some(Delegation::Disabled) | None => (None, None),
            };
            Delegation::Enabled {
                inline_agents: inline_agents
                    .apply(stored_inline)
                    .unwrap_or(InlineAgents::Enabled),
                predefined_agents: predefined_agents
                    .apply(stored_predefined)
                    .unwrap_or_default(),
            }
        }
    }
}

fn coordinator_entries(at: At<'_>) -> Result<Vec<CoordinatorEntry<MemberParams>>, Invalid> {
    let entries = at.list(1..=AGENT_ROSTER_MAX, |at| {
        let tag = at.value.get("type").and_then(serde_json::Value::as_str);
        match tag {
            Some("advisor") => {
                let mut fields = at.fields()?;
                fields.tag()?;
                let model = fields.required("model", |at| at.text(MODEL_ID_CHARS))?;
                fields.finish()?;
                Ok(CoordinatorEntry::Advisor { model })
            }
            Some("agent" | "self") => MemberParams::decode(&at).map(CoordinatorEntry::Agent),
            Some(other) => {
                let fields = at.clone().fields()?;
                Err(fields.unknown_tag(other, &["agent", "self", "advisor"]))
            }
            None => MemberParams::decode(&at).map(CoordinatorEntry::Agent),
        }
    })?;
    let is_advisor =
        |entry: &CoordinatorEntry<MemberParams>| matches!(entry, CoordinatorEntry::Advisor { .. });
    if let Some((position, _)) = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| is_advisor(entry))
        .nth(1)
    {
        let path = format!("{}.{position}", at.path);
        return Err(Invalid::new(path, "there should be at most one advisor"));
    }
    Ok(entries)
}

fn decode_advisor(at: At<'_>) -> Result<Advisor, Invalid> {
    let mut fields = at.fields()?;
    let advisor = match fields.tag()? {
        "enabled" => Advisor::Enabled {
            model: fields.required("model", |at| at.text(MODEL_ID_CHARS))?,
        },
        "disabled" => Advisor::Disabled,
        other => return Err(fields.unknown_tag(other, &["enabled", "disabled"])),
    };
    fields.finish()?;
    Ok(advisor)
}

fn decode_inline_agents(at: At<'_>) -> Result<InlineAgents, Invalid> {
    let mut fields = at.fields()?;
    let inline_agents = match fields.tag()? {
        "enabled" => InlineAgents::Enabled,
        "disabled" => InlineAgents::Disabled,
        other => return Err(fields.unknown_tag(other, &["enabled", "disabled"])),
    };
    fields.finish()?;
    Ok(inline_agents)
}

impl DelegationParams {
    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let params = match fields.tag()? {
            "enabled" => Self::Enabled {
                inline_agents: fields.patch("inline_agents", decode_inline_agents)?,
                predefined_agents: fields.patch("predefined_agents", |at| {
                    at.list(0..=AGENT_ROSTER_MAX, |at| {
                        MemberParams::decode(&at).map(PredefinedEntry::Agent)
                    })
                })?,
            },
            "disabled" => Self::Disabled,
            other => return Err(fields.unknown_tag(other, &["enabled", "disabled"])),
        };
        fields.finish()?;
        Ok(params)
    }
}

/// The rules of a whole block that need no other agent. `path` is that of the field.
pub(crate) fn check_block(
    block: &Multiagent<MemberParams>,
    path: &str,
    models: &ModelLookup,
) -> Result<(), Invalid> {
    match block {
        Multiagent::Coordinator { agents } => {
            agents
                .iter()
                .enumerate()
                .try_for_each(|(position, entry)| match entry {
                    CoordinatorEntry::Advisor { model } => {
                        let path = format!("{path}.agents.{position}.model");
                        model_facts(model, &path, models).map(|_| ())
                    }
                    CoordinatorEntry::Agent(_) => Ok(()),
                })
        }
        Multiagent::Multiagent20261001 {
            advisor,
            subagents,
            workflows,
        } => {
            if let Advisor::Enabled { model } = advisor {
                model_facts(model, &format!("{path}.advisor.model"), models)?;
            }
            check_delegation(subagents, &format!("{path}.subagents"))?;
            check_delegation(workflows, &format!("{path}.workflows"))
        }
    }
}

fn check_delegation(delegation: &Delegation<MemberParams>, path: &str) -> Result<(), Invalid> {
    match delegation {
        Delegation::Enabled {
            inline_agents: InlineAgents::Disabled,
            predefined_agents,
        } if predefined_agents.is_empty() => Err(Invalid::new(
            format!("{path}.predefined_agents"),
            "List should have at least 1 item where inline_agents is disabled",
        )),
        Delegation::Enabled { .. } | Delegation::Disabled => Ok(()),
    }
}

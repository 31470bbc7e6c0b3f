//! The rules between an agent and the agents on its roster.
//!
//! The caller looks the others up between [`references`] and [`pin`]; nothing here reads a store.

use std::collections::HashSet;

use super::Agent;
use super::model::InferenceGeo;
use super::multiagent::{Advisor, CoordinatorEntry, Multiagent, PinnedAgent};
use super::multiagent_params::MemberParams;
use crate::decode::Invalid;
use crate::id::AgentId;

/// No member of a roster with an advisor may bear the name by which the advisor is called.
const ADVISOR_NAME: &str = "anthropic.advisor";

/// An agent that has to be looked up; without a version the newest is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference {
    pub id: AgentId,
    pub version: Option<u32>,
}

/// What was found for each reference. A reference without an entry was not found.
pub type FoundAgents = [(Reference, Agent)];

pub(crate) fn references(block: &Multiagent<MemberParams>) -> Vec<Reference> {
    let mut references: Vec<Reference> = Vec::new();
    for (_, member) in block.members() {
        if let MemberParams::Other { id, version } = *member {
            let reference = Reference { id, version };
            if !references.contains(&reference) {
                references.push(reference);
            }
        }
    }
    references
}

/// The agent that owns a roster, as far as the rules need it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) id: AgentId,
    pub(crate) name: &'a str,
    pub(crate) inference_geo: Option<InferenceGeo>,
}

/// Whether the block came with this request: only then must its members be usable today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockOrigin {
    Requested,
    Stored,
}

/// Checks every member and pins the versions.
pub(crate) fn pin(
    block: &Multiagent<MemberParams>,
    path: &str,
    owner: Owner<'_>,
    origin: BlockOrigin,
    found: &FoundAgents,
) -> Result<Multiagent<PinnedAgent>, Invalid> {
    check_distinct(block, path, owner.id)?;
    let has_advisor = has_advisor(block);
    let mut geo = owner.inference_geo;
    for (below, member) in block.members() {
        let refuse = |message: &str| Err(Invalid::new(format!("{path}.{below}"), message));
        let name = match *member {
            MemberParams::Owner => owner.name,
            MemberParams::Other { id, version } => {
                let Some(agent) = find(found, id, version) else {
                    return refuse("agent not found");
                };
                if origin == BlockOrigin::Requested && agent.archived_at.is_some() {
                    return refuse("agent is archived");
                }
                if agent.multiagent.is_some() {
                    return refuse("an agent with a multiagent of its own can't be a member");
                }
                match (geo, agent.model.inference_geo) {
                    (Some(expected), Some(given)) if expected != given => {
                        return refuse("inference_geo should be the same in all agents");
                    }
                    (known, given) => geo = known.or(given),
                }
                &agent.name
            }
        };
        if has_advisor && name == ADVISOR_NAME {
            return refuse("an agent beside an advisor should not be named 'anthropic.advisor'");
        }
    }
    let mut pinned = block.map(|member| match *member {
        MemberParams::Owner => PinnedAgent {
            id: owner.id,
            version: None,
        },
        MemberParams::Other { id, version } => PinnedAgent {
            id,
            version: find(found, id, version).map(|agent| agent.version),
        },
    });
    if let Multiagent::Coordinator { agents } = &mut pinned {
        agents.sort_by_key(|entry| matches!(entry, CoordinatorEntry::Advisor { .. }));
    }
    Ok(pinned)
}

fn find(found: &FoundAgents, id: AgentId, version: Option<u32>) -> Option<&Agent> {
    found
        .iter()
        .find(|(reference, _)| *reference == Reference { id, version })
        .map(|(_, agent)| agent)
}

fn has_advisor(block: &Multiagent<MemberParams>) -> bool {
    match block {
        Multiagent::Coordinator { agents } => agents
            .iter()
            .any(|entry| matches!(entry, CoordinatorEntry::Advisor { .. })),
        Multiagent::Multiagent20261001 { advisor, .. } => *advisor != Advisor::Disabled,
    }
}

/// No agent twice in one list. The two lists of a 2026-10-01 block are independent.
fn check_distinct(
    block: &Multiagent<MemberParams>,
    path: &str,
    owner: AgentId,
) -> Result<(), Invalid> {
    let mut seen = HashSet::new();
    for (below, member) in block.members() {
        let list = below.split('.').next().map(str::to_owned);
        let id = match *member {
            MemberParams::Owner => owner,
            MemberParams::Other { id, .. } => id,
        };
        if !seen.insert((list, id)) {
            let path = format!("{path}.{below}");
            return Err(Invalid::new(path, "agent is listed twice"));
        }
    }
    Ok(())
}

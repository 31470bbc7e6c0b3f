//! What an agent may call, and what becomes of a call that it may not.

use hostler_protocol::agent::{BuiltinTool, PermissionPolicy, SessionAgent, Tool};
use hostler_protocol::event::{EvaluatedPermission, Evaluation};

/// The built-in tools that a model is offered, always in the same order: the list is part of the
/// prefix that a provider caches. Web tools are not among them yet.
pub fn offered(agent: &SessionAgent) -> Vec<BuiltinTool> {
    BuiltinTool::ALL
        .into_iter()
        .filter(|tool| {
            !tool.is_web() && policy(agent, *tool) == Some(PermissionPolicy::AlwaysAllow)
        })
        .collect()
}

/// Whether a call of `name` is carried out. A tool that is unknown or switched off is denied
/// before any policy applies.
pub fn evaluate(agent: &SessionAgent, name: &str) -> (EvaluatedPermission, Option<Evaluation>) {
    let offered = BuiltinTool::from_name(name).is_some_and(|tool| offered(agent).contains(&tool));
    if offered {
        (EvaluatedPermission::Allow, Some(Evaluation::AlwaysAllow))
    } else {
        (EvaluatedPermission::Deny, None)
    }
}

fn policy(agent: &SessionAgent, tool: BuiltinTool) -> Option<PermissionPolicy> {
    agent.tools.iter().find_map(|entry| match entry {
        Tool::AgentToolset(toolset) => {
            let switch = toolset.switch(tool);
            switch.enabled.then_some(switch.permission_policy)
        }
        Tool::McpToolset(_) | Tool::Custom(_) => None,
    })
}

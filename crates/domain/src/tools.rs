//! What an agent may call, and what becomes of a call before anybody carries it out.

use hostler_protocol::agent::{BuiltinTool, CustomTool, PermissionPolicy, SessionAgent, Tool};
use hostler_protocol::event::{Evaluation, Judgement};

/// The built-in tools that a model is offered, always in the same order: the list is part of the
/// prefix that a provider caches.
pub fn offered(agent: &SessionAgent) -> Vec<BuiltinTool> {
    BuiltinTool::ALL
        .into_iter()
        .filter(|tool| policy(agent, *tool).is_some())
        .collect()
}

/// Whether any of its tools runs in a sandbox.
pub fn needs_sandbox(agent: &SessionAgent) -> bool {
    offered(agent).iter().any(|tool| !tool.is_web())
}

/// The tools that the client runs, in the order of the agent's list.
pub fn custom(agent: &SessionAgent) -> impl Iterator<Item = &CustomTool> {
    agent.tools.iter().filter_map(|tool| match tool {
        Tool::Custom(custom) => Some(custom),
        Tool::AgentToolset(_) | Tool::McpToolset(_) => None,
    })
}

/// What is to be made of a call.
#[derive(Debug, Clone, Copy)]
pub enum Verdict<'a> {
    /// The client runs it, and nobody is asked.
    Custom(&'a CustomTool),
    Evaluated(Evaluation),
    /// A judge is to be asked.
    Judge,
    /// Unknown or switched off: denied before any policy applies.
    NoSuchTool,
}

/// Which policy holds for a call of `name`.
pub fn evaluate<'a>(agent: &'a SessionAgent, name: &str) -> Verdict<'a> {
    if let Some(tool) = custom(agent).find(|tool| tool.name == name) {
        return Verdict::Custom(tool);
    }
    let tool = BuiltinTool::from_name(name);
    match tool.and_then(|tool| policy(agent, tool)) {
        Some(PermissionPolicy::AlwaysAllow) => Verdict::Evaluated(Evaluation::AlwaysAllow),
        Some(PermissionPolicy::AlwaysAsk) => Verdict::Evaluated(Evaluation::AlwaysAsk),
        Some(PermissionPolicy::Auto) => Verdict::Judge,
        None => Verdict::NoSuchTool,
    }
}

/// Which policy holds for a call of a server's tool.
pub fn evaluate_mcp(agent: &SessionAgent, server: &str, tool: &str) -> Verdict<'static> {
    match mcp_policy(agent, server, tool) {
        Some(PermissionPolicy::AlwaysAllow) => Verdict::Evaluated(Evaluation::AlwaysAllow),
        Some(PermissionPolicy::AlwaysAsk) => Verdict::Evaluated(Evaluation::AlwaysAsk),
        Some(PermissionPolicy::Auto) => Verdict::Judge,
        None => Verdict::NoSuchTool,
    }
}

/// The policy for a server's tool; `None` if it is switched off, or no toolset offers the server.
pub fn mcp_policy(agent: &SessionAgent, server: &str, tool: &str) -> Option<PermissionPolicy> {
    agent.tools.iter().find_map(|entry| match entry {
        Tool::McpToolset(toolset) if toolset.mcp_server_name == server => {
            let own = toolset.configs.iter().find(|config| config.name == tool);
            let (enabled, policy) = match own {
                Some(config) => (config.enabled, config.permission_policy),
                None => {
                    let default = toolset.default_config;
                    (default.enabled, default.permission_policy)
                }
            };
            enabled.then_some(policy)
        }
        Tool::AgentToolset(_) | Tool::McpToolset(_) | Tool::Custom(_) => None,
    })
}

/// A call under the policy `auto`, once it is judged.
pub fn judged(judgement: Judgement) -> Evaluation {
    Evaluation::Auto {
        evaluated_permission: judgement,
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

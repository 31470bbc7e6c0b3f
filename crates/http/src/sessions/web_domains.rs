//! `allowed_domains` of an agent against the environment that its session runs in.

use hostler_domain::web::is_within;
use hostler_protocol::agent::{BuiltinToolConfig, SessionAgent, Tool};
use hostler_protocol::environment::{EnvironmentConfig, Networking};

use crate::ApiError;

/// A domain that the environment never lets a web tool reach is refused where it is listed.
pub(super) fn check_web_domains(
    agent: &SessionAgent,
    environment: &EnvironmentConfig,
) -> Result<(), ApiError> {
    let EnvironmentConfig::Cloud {
        networking: Networking::Limited { allowed_hosts, .. },
        ..
    } = environment
    else {
        return Ok(());
    };
    match outside(agent, allowed_hosts) {
        None => Ok(()),
        Some((path, domain)) => Err(ApiError::invalid(format!(
            "{path}: the environment does not allow the domain {domain}; add it to allowed_hosts"
        ))),
    }
}

/// The first such domain, with its place.
fn outside<'a>(agent: &'a SessionAgent, hosts: &[String]) -> Option<(String, &'a str)> {
    let toolsets = agent.tools.iter().enumerate();
    let toolsets = toolsets.filter_map(|(position, tool)| match tool {
        Tool::AgentToolset(toolset) => Some((position, toolset)),
        Tool::McpToolset(_) | Tool::Custom(_) => None,
    });
    for (tool, toolset) in toolsets {
        for (entry, config) in toolset.configs.iter().enumerate() {
            let mut domains = allowed(config).iter().enumerate();
            if let Some((at, domain)) = domains.find(|(_, domain)| !is_within(domain, hosts)) {
                let path = format!("agent.tools.{tool}.configs.{entry}.allowed_domains.{at}");
                return Some((path, domain));
            }
        }
    }
    None
}

fn allowed(config: &BuiltinToolConfig) -> &[String] {
    let allowed = match config {
        BuiltinToolConfig::WebFetch(config) => config.allowed_domains.as_deref(),
        BuiltinToolConfig::WebSearch(config) => config.allowed_domains.as_deref(),
        BuiltinToolConfig::Bash(_)
        | BuiltinToolConfig::Read(_)
        | BuiltinToolConfig::Write(_)
        | BuiltinToolConfig::Edit(_)
        | BuiltinToolConfig::Glob(_)
        | BuiltinToolConfig::Grep(_) => None,
    };
    allowed.unwrap_or_default()
}

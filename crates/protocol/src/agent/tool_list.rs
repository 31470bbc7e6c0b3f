//! The `tools` of an agent: reading the list and the rules between its entries.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::custom_tool::CustomTool;
use super::mcp::{McpServer, McpToolset};
use super::toolset::{AgentToolset, BuiltinTool, BuiltinToolConfig};
use crate::decode::{At, Invalid};
use crate::limits::AGENT_TOOLS_MAX;

/// An entry of `tools`, with every default resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type")]
pub enum Tool {
    #[serde(rename = "agent_toolset_20260401")]
    AgentToolset(AgentToolset),
    #[serde(rename = "mcp_toolset")]
    McpToolset(McpToolset),
    #[serde(rename = "custom")]
    Custom(CustomTool),
}

impl Tool {
    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let tool = match fields.tag()? {
            "agent_toolset_20260401" => Self::AgentToolset(AgentToolset::decode(&mut fields)?),
            "mcp_toolset" => Self::McpToolset(McpToolset::decode(&mut fields)?),
            "custom" => Self::Custom(CustomTool::decode(&mut fields)?),
            other => {
                let expected = ["agent_toolset_20260401", "mcp_toolset", "custom"];
                return Err(fields.unknown_tag(other, &expected));
            }
        };
        fields.finish()?;
        Ok(tool)
    }

    /// How many tools the entry stands for, as far as that is known before a session.
    fn count(&self) -> usize {
        match self {
            Self::AgentToolset(_) => BuiltinTool::ALL.len(),
            Self::McpToolset(toolset) => toolset.configs.len().max(1),
            Self::Custom(_) => 1,
        }
    }

    pub(crate) fn decode_list(at: &At<'_>) -> Result<Vec<Self>, Invalid> {
        let tools = at.list(0..=AGENT_TOOLS_MAX, Self::decode)?;
        if tools.iter().map(Self::count).sum::<usize>() > AGENT_TOOLS_MAX {
            let message = format!("an agent should have at most {AGENT_TOOLS_MAX} tools in total");
            return Err(at.invalid(message));
        }
        check_distinct(&tools, &at.path)?;
        check_url_sources(&tools, &at.path)?;
        Ok(tools)
    }
}

/// One built-in toolset, one toolset for each server, one custom tool of each name.
fn check_distinct(tools: &[Tool], path: &str) -> Result<(), Invalid> {
    let mut has_builtins = false;
    let mut servers = HashSet::new();
    let mut names = HashSet::new();
    for (position, tool) in tools.iter().enumerate() {
        let at = |key: &str| format!("{path}.{position}.{key}");
        match tool {
            Tool::AgentToolset(_) if has_builtins => {
                return Err(Invalid::new(at("type"), "the toolset is listed twice"));
            }
            Tool::AgentToolset(_) => has_builtins = true,
            Tool::McpToolset(toolset) if !servers.insert(&toolset.mcp_server_name) => {
                let message = "there is already a toolset for this server";
                return Err(Invalid::new(at("mcp_server_name"), message));
            }
            Tool::Custom(tool) if !names.insert(&tool.name) => {
                return Err(Invalid::new(at("name"), "tool names should be distinct"));
            }
            Tool::McpToolset(_) | Tool::Custom(_) => {}
        }
    }
    Ok(())
}

fn check_url_sources(tools: &[Tool], path: &str) -> Result<(), Invalid> {
    let is_custom_tool = |name: &str| {
        tools
            .iter()
            .any(|tool| matches!(tool, Tool::Custom(custom) if custom.name == name))
    };
    for (position, tool) in tools.iter().enumerate() {
        let Tool::AgentToolset(toolset) = tool else {
            continue;
        };
        for (entry, config) in toolset.configs.iter().enumerate() {
            if let BuiltinToolConfig::WebFetch(config) = config
                && let Some(sources) = &config.url_sources
            {
                let path = format!("{path}.{position}.configs.{entry}.url_sources");
                sources.check_custom_tools(&path, is_custom_tool)?;
            }
        }
    }
    Ok(())
}

/// Each declared server has a toolset and each toolset a declared server. `paths` are those of
/// the two lists.
pub(crate) fn check_servers(
    tools: &[Tool],
    servers: &[McpServer],
    (tools_path, servers_path): (&str, &str),
) -> Result<(), Invalid> {
    let mut used = HashSet::new();
    for (position, tool) in tools.iter().enumerate() {
        let Tool::McpToolset(toolset) = tool else {
            continue;
        };
        let name = toolset.mcp_server_name.as_str();
        if !servers.iter().any(|server| server.name() == name) {
            let path = format!("{tools_path}.{position}.mcp_server_name");
            return Err(Invalid::new(
                path,
                "no server of this name is in mcp_servers",
            ));
        }
        used.insert(name);
    }
    match servers
        .iter()
        .position(|server| !used.contains(server.name()))
    {
        None => Ok(()),
        Some(position) => Err(Invalid::new(
            format!("{servers_path}.{position}.name"),
            "no mcp_toolset in tools names this server",
        )),
    }
}

/// The built-in toolset of a list, if it has one.
pub fn builtin_toolset(tools: &[Tool]) -> Option<&AgentToolset> {
    tools.iter().find_map(|tool| match tool {
        Tool::AgentToolset(toolset) => Some(toolset),
        Tool::McpToolset(_) | Tool::Custom(_) => None,
    })
}

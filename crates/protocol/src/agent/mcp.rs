//! MCP servers of an agent and the toolsets that offer their tools.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::permission::{PermissionPolicy, SwitchParams, ToolSwitch};
use super::stdio::{self, StdioServer};
use crate::decode::{At, Fields, Invalid};
use crate::limits::{
    AGENT_MCP_SERVERS_MAX, AGENT_TOOLS_MAX, MCP_SERVER_NAME_CHARS, MCP_SERVER_URL_CHARS,
    MCP_TOOL_NAME_CHARS,
};

/// A server by its address, or by what starts it in the sandbox: `stdio:program?arg=…&env=NAME%3Dvalue`. Credentials
/// are never here: they come from a session's vaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum McpServer {
    Url { name: String, url: String },
}

/// The tools of one declared server, which asks before each call unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct McpToolset {
    pub mcp_server_name: String,
    pub default_config: ToolSwitch,
    /// Only the entries that the client gave, resolved against `default_config`.
    pub configs: Vec<McpToolConfig>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct McpToolConfig {
    /// The server's own name of the tool.
    pub name: String,
    pub enabled: bool,
    pub permission_policy: PermissionPolicy,
}

impl McpServer {
    pub fn name(&self) -> &str {
        let Self::Url { name, .. } = self;
        name
    }

    /// What starts it, if it runs in the session's sandbox. An error is possible only for one that was stored by
    /// another version.
    pub fn stdio(&self) -> Option<Result<StdioServer, String>> {
        let Self::Url { url, .. } = self;
        StdioServer::of_url(url)
    }

    /// The host of its address, without a port. `None` for one that has no address.
    pub fn host(&self) -> Option<&str> {
        let Self::Url { url, .. } = self;
        if stdio::rest(url).is_some() {
            return None;
        }
        let (_, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        if authority.starts_with('[') {
            return authority.split_inclusive(']').next();
        }
        authority.split(':').next()
    }

    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        match fields.tag()? {
            "url" => {}
            other => return Err(fields.unknown_tag(other, &["url"])),
        }
        let name = fields.required("name", |at| at.text(MCP_SERVER_NAME_CHARS))?;
        let url = fields.required("url", server_url_or_command)?;
        fields.finish()?;
        Ok(Self::Url { name, url })
    }

    pub(crate) fn decode_list(at: &At<'_>) -> Result<Vec<Self>, Invalid> {
        let servers = at.list(0..=AGENT_MCP_SERVERS_MAX, Self::decode)?;
        let mut seen = HashSet::new();
        for (position, server) in servers.iter().enumerate() {
            if !seen.insert(server.name()) {
                let path = format!("{}.{position}.name", at.path);
                return Err(Invalid::new(path, "server names should be distinct"));
            }
        }
        Ok(servers)
    }
}

fn server_url_or_command(at: At<'_>) -> Result<String, Invalid> {
    let url = at.text(MCP_SERVER_URL_CHARS)?;
    match StdioServer::of_url(&url) {
        Some(Ok(_)) => Ok(url),
        Some(Err(message)) => Err(at.invalid(message)),
        None => server_url(at),
    }
}

pub(crate) fn server_url(at: At<'_>) -> Result<String, Invalid> {
    let url = at.text(MCP_SERVER_URL_CHARS)?;
    let lower = url.to_ascii_lowercase();
    let rest = lower
        .strip_prefix("https://")
        .or_else(|| lower.strip_prefix("http://"));
    let authority = rest
        .and_then(|rest| rest.split(['/', '?', '#']).next())
        .unwrap_or_default();
    let has_blank = |character: char| character.is_whitespace() || character.is_control();
    if authority.is_empty() || authority.starts_with(':') || url.contains(has_blank) {
        return Err(at.invalid("Input should be a valid http or https URL"));
    }
    if authority.contains('@') {
        return Err(at.invalid("URL should not contain credentials"));
    }
    Ok(url)
}

/// One text for all spellings of an address: scheme and host in lower case, no default port, no slash at the end.
pub fn canonical_url(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (scheme, default_port) = match scheme.to_ascii_lowercase() {
        https if https == "https" => (https, ":443"),
        other => (other, ":80"),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.to_ascii_lowercase();
    let host = authority.strip_suffix(default_port).unwrap_or(&authority);
    let path = path.strip_suffix('/').unwrap_or(path);
    format!("{scheme}://{host}{path}")
}

impl McpToolset {
    /// The rest of an object whose `type` has been read.
    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Self, Invalid> {
        let mcp_server_name =
            fields.required("mcp_server_name", |at| at.text(MCP_SERVER_NAME_CHARS))?;
        let default_config = fields
            .nullable("default_config", SwitchParams::decode_default)?
            .unwrap_or_default()
            .resolve(ToolSwitch::MCP_TOOLSET);
        let configs = fields.nullable("configs", |at| {
            let entry = |at: At<'_>| McpToolConfig::decode(at, default_config);
            let configs = at.list(0..=AGENT_TOOLS_MAX, entry)?;
            let mut seen = HashSet::new();
            for (position, config) in configs.iter().enumerate() {
                if !seen.insert(config.name.as_str()) {
                    let path = format!("{}.{position}.name", at.path);
                    return Err(Invalid::new(path, "tool is configured twice"));
                }
            }
            Ok(configs)
        })?;
        Ok(Self {
            mcp_server_name,
            default_config,
            configs: configs.unwrap_or_default(),
        })
    }
}

impl McpToolConfig {
    fn decode(at: At<'_>, default: ToolSwitch) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let name = fields.required("name", |at| at.text(MCP_TOOL_NAME_CHARS))?;
        let switch = SwitchParams::take(&mut fields)?.resolve(default);
        fields.finish()?;
        Ok(Self {
            name,
            enabled: switch.enabled,
            permission_policy: switch.permission_policy,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::canonical_url;

    #[test]
    fn spellings_of_one_address_are_one() {
        for same in [
            "https://mcp.example.com/a",
            "HTTPS://MCP.Example.com:443/a/",
        ] {
            assert_eq!(canonical_url(same), "https://mcp.example.com/a");
        }
        assert_eq!(canonical_url("http://h:80"), "http://h");
        assert_eq!(canonical_url("http://h:443/"), "http://h:443");
        assert_eq!(
            canonical_url("https://[::1]:443/A?q=/"),
            "https://[::1]/A?q="
        );
        assert_ne!(canonical_url("https://h/A"), canonical_url("https://h/a"));
    }
}

//! The built-in toolset `agent_toolset_20260401`: eight tools, each switched by its own entry.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::domain_list::{DomainList, PathSuffix};
use super::permission::{PermissionPolicy, SwitchParams, ToolSwitch};
use super::url_sources::UrlSources;
use super::user_location::UserLocation;
use crate::decode::{At, Fields, Invalid};

/// The name of a built-in tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuiltinTool {
    Bash,
    Read,
    Write,
    Edit,
    Glob,
    Grep,
    WebFetch,
    WebSearch,
}

impl BuiltinTool {
    pub const ALL: [Self; 8] = [
        Self::Bash,
        Self::Read,
        Self::Write,
        Self::Edit,
        Self::Glob,
        Self::Grep,
        Self::WebFetch,
        Self::WebSearch,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Read => "read",
            Self::Write => "write",
            Self::Edit => "edit",
            Self::Glob => "glob",
            Self::Grep => "grep",
            Self::WebFetch => "web_fetch",
            Self::WebSearch => "web_search",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Whether the tool runs on the server rather than in the session's sandbox.
    pub fn is_web(self) -> bool {
        matches!(self, Self::WebFetch | Self::WebSearch)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentToolset {
    pub default_config: ToolSwitch,
    /// Only the entries that the client gave, resolved against `default_config`.
    pub configs: Vec<BuiltinToolConfig>,
}

/// The entry of one tool. Its `type` repeats its `name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BuiltinToolConfig {
    Bash(PlainToolConfig),
    Read(PlainToolConfig),
    Write(PlainToolConfig),
    Edit(PlainToolConfig),
    Glob(PlainToolConfig),
    Grep(PlainToolConfig),
    WebFetch(WebFetchConfig),
    WebSearch(WebSearchConfig),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlainToolConfig {
    pub name: BuiltinTool,
    pub enabled: bool,
    pub permission_policy: PermissionPolicy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebFetchConfig {
    pub name: BuiltinTool,
    pub enabled: bool,
    pub permission_policy: PermissionPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_domains: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_domains: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_content_tokens: Option<i64>,
    /// Null when unset, unlike the other web fields, which are absent.
    pub url_sources: Option<UrlSources>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebSearchConfig {
    pub name: BuiltinTool,
    pub enabled: bool,
    pub permission_policy: PermissionPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_domains: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_domains: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_location: Option<UserLocation>,
}

impl AgentToolset {
    /// What holds for a tool, whether or not it has an entry.
    pub fn switch(&self, tool: BuiltinTool) -> ToolSwitch {
        self.configs
            .iter()
            .find(|config| config.tool() == tool)
            .map_or(self.default_config, BuiltinToolConfig::switch)
    }

    /// The tool's own entry, if the client gave one.
    pub fn config(&self, tool: BuiltinTool) -> Option<&BuiltinToolConfig> {
        self.configs.iter().find(|config| config.tool() == tool)
    }

    /// The rest of an object whose `type` has been read.
    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Self, Invalid> {
        let default_config = fields
            .nullable("default_config", SwitchParams::decode_default)?
            .unwrap_or_default()
            .resolve(ToolSwitch::AGENT_TOOLSET);
        let configs = fields.nullable("configs", |at| {
            let entry = |at: At<'_>| BuiltinToolConfig::decode(at, default_config);
            let configs = at.list(0..=usize::MAX, entry)?;
            let mut seen = HashSet::new();
            for (position, config) in configs.iter().enumerate() {
                if !seen.insert(config.tool()) {
                    let path = format!("{}.{position}.name", at.path);
                    let message = format!("'{}' is configured twice", config.tool().name());
                    return Err(Invalid::new(path, message));
                }
            }
            Ok(configs)
        })?;
        Ok(Self {
            default_config,
            configs: configs.unwrap_or_default(),
        })
    }
}

impl BuiltinToolConfig {
    pub fn tool(&self) -> BuiltinTool {
        match self {
            Self::Bash(_) => BuiltinTool::Bash,
            Self::Read(_) => BuiltinTool::Read,
            Self::Write(_) => BuiltinTool::Write,
            Self::Edit(_) => BuiltinTool::Edit,
            Self::Glob(_) => BuiltinTool::Glob,
            Self::Grep(_) => BuiltinTool::Grep,
            Self::WebFetch(_) => BuiltinTool::WebFetch,
            Self::WebSearch(_) => BuiltinTool::WebSearch,
        }
    }

    pub fn switch(&self) -> ToolSwitch {
        let (enabled, permission_policy) = match self {
            Self::Bash(config)
            | Self::Read(config)
            | Self::Write(config)
            | Self::Edit(config)
            | Self::Glob(config)
            | Self::Grep(config) => (config.enabled, config.permission_policy),
            Self::WebFetch(config) => (config.enabled, config.permission_policy),
            Self::WebSearch(config) => (config.enabled, config.permission_policy),
        };
        ToolSwitch {
            enabled,
            permission_policy,
        }
    }

    fn decode(at: At<'_>, default: ToolSwitch) -> Result<Self, Invalid> {
        let words = BuiltinTool::ALL.map(|tool| (tool.name(), tool));
        let mut fields = at.fields()?;
        let name = fields.required("name", |at| at.word(&words))?;
        fields.optional("type", |at| at.word(&[(name.name(), name)]))?;
        let ToolSwitch {
            enabled,
            permission_policy,
        } = SwitchParams::take(&mut fields)?.resolve(default);
        let plain = PlainToolConfig {
            name,
            enabled,
            permission_policy,
        };
        let config = match name {
            BuiltinTool::Bash => Self::Bash(plain),
            BuiltinTool::Read => Self::Read(plain),
            BuiltinTool::Write => Self::Write(plain),
            BuiltinTool::Edit => Self::Edit(plain),
            BuiltinTool::Glob => Self::Glob(plain),
            BuiltinTool::Grep => Self::Grep(plain),
            BuiltinTool::WebFetch => {
                let domains = DomainList::take(&mut fields, PathSuffix::Refused)?;
                Self::WebFetch(WebFetchConfig {
                    name,
                    enabled,
                    permission_policy,
                    allowed_domains: domains.allowed,
                    blocked_domains: domains.blocked,
                    max_content_tokens: fields
                        .nullable("max_content_tokens", |at| at.integer(1..=i64::MAX))?,
                    url_sources: fields.nullable("url_sources", UrlSources::decode)?,
                })
            }
            BuiltinTool::WebSearch => {
                let domains = DomainList::take(&mut fields, PathSuffix::Allowed)?;
                Self::WebSearch(WebSearchConfig {
                    name,
                    enabled,
                    permission_policy,
                    allowed_domains: domains.allowed,
                    blocked_domains: domains.blocked,
                    user_location: fields.nullable("user_location", UserLocation::decode)?,
                })
            }
        };
        fields.finish()?;
        Ok(config)
    }
}

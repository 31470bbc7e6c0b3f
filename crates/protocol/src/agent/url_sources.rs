//! From where the URLs may come that `web_fetch` opens.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::toolset::BuiltinTool;
use crate::decode::{At, Invalid};
use crate::limits::{CUSTOM_TOOL_NAME_CHARS, URL_SOURCE_TOOLS};

/// A key that is unset reads back null and means "all".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UrlSources {
    pub user_input: Option<UrlSource>,
    pub client_tool_results: Option<UrlSource>,
    pub server_tool_results: Option<UrlSource>,
}

/// `only` and `except` are for tool results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UrlSource {
    All,
    None,
    Only { tools: Vec<ToolReference> },
    Except { tools: Vec<ToolReference> },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToolReference {
    ToolReference { name: String },
}

impl ToolReference {
    pub fn name(&self) -> &str {
        let Self::ToolReference { name } = self;
        name
    }

    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        match fields.tag()? {
            "tool_reference" => {}
            other => return Err(fields.unknown_tag(other, &["tool_reference"])),
        }
        let name = fields.required("name", |at| at.text(CUSTOM_TOOL_NAME_CHARS))?;
        fields.finish()?;
        Ok(Self::ToolReference { name })
    }
}

impl UrlSources {
    pub(crate) fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let whole = at.clone();
        let mut fields = at.fields()?;
        let sources = Self {
            user_input: fields
                .nullable("user_input", |at| UrlSource::decode(at, &["all", "none"]))?,
            client_tool_results: fields.nullable("client_tool_results", UrlSource::decode_tools)?,
            server_tool_results: fields.nullable("server_tool_results", |at| {
                let path = at.path.clone();
                let source = UrlSource::decode_tools(at)?;
                source.check_names(&path, "web_search or web_fetch", |name| {
                    BuiltinTool::from_name(name).is_some_and(BuiltinTool::is_web)
                })?;
                Ok(source)
            })?,
        };
        fields.finish()?;
        let all_none = [
            &sources.user_input,
            &sources.client_tool_results,
            &sources.server_tool_results,
        ]
        .into_iter()
        .all(|source| *source == Some(UrlSource::None));
        if all_none {
            return Err(whole.invalid("at least one source should not be 'none'"));
        }
        Ok(sources)
    }

    /// The names under `client_tool_results` are those of custom tools of the same list.
    pub(crate) fn check_custom_tools(
        &self,
        path: &str,
        is_custom_tool: impl Fn(&str) -> bool,
    ) -> Result<(), Invalid> {
        let Some(source) = &self.client_tool_results else {
            return Ok(());
        };
        let path = format!("{path}.client_tool_results");
        source.check_names(&path, "a custom tool of this agent", is_custom_tool)
    }
}

impl UrlSource {
    /// Whether the results of this tool are among it.
    pub fn includes(&self, tool: &str) -> bool {
        let names = |tools: &[ToolReference]| tools.iter().any(|one| one.name() == tool);
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only { tools } => names(tools),
            Self::Except { tools } => !names(tools),
        }
    }

    fn decode_tools(at: At<'_>) -> Result<Self, Invalid> {
        Self::decode(at, &["all", "none", "only", "except"])
    }

    /// The words `all` and `none` are short for their objects.
    fn decode(at: At<'_>, kinds: &[&str]) -> Result<Self, Invalid> {
        if at.value.is_string() {
            return at
                .word(&[("all", true), ("none", false)])
                .map(|all| if all { Self::All } else { Self::None });
        }
        let mut fields = at.fields()?;
        let kind = fields.tag()?;
        if !kinds.contains(&kind) {
            return Err(fields.unknown_tag(kind, kinds));
        }
        let source = match kind {
            "all" => Self::All,
            "none" => Self::None,
            "only" => Self::Only {
                tools: fields.required("tools", references)?,
            },
            _ => Self::Except {
                tools: fields.required("tools", references)?,
            },
        };
        fields.finish()?;
        Ok(source)
    }

    fn check_names(
        &self,
        path: &str,
        expected: &str,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<(), Invalid> {
        let (Self::Only { tools } | Self::Except { tools }) = self else {
            return Ok(());
        };
        match tools.iter().position(|tool| !is_known(tool.name())) {
            None => Ok(()),
            Some(position) => Err(Invalid::new(
                format!("{path}.tools.{position}.name"),
                format!("Input should be the name of {expected}"),
            )),
        }
    }
}

fn references(at: At<'_>) -> Result<Vec<ToolReference>, Invalid> {
    let tools = at.list(URL_SOURCE_TOOLS, ToolReference::decode)?;
    let mut seen = HashSet::new();
    for (position, tool) in tools.iter().enumerate() {
        if !seen.insert(tool.name()) {
            let path = format!("{}.{position}.name", at.path);
            return Err(Invalid::new(path, "tool is referenced twice"));
        }
    }
    Ok(tools)
}

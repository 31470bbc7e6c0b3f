//! Whether a tool is offered and whether a call of it needs somebody's consent.
//!
//! Resolution for any tool: its own entry, else the toolset's `default_config`, else the
//! toolset's built-in default.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{At, Fields, Invalid};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PermissionPolicy {
    AlwaysAllow,
    AlwaysAsk,
    Auto,
}

/// What holds for one tool, and a toolset's `default_config`, which responses always fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolSwitch {
    pub enabled: bool,
    pub permission_policy: PermissionPolicy,
}

impl ToolSwitch {
    pub(crate) const AGENT_TOOLSET: Self = Self {
        enabled: true,
        permission_policy: PermissionPolicy::AlwaysAllow,
    };
    pub(crate) const MCP_TOOLSET: Self = Self {
        enabled: true,
        permission_policy: PermissionPolicy::AlwaysAsk,
    };
}

/// The two keys as requested.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SwitchParams {
    enabled: Option<bool>,
    permission_policy: Option<PermissionPolicy>,
}

impl SwitchParams {
    /// Takes the two keys from an object that has others besides.
    pub(crate) fn take(fields: &mut Fields<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            enabled: fields.nullable("enabled", |at| at.boolean())?,
            permission_policy: fields.nullable("permission_policy", PermissionPolicy::decode)?,
        })
    }

    pub(crate) fn decode_default(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let params = Self::take(&mut fields)?;
        fields.finish()?;
        Ok(params)
    }

    pub(crate) fn resolve(self, default: ToolSwitch) -> ToolSwitch {
        ToolSwitch {
            enabled: self.enabled.unwrap_or(default.enabled),
            permission_policy: self.permission_policy.unwrap_or(default.permission_policy),
        }
    }
}

impl PermissionPolicy {
    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let policy = match fields.tag()? {
            "always_allow" => Self::AlwaysAllow,
            "always_ask" => Self::AlwaysAsk,
            "auto" => Self::Auto,
            other => {
                return Err(fields.unknown_tag(other, &["always_allow", "always_ask", "auto"]));
            }
        };
        fields.finish()?;
        Ok(policy)
    }
}

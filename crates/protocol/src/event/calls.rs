//! Calls of tools: what was decided about each, what a client answers, what came of it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::usage::TokenUsage;
use crate::content::ContentBlock;
use crate::id::EventId;
use crate::time::Timestamp;

/// The event's id is the id of the call.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AgentToolUse {
    pub name: String,
    /// Always a JSON object; its text is kept as the model wrote it.
    #[schema(value_type = Object)]
    pub input: Box<RawValue>,
    pub evaluated_permission: EvaluatedPermission,
    /// Absent when the call was refused before any policy applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvaluatedPermission {
    Allow,
    /// It waits for a `user.tool_confirmation`.
    Ask,
    Deny,
}

/// Which policy decided, and what a judge said where one was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Evaluation {
    AlwaysAllow,
    AlwaysAsk,
    Auto { evaluated_permission: Judgement },
}

impl Evaluation {
    /// What follows from it. **Invariant:** the event says the same.
    pub fn permission(self) -> EvaluatedPermission {
        match self {
            Self::AlwaysAllow => EvaluatedPermission::Allow,
            Self::AlwaysAsk => EvaluatedPermission::Ask,
            Self::Auto {
                evaluated_permission,
            } => match evaluated_permission {
                Judgement::Allow => EvaluatedPermission::Allow,
                Judgement::Ask { .. } => EvaluatedPermission::Ask,
                Judgement::Deny { .. } => EvaluatedPermission::Deny,
            },
        }
    }
}

/// What was made of one call under the policy `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Judgement {
    Allow,
    Ask { reason_code: ReasonCode },
    Deny { reason_code: ReasonCode },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    HighRisk,
    /// There was no judgement.
    Indeterminate,
}

/// A call that the client carries out. The event's id is the id of the call.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AgentCustomToolUse {
    pub name: String,
    /// Always a JSON object; its text is kept as the model wrote it.
    #[schema(value_type = Object)]
    pub input: Box<RawValue>,
}

/// A call of a tool of an MCP server. The event's id is the id of the call.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AgentMcpToolUse {
    pub mcp_server_name: String,
    /// The server's own name of the tool.
    pub name: String,
    /// Always a JSON object; its text is kept as the model wrote it.
    #[schema(value_type = Object)]
    pub input: Box<RawValue>,
    pub evaluated_permission: EvaluatedPermission,
    /// Absent when the call was refused before any policy applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentMcpToolResult {
    pub mcp_tool_use_id: EventId,
    pub content: Vec<ContentBlock>,
    pub is_error: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentToolResult {
    pub tool_use_id: EventId,
    pub content: Vec<ContentBlock>,
    pub is_error: bool,
}

/// A client's word on a call that waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolConfirmation {
    pub tool_use_id: EventId,
    pub result: Confirmed,
    /// For the model; only with `deny`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deny_message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    Allow,
    Deny,
}

/// What came of a call of a custom tool. The server writes it itself for a call that is closed
/// without the client: by an interrupt, by a refusal of the model, or by its deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CustomToolResult {
    pub custom_tool_use_id: EventId,
    pub content: Vec<ContentBlock>,
    pub is_error: bool,
}

/// The intent to run a tool, durable before it runs. Without a result after a crash the call may
/// or may not have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolStarted {
    pub tool_use_id: EventId,
}

/// Until when the client may answer a call of a custom tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultDeadline {
    pub custom_tool_use_id: EventId,
    pub at: Timestamp,
}

/// What it took to judge a call under the policy `auto`. The judgement itself is in the call's
/// event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionJudged {
    pub tool_use_id: EventId,
    /// The model that was asked, as the configuration names it.
    pub model: String,
    pub usage: TokenUsage,
    /// 10⁻⁹ US dollars at list price; 0 for a model without a price.
    pub cost_nano_dollars: u64,
}

/// Requests that a call of `web_search` has made of the search service. It stands beside the call's result, so that
/// each is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebSearched {
    pub tool_use_id: EventId,
    pub requests: u64,
}

//! The events of a session: one vocabulary for wire, log and memory.
//!
//! Types without the `hostler.` prefix are those of the public contract; those with it are facts
//! that only the fold needs and that no client sees. **Invariant:** the meaning of a stored event
//! never changes; golden files in `tests/golden` guard each one.
//!
//! The list is one table ([`Event`], made by a macro: ADR 2), so that name, variant and audience
//! stand together. A type that this program doesn't know is kept verbatim and skipped.

mod body;
mod calls;
mod recorded;
mod session_error;
mod usage;

pub use body::{
    AgentMessage, ContextCompacted, Empty, InputProcessed, ModelFailed, ModelRequestEnd,
    ModelResponse, ModelStop, ProviderToolUse, SessionCreated, SessionErrorEvent, SessionIdle,
    SessionUpdated, SessionUsageEvent, StopDetails, StopReason, SystemMessage, ThreadIdle,
    ThreadStatus, UserInterrupt, UserMessage,
};
pub use calls::{
    AgentCustomToolUse, AgentMcpToolResult, AgentMcpToolUse, AgentToolResult, AgentToolUse,
    Confirmed, CustomToolResult, EvaluatedPermission, Evaluation, Judgement, PermissionJudged,
    ReasonCode, ResultDeadline, ToolConfirmation, ToolStarted, WebSearched,
};
pub use recorded::{Draft, Epoch, Recorded, Seq};
pub use session_error::{RetryStatus, SessionError, SessionErrorKind};
pub use usage::{CacheCreation, ModelUsage, Money, ServerToolUse, SessionUsage, TokenUsage};

use serde::Serialize;
use serde_json::value::RawValue;

/// Who gets to see a row of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Clients, in the list and on the stream.
    Public,
    /// Clients, but only in the list and only until it is processed.
    Queued,
    /// The fold alone.
    Internal,
}

/// The text of an event in the log is not what its type promises.
#[derive(Debug, thiserror::Error)]
#[error("event of type {name}: {source}")]
pub struct MalformedEvent {
    pub name: String,
    pub source: serde_json::Error,
}

macro_rules! events {
    ($($name:literal $variant:ident($body:ty) $audience:ident;)*) => {
        /// What happened. `name` is the public `type`.
        #[derive(Debug, Clone)]
        pub enum Event {
            $($variant($body),)*
            /// Written by a newer version: kept as it is, skipped by the fold.
            Unknown { name: String, body: Box<RawValue> },
        }

        impl Event {
            /// Every type that this program knows.
            pub const NAMES: &[&str] = &[$($name),*];

            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::Unknown { name, .. } => name,
                }
            }

            pub fn audience(&self) -> Audience {
                match self {
                    $(Self::$variant(_) => Audience::$audience,)*
                    Self::Unknown { .. } => Audience::Internal,
                }
            }

            /// One line of JSON that starts with the `type`, as it is stored.
            pub fn to_json(&self) -> String {
                match self {
                    $(Self::$variant(body) => tagged($name, body),)*
                    Self::Unknown { body, .. } => body.get().to_owned(),
                }
            }

            /// Reads what [`Event::to_json`] wrote.
            ///
            /// # Errors
            /// When the type is known and the text doesn't fit it.
            pub fn from_json(name: &str, json: &str) -> Result<Self, MalformedEvent> {
                let read = match name {
                    $($name => serde_json::from_str(json).map(Self::$variant),)*
                    _ => RawValue::from_string(json.to_owned())
                        .map(|body| Self::Unknown { name: name.to_owned(), body }),
                };
                read.map_err(|source| MalformedEvent { name: name.to_owned(), source })
            }
        }
    };
}

events! {
    "user.message" UserMessage(UserMessage) Queued;
    "user.interrupt" UserInterrupt(UserInterrupt) Queued;
    "user.tool_confirmation" UserToolConfirmation(ToolConfirmation) Public;
    "user.custom_tool_result" UserCustomToolResult(CustomToolResult) Public;
    "system.message" SystemMessage(SystemMessage) Queued;

    "agent.message" AgentMessage(AgentMessage) Public;
    "agent.thinking" AgentThinking(Empty) Public;
    "agent.tool_use" AgentToolUse(AgentToolUse) Public;
    "agent.tool_result" AgentToolResult(AgentToolResult) Public;
    "agent.custom_tool_use" AgentCustomToolUse(AgentCustomToolUse) Public;
    "agent.mcp_tool_use" AgentMcpToolUse(AgentMcpToolUse) Public;
    "agent.mcp_tool_result" AgentMcpToolResult(AgentMcpToolResult) Public;
    "agent.thread_context_compacted" AgentThreadContextCompacted(Empty) Public;

    "session.status_running" SessionStatusRunning(Empty) Public;
    "session.status_idle" SessionStatusIdle(SessionIdle) Public;
    "session.status_rescheduled" SessionStatusRescheduled(Empty) Public;
    "session.status_terminated" SessionStatusTerminated(Empty) Public;
    "session.updated" SessionUpdated(SessionUpdated) Public;
    "session.error" SessionError(SessionErrorEvent) Public;
    "session.usage" SessionUsage(SessionUsageEvent) Public;
    "session.thread_status_running" SessionThreadStatusRunning(ThreadStatus) Public;
    "session.thread_status_idle" SessionThreadStatusIdle(ThreadIdle) Public;
    "session.thread_status_rescheduled" SessionThreadStatusRescheduled(ThreadStatus) Public;
    "session.thread_status_terminated" SessionThreadStatusTerminated(ThreadStatus) Public;

    "span.model_request_start" ModelRequestStart(Empty) Public;
    "span.model_request_end" ModelRequestEnd(ModelRequestEnd) Public;

    "hostler.session_created" SessionCreated(Box<SessionCreated>) Internal;
    "hostler.input_processed" InputProcessed(InputProcessed) Internal;
    "hostler.model_response" ModelResponse(ModelResponse) Internal;
    "hostler.model_failed" ModelFailed(ModelFailed) Internal;
    "hostler.tool_started" ToolStarted(ToolStarted) Internal;
    "hostler.result_deadline" ResultDeadline(ResultDeadline) Internal;
    "hostler.permission_judged" PermissionJudged(PermissionJudged) Internal;
    "hostler.web_searched" WebSearched(WebSearched) Internal;
    "hostler.context_compacted" ContextCompacted(ContextCompacted) Internal;
}

/// `{"type":"…"` followed by the keys of `body`, which serialises as an object.
fn tagged(name: &str, body: &impl Serialize) -> String {
    // Bodies have string keys and no floats that JSON can't hold, so this can't fail.
    let body = serde_json::to_string(body).unwrap_or_else(|_| "{}".to_owned());
    let keys = body.strip_prefix('{').unwrap_or("}");
    let comma = if keys == "}" { "" } else { "," };
    format!("{{\"type\":\"{name}\"{comma}{keys}")
}

//! What each event carries besides `id`, `type` and `processed_at`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::recorded::Seq;
use super::session_error::{SessionError, SessionErrorKind};
use super::usage::{ModelUsage, SessionUsage, TokenUsage};
use crate::agent::SessionAgent;
use crate::content::ContentBlock;
use crate::id::{EnvironmentId, EventId, ThreadId};
use crate::time::Timestamp;

/// An event that says it all by its type.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Empty {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserMessage {
    pub content: Vec<ContentBlock>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct UserInterrupt {
    /// Absent: every thread of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_thread_id: Option<ThreadId>,
}

/// What the operator of an agent adds to its instructions in the middle of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemMessage {
    /// Text blocks alone.
    pub content: Vec<ContentBlock>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentMessage {
    pub content: Vec<ContentBlock>,
}

/// Why a session or thread came to rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StopReason {
    EndTurn,
    /// These calls wait for the client, all of them and no others.
    RequiresAction {
        event_ids: Vec<EventId>,
    },
    RetriesExhausted,
    Refusal,
}

/// Only with [`StopReason::Refusal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StopDetails {
    Refusal {
        category: Option<String>,
        explanation: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionIdle {
    pub stop_reason: StopReason,
    pub stop_details: Option<StopDetails>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadStatus {
    pub session_thread_id: ThreadId,
    pub agent_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadIdle {
    pub session_thread_id: ThreadId,
    pub agent_name: String,
    pub stop_reason: StopReason,
    pub stop_details: Option<StopDetails>,
}

/// Only the fields that changed are present.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct SessionUpdated {
    // Null where the title was removed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    /// The whole bag, after the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<Box<SessionAgent>>,
}

/// A key that is there, be it null: without this, null and absence read the same.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionErrorEvent {
    pub error: SessionError,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionUsageEvent {
    pub usage: SessionUsage,
    /// Null: this version has no budgets.
    pub budget: (),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelRequestEnd {
    pub model_request_start_id: EventId,
    /// Null for a request that an interrupt ended.
    pub is_error: Option<bool>,
    pub model_usage: ModelUsage,
}

/// The first row of every log: what the session runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionCreated {
    pub agent: SessionAgent,
    pub environment_id: EnvironmentId,
    /// The primary thread.
    pub session_thread_id: ThreadId,
}

/// The public place of an input that waited: list and stream show it here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputProcessed {
    pub event_id: EventId,
    /// The type of that event.
    pub event_type: String,
    /// The row in which it was received.
    pub received_seq: Seq,
}

/// What a model answered, block by block, as the next request repeats it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelResponse {
    pub model_request_start_id: EventId,
    /// The last input that the model had seen: what came later is unanswered.
    pub based_on: Seq,
    /// Canonical Messages blocks, byte for byte.
    pub blocks: Vec<Box<RawValue>>,
    pub tool_uses: Vec<ProviderToolUse>,
    pub stop: ModelStop,
    pub usage: TokenUsage,
    /// 10⁻⁹ US dollars at list price; 0 for a model without a price.
    pub cost_nano_dollars: u64,
}

/// The provider's id of a call, which stays inside, and the event that shows the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderToolUse {
    pub event_id: EventId,
    pub provider_id: String,
}

/// Why a model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ModelStop {
    EndTurn,
    ToolUse,
    MaxTokens,
    Refusal {
        category: Option<String>,
        explanation: Option<String>,
    },
    /// The provider wants to be called again with what it said so far.
    PauseTurn,
}

/// A model request that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFailed {
    pub model_request_start_id: EventId,
    pub error: SessionErrorKind,
    pub message: String,
    /// When it may be tried again; null if that would be pointless.
    pub retry_at: Option<Timestamp>,
    /// The conversation was longer than the model can take.
    pub context_too_long: bool,
    /// The provider refused what was asked, and would refuse it again.
    #[serde(default)]
    pub rejected: bool,
    pub usage: TokenUsage,
    pub cost_nano_dollars: u64,
}

/// A summary that stands for everything before it in what the model is shown. The log is
/// untouched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextCompacted {
    pub model_request_start_id: EventId,
    pub summary: String,
    pub usage: TokenUsage,
    pub cost_nano_dollars: u64,
}

//! The calls of a model's last answer: who decides on each, and what comes of it.

use std::sync::Arc;

use hostler_protocol::Timestamp;
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{
    AgentCustomToolUse, AgentMcpToolResult, AgentMcpToolUse, AgentToolResult, AgentToolUse,
    Confirmed, CustomToolResult, Epoch, EvaluatedPermission, Event, ProviderToolUse, Seq,
    ToolConfirmation, ToolStarted,
};
use hostler_protocol::id::EventId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::closing::{
    deadline_passed, not_run_after_refusal, permission_denied, permission_rejected,
};
use super::conversation::{Role, tool_result_block};
use super::next::{Step, ToolRun, ToolStart};
use super::state::State;
use crate::web::source_of_call;

/// A call that the model made in its last response.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToolCall {
    /// The id of the event that shows it.
    pub id: EventId,
    /// The MCP server whose tool it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp_server: Option<String>,
    pub name: String,
    pub input: Arc<RawValue>,
    pub standing: Standing,
    pub(super) provider_id: String,
    /// Who recorded the intent to run it.
    pub(super) started_by: Option<Epoch>,
    pub(super) result: Option<AgentToolResult>,
}

/// Whether a call may run, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// By its policy, or by the client's word.
    Allowed,
    /// By its policy, or because there is no such tool.
    Denied,
    /// It waits for the client's word.
    Asked,
    /// By the client's word.
    Rejected { deny_message: Option<String> },
    /// The client runs it, and nobody is asked.
    Custom,
}

impl Standing {
    fn of(permission: EvaluatedPermission) -> Self {
        match permission {
            EvaluatedPermission::Allow => Self::Allowed,
            EvaluatedPermission::Ask => Self::Asked,
            EvaluatedPermission::Deny => Self::Denied,
        }
    }
}

/// A call whose event is in the log, before the response that it belongs to is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Announced {
    Tool(AgentToolUse),
    Custom(AgentCustomToolUse),
    Mcp(AgentMcpToolUse),
}

impl Announced {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "there are three kinds of calls"
    )]
    pub(super) fn from_event(event: &Event) -> Option<Self> {
        match event {
            Event::AgentToolUse(call) => Some(Self::Tool(call.clone())),
            Event::AgentCustomToolUse(call) => Some(Self::Custom(call.clone())),
            Event::AgentMcpToolUse(call) => Some(Self::Mcp(call.clone())),
            _ => None,
        }
    }
}

impl ToolCall {
    pub(super) fn new(used: &ProviderToolUse, announced: &Announced) -> Self {
        let (name, input, standing) = match announced {
            Announced::Tool(call) => {
                let standing = Standing::of(call.evaluated_permission);
                (&call.name, &call.input, standing)
            }
            Announced::Mcp(call) => {
                let standing = Standing::of(call.evaluated_permission);
                (&call.name, &call.input, standing)
            }
            Announced::Custom(call) => (&call.name, &call.input, Standing::Custom),
        };
        Self {
            id: used.event_id,
            mcp_server: match announced {
                Announced::Mcp(call) => Some(call.mcp_server_name.clone()),
                Announced::Tool(_) | Announced::Custom(_) => None,
            },
            name: name.clone(),
            input: Arc::from(input.clone()),
            standing,
            provider_id: used.provider_id.clone(),
            started_by: None,
            result: None,
        }
    }

    /// The event by which the server answers a call that it ran itself.
    pub fn answered(&self, content: Vec<ContentBlock>, is_error: bool) -> Event {
        match self.mcp_server {
            Some(_) => Event::AgentMcpToolResult(AgentMcpToolResult {
                mcp_tool_use_id: self.id,
                content,
                is_error,
            }),
            None => Event::AgentToolResult(AgentToolResult {
                tool_use_id: self.id,
                content,
                is_error,
            }),
        }
    }

    fn is_under_way(&self) -> bool {
        self.started_by.is_some() && self.result.is_none()
    }

    /// What answers it without anybody running it, if that is decided.
    fn settled(&self, is_refusal: bool) -> Option<Event> {
        match &self.standing {
            Standing::Denied => Some(permission_denied(self)),
            Standing::Rejected { deny_message } => {
                Some(permission_rejected(self, deny_message.as_deref()))
            }
            Standing::Allowed | Standing::Asked | Standing::Custom
                if is_refusal && self.started_by.is_none() =>
            {
                Some(not_run_after_refusal(self))
            }
            Standing::Allowed | Standing::Asked | Standing::Custom => None,
        }
    }

    fn run(&self, epoch: Epoch) -> ToolRun {
        let how = match self.started_by {
            Some(by) if by != epoch => ToolStart::Resumed,
            Some(_) | None => ToolStart::Fresh,
        };
        ToolRun { id: self.id, how }
    }
}

impl State {
    /// What is next for calls that have no result yet. One that is allowed while others run joins
    /// them.
    pub(super) fn next_tools(&self, epoch: Epoch, now: Timestamp) -> Step {
        let waiting = || self.calls.iter().filter(|call| call.result.is_none());
        let settled: Vec<Event> = waiting()
            .filter_map(|call| call.settled(self.refused()))
            .collect();
        if !settled.is_empty() {
            return Step::Record(settled);
        }
        let intents: Vec<Event> = waiting()
            .filter(|call| call.standing == Standing::Allowed && call.started_by.is_none())
            .map(|call| {
                Event::ToolStarted(ToolStarted {
                    tool_use_id: call.id,
                })
            })
            .collect();
        if !intents.is_empty() {
            return Step::Record(intents);
        }
        let under_way: Vec<ToolRun> = self.calls_under_way().map(|call| call.run(epoch)).collect();
        if !under_way.is_empty() {
            return Step::RunTools(under_way);
        }
        let expired = self.expired(now);
        if !expired.is_empty() {
            return Step::Record(expired);
        }
        Step::Record(self.wait_for_client(now))
    }

    /// What the client still has time to answer.
    pub(super) fn pending(&self, now: Timestamp) -> Vec<EventId> {
        let awaited = self.summary.awaited.iter();
        let in_time = awaited.filter(|awaited| awaited.deadline.is_none_or(|at| at > now));
        in_time.map(|awaited| awaited.id).collect()
    }

    /// What the client has not answered in time.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<Event> {
        let awaited = self.summary.awaited.iter();
        let late = awaited.filter(|awaited| awaited.deadline.is_some_and(|at| at <= now));
        late.filter_map(|awaited| Some(deadline_passed(self.unanswered_call(awaited.id)?)))
            .collect()
    }

    /// The calls that were begun and have no result yet.
    pub fn calls_under_way(&self) -> impl Iterator<Item = &ToolCall> {
        self.calls.iter().filter(|call| call.is_under_way())
    }

    /// A call by its id, if it has no result yet.
    pub fn unanswered_call(&self, id: EventId) -> Option<&ToolCall> {
        self.calls
            .iter()
            .find(|call| call.id == id && call.result.is_none())
    }

    /// Whether earlier calls of the same MCP server have results.
    pub fn has_answer_of(&self, call: &ToolCall) -> bool {
        let server = call.mcp_server.as_deref();
        server.is_some_and(|server| self.servers_heard.contains(server))
    }

    pub(super) fn call(&mut self, id: EventId) -> Option<&mut ToolCall> {
        self.calls.iter_mut().find(|call| call.id == id)
    }

    /// The first word on a call counts.
    pub(super) fn confirmed(&mut self, confirmation: &ToolConfirmation) {
        let call = self.call(confirmation.tool_use_id);
        if let Some(call) = call.filter(|call| call.standing == Standing::Asked) {
            call.standing = match confirmation.result {
                Confirmed::Allow => Standing::Allowed,
                Confirmed::Deny => Standing::Rejected {
                    deny_message: confirmation.deny_message.clone(),
                },
            };
        }
    }

    pub(super) fn custom_result(&mut self, seq: Seq, result: &CustomToolResult) {
        self.tool_result(
            seq,
            &AgentToolResult {
                tool_use_id: result.custom_tool_use_id,
                content: result.content.clone(),
                is_error: result.is_error,
            },
        );
    }

    pub(super) fn mcp_result(&mut self, seq: Seq, result: &AgentMcpToolResult) {
        self.tool_result(
            seq,
            &AgentToolResult {
                tool_use_id: result.mcp_tool_use_id,
                content: result.content.clone(),
                is_error: result.is_error,
            },
        );
    }

    pub(super) fn tool_result(&mut self, seq: Seq, result: &AgentToolResult) {
        let Some(call) = self.call(result.tool_use_id) else {
            return;
        };
        // The first result is the one that clients have seen.
        let source = source_of_call(call).filter(|_| call.result.is_none() && !result.is_error);
        call.result.get_or_insert_with(|| result.clone());
        if let Some(server) = &call.mcp_server {
            let server = server.clone();
            self.servers_heard.insert(server);
        }
        if let Some(source) = source {
            self.addresses(seq, source, &result.content);
        }
        if self.calls.iter().any(|call| call.result.is_none()) {
            return;
        }
        let calls = std::mem::take(&mut self.calls);
        let blocks = calls
            .iter()
            .filter_map(|call| Some(tool_result_block(&call.provider_id, call.result.as_ref()?)));
        self.add(Role::User, blocks.collect());
        self.last_input = seq;
        if self.refused() {
            // Nobody waits for an answer to these: the refusal ends the turn.
            self.answered = seq;
        }
    }
}

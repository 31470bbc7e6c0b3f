//! The session's row, as far as it follows from the events: status, usage, what waits.
//!
//! It is computed in the transaction that appends the events, by [`Summary::apply`] alone, so it
//! never disagrees with the log.

use std::time::Duration;

use hostler_protocol::Timestamp;
use hostler_protocol::event::{
    CacheCreation, EvaluatedPermission, Event, Money, Recorded, ResultDeadline, Seq, ServerToolUse,
    SessionUsage, TokenUsage,
};
use hostler_protocol::id::{EventId, ThreadId};
use serde::{Deserialize, Serialize};

/// By how much clocks of several servers may differ without anybody taking it for a clock that was set.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// The status machine of the contract. Finished work is `idle`, never `terminated`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    Idle,
    Running,
    Rescheduling,
    Terminated,
}

impl SessionStatus {
    /// The word on the wire and in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Rescheduling => "rescheduling",
            Self::Terminated => "terminated",
        }
    }
}

/// A call that the session can't go on without, and that the client has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// The id of the call's event.
    pub id: EventId,
    pub awaits: Awaits,
    /// When it is answered without the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaits {
    /// `user.tool_confirmation`
    Confirmation,
    /// `user.custom_tool_result`
    Result,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub status: SessionStatus,
    pub thread: ThreadId,
    pub agent_name: String,
    /// Rows of inputs that were received and are not processed, oldest first.
    #[serde(with = "super::runs")]
    pub queued: Vec<Seq>,
    /// Those of them that are interrupts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interrupts: Vec<Seq>,
    /// Those of them that begin no turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub system_messages: Vec<Seq>,
    /// Calls that wait for the client, in the order in which the model made them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaited: Vec<Awaited>,
    pub tokens: TokenUsage,
    pub cost_nano_dollars: u64,
    /// Requests of `web_search` to the search service.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub web_searches: u64,
    pub active_micros: u64,
    /// Set while the session is running.
    pub running_since: Option<Timestamp>,
    /// While rescheduling: when the next attempt is due.
    pub retry_at: Option<Timestamp>,
    /// The last change that a client can see.
    pub updated_at: Timestamp,
    pub terminated_at: Option<Timestamp>,
}

impl Summary {
    /// Before the first event.
    pub fn new(thread: ThreadId, agent_name: String, at: Timestamp) -> Self {
        Self {
            status: SessionStatus::Idle,
            thread,
            agent_name,
            queued: Vec::new(),
            interrupts: Vec::new(),
            system_messages: Vec::new(),
            awaited: Vec::new(),
            tokens: TokenUsage::default(),
            cost_nano_dollars: 0,
            web_searches: 0,
            active_micros: 0,
            running_since: None,
            retry_at: None,
            updated_at: at,
            terminated_at: None,
        }
    }

    /// When a runner is due; `None` if there is nothing to do. Derived, so that no wake-up can be
    /// forgotten.
    pub fn needs_runner_at(&self) -> Option<Timestamp> {
        match self.status {
            SessionStatus::Running => Some(self.updated_at),
            SessionStatus::Rescheduling if self.queued.is_empty() => self.retry_at,
            SessionStatus::Rescheduling => Some(self.updated_at),
            SessionStatus::Idle if self.has_work_at_rest() => Some(self.updated_at),
            SessionStatus::Idle => self.awaited.iter().filter_map(|one| one.deadline).min(),
            SessionStatus::Terminated => None,
        }
    }

    /// Whether a runner is due at `now`.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let Some(at) = self.needs_runner_at() else {
            return false;
        };
        at <= now || (self.is_ahead_of(now) && self.is_due_without_clock(at))
    }

    /// What is due at once, and retries. Deadlines of people are as the clock says.
    fn is_due_without_clock(&self, at: Timestamp) -> bool {
        at <= self.updated_at || self.status == SessionStatus::Rescheduling
    }

    /// Whether the clock that says `now` was set back behind the last change, or is another one that is as
    /// wrong: what was to come in seconds may be hours away by it.
    pub(crate) fn is_ahead_of(&self, now: Timestamp) -> bool {
        self.updated_at > now.plus(CLOCK_TOLERANCE)
    }

    /// A retry stays as far away as it was, by a clock that was set back.
    fn change(&mut self, at: Timestamp) {
        if let Some(retry_at) = self.retry_at.filter(|_| self.is_ahead_of(at)) {
            self.retry_at = Some(at.plus(retry_at.since(self.updated_at)));
        }
        self.updated_at = at;
    }

    /// Messages wait while the client has something to answer, and words of the system alone wait
    /// for a message.
    fn has_work_at_rest(&self) -> bool {
        match self.awaited.is_empty() {
            true => self.queued.len() > self.system_messages.len(),
            false => !self.interrupts.is_empty(),
        }
    }

    /// Cumulative usage as of `now`.
    pub fn usage(&self, now: Timestamp) -> SessionUsage {
        SessionUsage {
            input_tokens: self.tokens.input_tokens,
            output_tokens: self.tokens.output_tokens,
            cache_read_input_tokens: self.tokens.cache_read_input_tokens,
            cache_creation: CacheCreation {
                ephemeral_5m_input_tokens: self.tokens.cache_creation_5m_input_tokens,
                ephemeral_1h_input_tokens: self.tokens.cache_creation_1h_input_tokens,
            },
            active_seconds: self.active(now).as_secs_f64(),
            list_cost: Money::from_nano_dollars(self.cost_nano_dollars),
            server_tool_use: ServerToolUse {
                web_search_requests: self.web_searches,
                // The contract has this at 0, however many pages were fetched.
                web_fetch_requests: 0,
            },
        }
    }

    /// How long the session has been running in all.
    pub fn active(&self, now: Timestamp) -> Duration {
        let current = self
            .running_since
            .map_or(Duration::ZERO, |since| now.since(since));
        Duration::from_micros(self.active_micros) + current
    }

    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        match &recorded.event {
            Event::UserMessage(_) => self.queued.push(recorded.seq),
            Event::UserInterrupt(_) => {
                self.queued.push(recorded.seq);
                self.interrupts.push(recorded.seq);
            }
            Event::SystemMessage(_) => {
                self.queued.push(recorded.seq);
                self.system_messages.push(recorded.seq);
            }
            Event::InputProcessed(processed) => self.input_processed(processed.received_seq),
            Event::AgentToolUse(call) if call.evaluated_permission == EvaluatedPermission::Ask => {
                self.wait_for(recorded.id, Awaits::Confirmation);
            }
            Event::AgentMcpToolUse(call)
                if call.evaluated_permission == EvaluatedPermission::Ask =>
            {
                self.wait_for(recorded.id, Awaits::Confirmation);
            }
            Event::AgentCustomToolUse(_) => self.wait_for(recorded.id, Awaits::Result),
            Event::ResultDeadline(deadline) => self.limit(deadline),
            Event::UserToolConfirmation(word) => self.answered(word.tool_use_id, at),
            Event::UserCustomToolResult(result) => self.answered(result.custom_tool_use_id, at),
            Event::AgentToolResult(result) if !self.awaited.is_empty() => {
                self.answered(result.tool_use_id, at);
            }
            Event::AgentMcpToolResult(result) if !self.awaited.is_empty() => {
                self.answered(result.mcp_tool_use_id, at);
            }
            Event::PermissionJudged(said) => self.spend(&said.usage, said.cost_nano_dollars, at),
            Event::WebSearched(searched) => self.web_searches += searched.requests,
            Event::SessionStatusRunning(_) => self.enter(SessionStatus::Running, at),
            Event::SessionStatusIdle(_) => self.enter(SessionStatus::Idle, at),
            Event::SessionStatusRescheduled(_) => self.enter(SessionStatus::Rescheduling, at),
            Event::SessionStatusTerminated(_) => {
                self.enter(SessionStatus::Terminated, at);
                self.terminated_at = Some(at);
            }
            Event::ModelResponse(response) => {
                self.spend(&response.usage, response.cost_nano_dollars, at)
            }
            Event::ContextCompacted(compacted) => {
                self.spend(&compacted.usage, compacted.cost_nano_dollars, at);
            }
            Event::ModelFailed(failed) => {
                self.spend(&failed.usage, failed.cost_nano_dollars, at);
                self.retry_at = failed.retry_at;
            }
            Event::SessionUpdated(_) => self.change(at),
            Event::AgentMessage(_)
            | Event::AgentThinking(_)
            | Event::AgentToolUse(_)
            | Event::AgentToolResult(_)
            | Event::AgentMcpToolUse(_)
            | Event::AgentMcpToolResult(_)
            | Event::AgentThreadContextCompacted(_)
            | Event::SessionError(_)
            | Event::SessionUsage(_)
            | Event::SessionThreadStatusRunning(_)
            | Event::SessionThreadStatusIdle(_)
            | Event::SessionThreadStatusRescheduled(_)
            | Event::SessionThreadStatusTerminated(_)
            | Event::ModelRequestStart(_)
            | Event::ModelRequestEnd(_)
            | Event::SessionCreated(_)
            | Event::ToolStarted(_)
            | Event::Unknown { .. } => {}
        }
    }

    fn wait_for(&mut self, id: EventId, awaits: Awaits) {
        self.awaited.push(Awaited {
            id,
            awaits,
            deadline: None,
        });
    }

    fn limit(&mut self, deadline: &ResultDeadline) {
        let id = deadline.custom_tool_use_id;
        if let Some(awaited) = self.awaited.iter_mut().find(|awaited| awaited.id == id) {
            awaited.deadline = Some(deadline.at);
        }
    }

    fn input_processed(&mut self, received: Seq) {
        for waiting in [
            &mut self.queued,
            &mut self.interrupts,
            &mut self.system_messages,
        ] {
            waiting.retain(|seq| *seq != received);
        }
    }

    fn answered(&mut self, call: EventId, at: Timestamp) {
        self.awaited.retain(|awaited| awaited.id != call);
        self.updated_at = at;
    }

    fn enter(&mut self, status: SessionStatus, at: Timestamp) {
        if let Some(since) = self.running_since.take() {
            let micros = u64::try_from(at.since(since).as_micros()).unwrap_or(u64::MAX);
            self.active_micros = self.active_micros.saturating_add(micros);
        }
        if status == SessionStatus::Running {
            self.running_since = Some(at);
        }
        self.status = status;
        self.updated_at = at;
    }

    fn spend(&mut self, usage: &TokenUsage, cost_nano_dollars: u64, at: Timestamp) {
        self.tokens.add(usage);
        self.cost_nano_dollars = self.cost_nano_dollars.saturating_add(cost_nano_dollars);
        self.updated_at = at;
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it asks about by reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

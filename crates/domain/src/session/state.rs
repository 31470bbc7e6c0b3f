//! The fold: what a whole log amounts to. A runner has one; nothing else in memory is true.

use std::sync::Arc;

use hostler_protocol::agent::SessionAgent;
use hostler_protocol::event::{
    AgentToolResult, AgentToolUse, Draft, Epoch, EvaluatedPermission, Event, ModelFailed,
    ModelResponse, ModelStop, Recorded, Seq, StopDetails, StopReason, UserMessage,
};
use hostler_protocol::id::EventId;
use serde_json::value::RawValue;

use super::conversation::{Block, Conversation, Message, Role, tool_result_block, user_blocks};
use super::summary::{SessionStatus, Summary};

/// A call that the model made in its last response.
#[derive(Debug, Clone)]
pub struct ToolCall {
    /// The id of the `agent.tool_use` event.
    pub id: EventId,
    pub name: String,
    pub input: Arc<RawValue>,
    pub permission: EvaluatedPermission,
    pub(super) provider_id: String,
    /// Who recorded the intent to run it.
    pub(super) started_by: Option<Epoch>,
    pub(super) result: Option<AgentToolResult>,
}

/// An input that was received and is not yet part of the conversation.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    pub(super) seq: Seq,
    pub(super) id: EventId,
    pub(super) message: UserMessage,
}

/// A model request without an end.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenRequest {
    pub(super) id: EventId,
    pub(super) epoch: Epoch,
}

/// What a session's log amounts to up to `last_seq`.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) summary: Summary,
    pub(super) agent: Arc<SessionAgent>,
    pub(super) last_seq: Seq,
    pub(super) messages: Vec<Queued>,
    /// Interrupts that wait: the row and the event.
    pub(super) interrupts: Vec<(Seq, EventId)>,
    pub(super) conversation: Conversation,
    /// Calls of the response that is being recorded, until the response itself is.
    pub(super) announced: Vec<(EventId, AgentToolUse)>,
    pub(super) calls: Vec<ToolCall>,
    pub(super) open_request: Option<OpenRequest>,
    /// The last input that became part of the conversation, and the last that was answered.
    pub(super) last_input: Seq,
    pub(super) answered: Seq,
    pub(super) stop: (StopReason, Option<StopDetails>),
    /// A failure that no event has reported yet.
    pub(super) failure: Option<ModelFailed>,
    /// Failed attempts since the last answer.
    pub(super) attempts: u32,
    /// Tokens in the model's context at the end of the last request, as the provider counted.
    pub(super) context_tokens: u64,
    /// What was added to the conversation since, estimated.
    pub(super) added_tokens: u64,
    pub(super) context_overflowed: bool,
    /// Summaries since the model last answered.
    pub(super) compactions: u32,
}

impl State {
    /// The state after the first row of a log.
    ///
    /// # Panics
    /// If that row is not `hostler.session_created` at position 1: such a log is corrupt.
    pub fn new(first: &Recorded) -> Self {
        let Event::SessionCreated(created) = &first.event else {
            panic!(
                "a log starts with hostler.session_created, not {}",
                first.event.name()
            );
        };
        assert_eq!(first.seq, Seq(1), "a log starts at position 1");
        let name = created.agent.name.clone();
        Self {
            summary: Summary::new(created.session_thread_id, name, first.at),
            agent: Arc::new(created.agent.clone()),
            last_seq: first.seq,
            messages: Vec::new(),
            interrupts: Vec::new(),
            conversation: Conversation::default(),
            announced: Vec::new(),
            calls: Vec::new(),
            open_request: None,
            last_input: Seq::default(),
            answered: Seq::default(),
            stop: (StopReason::EndTurn, None),
            failure: None,
            attempts: 0,
            context_tokens: 0,
            added_tokens: 0,
            context_overflowed: false,
            compactions: 0,
        }
    }

    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }

    pub fn status(&self) -> SessionStatus {
        self.summary.status
    }

    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    pub fn agent(&self) -> &Arc<SessionAgent> {
        &self.agent
    }

    /// The conversation so far, oldest first.
    pub fn messages(&self) -> &[Message] {
        self.conversation.messages()
    }

    /// The last input that the next model call will see.
    pub fn last_input(&self) -> Seq {
        self.last_input
    }

    /// Failed attempts at the present model call.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether what a runner is doing right now has been interrupted.
    pub fn interrupted(&self) -> bool {
        !self.interrupts.is_empty() || self.summary.status == SessionStatus::Terminated
    }

    /// Folds the next row.
    ///
    /// # Panics
    /// On a gap in the positions: that is corruption, not input.
    pub fn apply(&mut self, recorded: &Recorded) {
        let expected = self.last_seq.next();
        assert_eq!(
            recorded.seq, expected,
            "the log has a gap before position {}",
            recorded.seq.0
        );
        self.last_seq = recorded.seq;
        self.summary.apply(recorded);
        match &recorded.event {
            Event::UserMessage(message) => self.messages.push(Queued {
                seq: recorded.seq,
                id: recorded.id,
                message: message.clone(),
            }),
            Event::UserInterrupt(_) => self.interrupts.push((recorded.seq, recorded.id)),
            Event::InputProcessed(processed) => {
                self.input_processed(recorded.seq, processed.received_seq);
            }
            Event::ModelRequestStart(_) => {
                self.failure = None;
                self.open_request = Some(OpenRequest {
                    id: recorded.id,
                    epoch: recorded.epoch,
                });
            }
            Event::ModelRequestEnd(_) => self.open_request = None,
            Event::AgentToolUse(call) => self.announced.push((recorded.id, call.clone())),
            Event::ModelResponse(response) => self.model_response(recorded.seq, response),
            Event::ModelFailed(failed) => self.model_failed(failed),
            Event::ToolStarted(started) => {
                if let Some(call) = self.call(started.tool_use_id) {
                    call.started_by = Some(recorded.epoch);
                }
            }
            Event::AgentToolResult(result) => self.tool_result(recorded.seq, result),
            Event::ContextCompacted(compacted) => {
                self.conversation.replace(&compacted.summary);
                self.context_tokens = u64::try_from(compacted.summary.len() / 4).unwrap_or(0);
                self.added_tokens = 0;
                self.context_overflowed = false;
                self.compactions += 1;
                self.attempts = 0;
            }
            Event::SessionStatusRunning(_) | Event::SessionStatusRescheduled(_) => {
                self.failure = None;
            }
            Event::SessionStatusIdle(_) => {
                self.failure = None;
                self.attempts = 0;
                self.compactions = 0;
                // Whatever was unanswered stays in the conversation for the next turn.
                self.answered = self.last_input;
            }
            Event::SessionUpdated(updated) => {
                if let Some(agent) = &updated.agent {
                    self.agent = Arc::new(SessionAgent::clone(agent));
                }
            }
            Event::AgentMessage(_)
            | Event::AgentThinking(_)
            | Event::AgentThreadContextCompacted(_)
            | Event::SessionStatusTerminated(_)
            | Event::SessionError(_)
            | Event::SessionUsage(_)
            | Event::SessionThreadStatusRunning(_)
            | Event::SessionThreadStatusIdle(_)
            | Event::SessionThreadStatusRescheduled(_)
            | Event::SessionThreadStatusTerminated(_)
            | Event::SessionCreated(_)
            | Event::Unknown { .. } => {}
        }
    }

    /// Folds an event that is not in the log yet, as the row that it will be.
    pub fn apply_draft(&mut self, draft: &Draft, epoch: Epoch) {
        let recorded = draft.clone().recorded(self.last_seq.next(), epoch);
        self.apply(&recorded);
    }

    fn call(&mut self, id: EventId) -> Option<&mut ToolCall> {
        self.calls.iter_mut().find(|call| call.id == id)
    }

    fn input_processed(&mut self, seq: Seq, received: Seq) {
        self.interrupts.retain(|(row, _)| *row != received);
        let Some(position) = self
            .messages
            .iter()
            .position(|queued| queued.seq == received)
        else {
            return;
        };
        let queued = self.messages.remove(position);
        self.add(Role::User, user_blocks(&queued.message.content));
        self.last_input = seq;
    }

    fn add(&mut self, role: Role, blocks: Vec<Block>) {
        self.added_tokens += blocks.iter().map(Block::estimated_tokens).sum::<u64>();
        self.conversation.push(role, blocks);
    }

    fn model_response(&mut self, seq: Seq, response: &ModelResponse) {
        let announced = std::mem::take(&mut self.announced);
        self.calls = response
            .tool_uses
            .iter()
            .filter_map(|used| {
                let (id, call) = announced.iter().find(|(id, _)| *id == used.event_id)?;
                Some(ToolCall {
                    id: *id,
                    name: call.name.clone(),
                    input: Arc::from(call.input.clone()),
                    permission: call.evaluated_permission,
                    provider_id: used.provider_id.clone(),
                    started_by: None,
                    result: None,
                })
            })
            .collect();
        let blocks = response
            .blocks
            .iter()
            .map(|block| Block::Json(Arc::from(block.clone())));
        self.conversation.push(Role::Assistant, blocks.collect());
        self.answered = response.based_on;
        self.context_tokens = response.usage.context_tokens();
        self.added_tokens = 0;
        self.attempts = 0;
        self.compactions = 0;
        self.stop = match &response.stop {
            ModelStop::Refusal {
                category,
                explanation,
            } => {
                let details = StopDetails::Refusal {
                    category: category.clone(),
                    explanation: explanation.clone(),
                };
                (StopReason::Refusal, Some(details))
            }
            ModelStop::PauseTurn => {
                // The provider's own wish to be called again counts as input.
                self.last_input = seq;
                (StopReason::EndTurn, None)
            }
            ModelStop::EndTurn | ModelStop::ToolUse | ModelStop::MaxTokens => {
                (StopReason::EndTurn, None)
            }
        };
    }

    fn model_failed(&mut self, failed: &ModelFailed) {
        self.announced.clear();
        self.attempts += 1;
        self.context_overflowed |= failed.context_too_long;
        self.failure = Some(failed.clone());
    }

    fn tool_result(&mut self, seq: Seq, result: &AgentToolResult) {
        if let Some(call) = self.call(result.tool_use_id) {
            call.result = Some(result.clone());
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
    }
}

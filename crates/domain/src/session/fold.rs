//! The fold: how each row of the log changes the [`State`].

use std::sync::Arc;

use hostler_protocol::agent::SessionAgent;
use hostler_protocol::event::{
    AgentToolResult, Draft, Epoch, Event, ModelFailed, ModelResponse, ModelStop, Recorded, Seq,
    StopDetails, StopReason,
};
use hostler_protocol::id::EventId;

use super::conversation::{Block, Role, assistant_blocks, tool_result_block, user_blocks};
use super::state::{Interrupt, OpenRequest, Queued, State, ToolCall};
use super::summary::SessionStatus;

/// Pauses in a row that a provider is granted before the turn counts as ended.
const PAUSES_MAX: u32 = 32;

impl State {
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
        let at_rest = self.summary.status == SessionStatus::Idle;
        self.summary.apply(recorded);
        match &recorded.event {
            Event::UserMessage(message) => self.messages.push(Queued {
                seq: recorded.seq,
                id: recorded.id,
                message: message.clone(),
            }),
            Event::UserInterrupt(_) => self.interrupts.push(Interrupt {
                seq: recorded.seq,
                id: recorded.id,
                came_at_rest: at_rest,
            }),
            Event::InputProcessed(processed) => {
                self.input_processed(recorded.seq, processed.received_seq);
            }
            Event::ModelRequestStart(_) => {
                self.failure = None;
                self.announced.clear();
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
            Event::ContextCompacted(compacted) => self.compacted(&compacted.summary),
            Event::SessionStatusRunning(_) => {
                self.failure = None;
                if at_rest {
                    self.turn_started = recorded.seq;
                }
            }
            Event::SessionStatusRescheduled(_) => self.failure = None,
            Event::SessionStatusIdle(_) => self.came_to_rest(),
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

    fn came_to_rest(&mut self) {
        self.failure = None;
        self.stop = (StopReason::EndTurn, None);
        self.attempts = 0;
        self.overflows = 0;
        self.pauses = 0;
        self.compactions = 0;
        self.tool_rounds = 0;
        // Whatever was unanswered stays in the conversation for the next turn.
        self.answered = self.last_input;
    }

    fn compacted(&mut self, summary: &str) {
        self.conversation.replace(summary);
        self.context_tokens = u64::try_from(summary.len() / 4).unwrap_or(0);
        self.added_tokens = 0;
        self.context_overflowed = false;
        self.overflows = 0;
        self.compactions += 1;
        self.attempts = 0;
    }

    fn call(&mut self, id: EventId) -> Option<&mut ToolCall> {
        self.calls.iter_mut().find(|call| call.id == id)
    }

    fn input_processed(&mut self, seq: Seq, received: Seq) {
        self.interrupts.retain(|waiting| waiting.seq != received);
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
        self.tool_rounds = 0;
    }

    fn add(&mut self, role: Role, blocks: Vec<Block>) {
        let tokens = blocks.iter().map(Block::estimated_tokens).sum();
        self.added_tokens = self.added_tokens.saturating_add(tokens);
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
        self.add(
            Role::Assistant,
            assistant_blocks(&response.blocks, &self.calls),
        );
        self.answered = response.based_on;
        // Some providers count nothing: then the estimate goes on growing.
        let counted = response.usage.context_tokens();
        if counted > 0 {
            self.context_tokens = counted;
            self.added_tokens = 0;
        }
        self.attempts = 0;
        self.overflows = 0;
        self.compactions = 0;
        if !self.calls.is_empty() {
            self.tool_rounds += 1;
        }
        self.model_stopped(seq, &response.stop);
    }

    fn model_stopped(&mut self, seq: Seq, stop: &ModelStop) {
        self.pauses = match stop {
            ModelStop::PauseTurn => self.pauses + 1,
            ModelStop::EndTurn
            | ModelStop::ToolUse
            | ModelStop::MaxTokens
            | ModelStop::Refusal { .. } => 0,
        };
        self.stop = match stop {
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
            ModelStop::PauseTurn if self.pauses <= PAUSES_MAX => {
                // The provider's own wish to be called again counts as input.
                self.last_input = seq;
                (StopReason::EndTurn, None)
            }
            ModelStop::PauseTurn
            | ModelStop::EndTurn
            | ModelStop::ToolUse
            | ModelStop::MaxTokens => (StopReason::EndTurn, None),
        };
    }

    fn model_failed(&mut self, failed: &ModelFailed) {
        self.announced.clear();
        self.attempts += 1;
        if failed.context_too_long {
            // What follows is another request, with all its attempts.
            self.attempts = 0;
            self.context_overflowed = true;
            self.overflows += 1;
        }
        if failed.rejected {
            // Media that a provider can't read would make every later request fail as well.
            self.conversation.leave_out_unanswered_media();
        }
        self.failure = Some(failed.clone());
    }

    fn tool_result(&mut self, seq: Seq, result: &AgentToolResult) {
        let Some(call) = self.call(result.tool_use_id) else {
            return;
        };
        // The first result is the one that clients have seen.
        call.result.get_or_insert_with(|| result.clone());
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

    /// Whether the model's last answer was a refusal.
    pub(super) fn refused(&self) -> bool {
        self.stop.0 == StopReason::Refusal
    }
}

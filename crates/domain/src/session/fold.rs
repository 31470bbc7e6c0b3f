//! The fold: how each row of the log changes the [`State`].

use std::sync::Arc;

use hostler_protocol::agent::SessionAgent;
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{
    Draft, Epoch, Event, ModelFailed, ModelResponse, ModelStop, Recorded, Seq, StopDetails,
    StopReason,
};

use super::calls::{Announced, ToolCall};
use super::conversation::{Block, Role, assistant_blocks, user_blocks};
use super::state::{Interrupt, OpenRequest, Queued, QueuedInput, State};
use super::summary::SessionStatus;
use crate::web::{AddressRow, AddressSource, holds_address};

/// Pauses in a row that a provider is granted before the turn counts as ended.
const PAUSES_MAX: u32 = 32;
/// Messages and results that may name addresses: of more the oldest are forgotten.
const ADDRESS_ROWS_MAX: usize = 4_096;

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
            Event::UserMessage(_) | Event::SystemMessage(_) => self.queue(recorded),
            Event::UserInterrupt(_) => self.interrupts.push(Interrupt {
                seq: recorded.seq,
                id: recorded.id,
                came_at_rest: at_rest,
            }),
            Event::InputProcessed(processed) => {
                self.input_processed(recorded.seq, processed.received_seq);
            }
            Event::ModelRequestStart(_) => self.model_request_started(recorded),
            Event::ModelRequestEnd(_) => self.open_request = None,
            Event::AgentToolUse(_) | Event::AgentCustomToolUse(_) | Event::AgentMcpToolUse(_) => {
                let announced = Announced::from_event(&recorded.event);
                self.announced.extend(announced.map(|call| (recorded.id, call)));
            }
            Event::UserToolConfirmation(confirmation) => self.confirmed(confirmation),
            Event::UserCustomToolResult(result) => self.custom_result(recorded.seq, result),
            Event::ModelResponse(response) => self.model_response(recorded.seq, response),
            Event::ModelFailed(failed) => self.model_failed(failed),
            Event::ToolStarted(started) => {
                if let Some(call) = self.call(started.tool_use_id) {
                    call.started_by = Some(recorded.epoch);
                }
            }
            Event::AgentToolResult(result) => self.tool_result(recorded.seq, result),
            Event::AgentMcpToolResult(result) => self.mcp_result(recorded.seq, result),
            Event::ContextCompacted(compacted) => self.compacted(&compacted.summary),
            Event::SessionStatusRunning(_) => {
                self.failure = None;
                let resumes = std::mem::take(&mut self.paused);
                if at_rest && !resumes {
                    self.turn_started = recorded.seq;
                }
            }
            Event::SessionStatusRescheduled(_) => self.failure = None,
            Event::SessionStatusIdle(idle) => self.came_to_rest(&idle.stop_reason),
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
            // Those three are for the summary.
            | Event::ResultDeadline(_)
            | Event::PermissionJudged(_)
            | Event::WebSearched(_)
            | Event::Unknown { .. } => {}
        }
    }

    /// Folds an event that is not in the log yet, as the row that it will be.
    pub fn apply_draft(&mut self, draft: &Draft, epoch: Epoch) {
        let recorded = draft.clone().recorded(self.last_seq.next(), epoch);
        self.apply(&recorded);
    }

    fn queue(&mut self, recorded: &Recorded) {
        self.queued.extend(
            QueuedInput::from_event(&recorded.event).map(|input| Queued {
                seq: recorded.seq,
                id: recorded.id,
                input,
            }),
        );
    }

    fn model_request_started(&mut self, recorded: &Recorded) {
        self.failure = None;
        self.announced.clear();
        self.open_request = Some(OpenRequest {
            id: recorded.id,
            epoch: recorded.epoch,
        });
    }

    fn came_to_rest(&mut self, reason: &StopReason) {
        self.paused = matches!(reason, StopReason::RequiresAction { .. });
        if self.paused {
            // The turn is not over.
            return;
        }
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

    fn input_processed(&mut self, seq: Seq, received: Seq) {
        self.interrupts.retain(|waiting| waiting.seq != received);
        let Some(position) = self.queued.iter().position(|one| one.seq == received) else {
            return;
        };
        let queued = self.queued.remove(position);
        match queued.input {
            QueuedInput::Message(message) => {
                self.addresses(queued.seq, AddressSource::User, &message.content);
                self.add(Role::User, user_blocks(&message.content));
                self.intent.add(&message);
                self.tool_rounds = 0;
            }
            QueuedInput::System(message) => {
                self.add(Role::System, user_blocks(&message.content));
            }
        }
        self.last_input = seq;
    }

    /// Remembers a row that may name addresses.
    pub(super) fn addresses(&mut self, seq: Seq, source: AddressSource, content: &[ContentBlock]) {
        if !holds_address(content, &source) {
            return;
        }
        if self.address_rows.len() >= ADDRESS_ROWS_MAX {
            self.address_rows.pop_front();
        }
        self.address_rows.push_back(AddressRow { seq, source });
    }

    pub(super) fn add(&mut self, role: Role, blocks: Vec<Block>) {
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
                let (_, call) = announced.iter().find(|(id, _)| *id == used.event_id)?;
                Some(ToolCall::new(used, call))
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

    /// Whether the model's last answer was a refusal.
    pub(super) fn refused(&self) -> bool {
        self.stop.0 == StopReason::Refusal
    }
}

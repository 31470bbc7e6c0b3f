//! The events that end a turn, in the order of the contract: usage directly before idle, and
//! idle last.

use hostler_protocol::Timestamp;
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{
    AgentToolResult, Empty, Event, InputProcessed, ModelRequestEnd, ModelUsage, RetryStatus,
    SessionError, SessionErrorEvent, SessionErrorKind, SessionIdle, SessionUsageEvent, StopDetails,
    StopReason, ThreadIdle, ThreadStatus,
};
use hostler_protocol::id::EventId;

use super::state::{Interrupt, Queued, State};

/// What a call that an interrupt cut off answers. The contract fixes the words.
const INTERRUPTED: &str = "Tool execution was interrupted before completion. Please retry.";
/// What a call answers that came with a refusal: a model that declines is not obeyed.
const REFUSED: &str = "The model declined to go on, so this tool was not run.";
/// What a call answers that was under way when the server ended.
const OUTCOME_UNKNOWN: &str = "The server was restarted while this tool was running. The call was \
     interrupted and may or may not have taken effect; it was not run again. Check what it did \
     before you repeat it.";

impl State {
    pub(super) fn come_to_rest(
        &self,
        stop_reason: StopReason,
        stop_details: Option<StopDetails>,
        now: Timestamp,
    ) -> Vec<Event> {
        vec![
            Event::SessionThreadStatusIdle(ThreadIdle {
                session_thread_id: self.summary.thread,
                agent_name: self.summary.agent_name.clone(),
                stop_reason,
                stop_details: stop_details.clone(),
            }),
            Event::SessionUsage(SessionUsageEvent {
                usage: self.summary.usage(now),
                budget: (),
            }),
            Event::SessionStatusIdle(SessionIdle {
                stop_reason,
                stop_details,
            }),
        ]
    }

    /// Every waiting interrupt is applied at once: open work is closed, the turn is over.
    pub(super) fn close_interrupted(&self, now: Timestamp) -> Vec<Event> {
        // What began this turn ends with it, even if no runner has looked at it yet; what came
        // later begins the next one.
        let mut events: Vec<Event> = self
            .messages
            .iter()
            .filter(|queued| queued.seq < self.turn_started)
            .map(taken)
            .collect();
        events.extend(self.take_interrupts());
        if let Some(request) = self.open_request {
            events.push(request_end(request.id, None));
        }
        let unanswered = self.calls.iter().filter(|call| call.result.is_none());
        events.extend(unanswered.map(|call| failed_result(call.id, INTERRUPTED)));
        events.extend(self.come_to_rest(StopReason::EndTurn, None, now));
        events
    }

    /// Takes every waiting message into the conversation.
    pub(super) fn take_messages(&self) -> Vec<Event> {
        self.messages.iter().map(taken).collect()
    }

    pub(super) fn take_interrupts(&self) -> Vec<Event> {
        let take = |interrupt: &Interrupt| {
            Event::InputProcessed(InputProcessed {
                event_id: interrupt.id,
                event_type: "user.interrupt".to_owned(),
                received_seq: interrupt.seq,
            })
        };
        self.interrupts.iter().map(take).collect()
    }

    /// The turn can't go on: say why, and rest.
    pub(super) fn give_up(
        &self,
        kind: SessionErrorKind,
        message: &str,
        now: Timestamp,
    ) -> Vec<Event> {
        // Waiting messages join the conversation: the next message brings them to the model.
        let mut events = self.take_messages();
        events.push(session_error(kind, message, RetryStatus::Exhausted));
        events.extend(self.come_to_rest(StopReason::RetriesExhausted, None, now));
        events
    }

    pub(super) fn reschedule(&self, kind: SessionErrorKind, message: &str) -> Vec<Event> {
        vec![
            session_error(kind, message, RetryStatus::Retrying),
            Event::SessionThreadStatusRescheduled(ThreadStatus {
                session_thread_id: self.summary.thread,
                agent_name: self.summary.agent_name.clone(),
            }),
            Event::SessionStatusRescheduled(Empty {}),
        ]
    }
}

fn taken(queued: &Queued) -> Event {
    Event::InputProcessed(InputProcessed {
        event_id: queued.id,
        event_type: "user.message".to_owned(),
        received_seq: queued.seq,
    })
}

pub(super) fn not_run_after_refusal(call: EventId) -> Event {
    failed_result(call, REFUSED)
}

/// The result of a call that was begun and whose own result can't be had any more.
pub fn outcome_unknown(call: EventId) -> Event {
    failed_result(call, OUTCOME_UNKNOWN)
}

pub(super) fn permission_denied(call: EventId, tool: &str) -> Event {
    failed_result(call, &format!("Permission to use {tool} has been denied."))
}

pub(super) fn request_end(start: EventId, is_error: Option<bool>) -> Event {
    Event::ModelRequestEnd(ModelRequestEnd {
        model_request_start_id: start,
        is_error,
        model_usage: ModelUsage::default(),
    })
}

fn failed_result(call: EventId, text: &str) -> Event {
    Event::AgentToolResult(AgentToolResult {
        tool_use_id: call,
        content: vec![ContentBlock::text(text)],
        is_error: true,
    })
}

fn session_error(kind: SessionErrorKind, message: &str, retry_status: RetryStatus) -> Event {
    let error = SessionError::new(kind, message, retry_status);
    Event::SessionError(SessionErrorEvent { error })
}

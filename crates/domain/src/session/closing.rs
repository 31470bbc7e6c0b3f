//! The events that end a turn, in the order of the contract: usage directly before idle, and
//! idle last.

use hostler_protocol::Timestamp;
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{
    CustomToolResult, Empty, Event, InputProcessed, ModelRequestEnd, ModelUsage, RetryStatus,
    SessionError, SessionErrorEvent, SessionErrorKind, SessionIdle, SessionUsageEvent, StopDetails,
    StopReason, ThreadIdle, ThreadStatus,
};
use hostler_protocol::id::EventId;

use super::calls::{Standing, ToolCall};
use super::state::{Interrupt, Queued, QueuedInput, State};
use super::summary::Summary;

/// What a call that an interrupt cut off answers. The contract fixes the words.
const INTERRUPTED: &str = "Tool execution was interrupted before completion. Please retry.";
/// What a call answers that came with a refusal: a model that declines is not obeyed.
const REFUSED: &str = "The model declined to go on, so this tool was not run.";
/// What a call answers that was under way when the server ended.
const OUTCOME_UNKNOWN: &str = "The server was restarted while this tool was running. The call was \
     interrupted and may or may not have taken effect; it was not run again. Check what it did \
     before you repeat it.";
/// What a call of a custom tool answers that the client has not answered in time.
const NOT_ANSWERED: &str = "The client did not answer this call in the time that it had. The call \
     may or may not have taken effect.";

impl State {
    pub(super) fn come_to_rest(
        &self,
        stop_reason: StopReason,
        stop_details: Option<StopDetails>,
        now: Timestamp,
    ) -> Vec<Event> {
        come_to_rest(&self.summary, stop_reason, stop_details, now).into()
    }

    /// The session rests until the client has answered every call that waits for it.
    pub(super) fn wait_for_client(&self, now: Timestamp) -> Vec<Event> {
        let event_ids = self.pending(now);
        self.come_to_rest(StopReason::RequiresAction { event_ids }, None, now)
    }

    /// An interrupt comes while the client has something to answer: the calls are closed, and the
    /// model is not asked.
    pub(super) fn close_paused(&self, now: Timestamp) -> Vec<Event> {
        let mut events = self.take_interrupts();
        events.extend(self.close_calls());
        events.extend(self.come_to_rest(StopReason::EndTurn, None, now));
        events
    }

    fn close_calls(&self) -> impl Iterator<Item = Event> {
        let unanswered = self.calls.iter().filter(|call| call.result.is_none());
        unanswered.map(|call| failed_result(call, INTERRUPTED))
    }

    /// Every waiting interrupt is applied at once: open work is closed, the turn is over.
    pub(super) fn close_interrupted(&self, now: Timestamp) -> Vec<Event> {
        // What began this turn ends with it, even if no runner has looked at it yet; what came
        // later begins the next one.
        let began = self.queued.iter();
        let mut events = self.take(began.filter(|queued| queued.seq < self.turn_started));
        events.extend(self.take_interrupts());
        if let Some(request) = self.open_request {
            events.push(request_end(request.id, None));
        }
        events.extend(self.close_calls());
        events.extend(self.come_to_rest(StopReason::EndTurn, None, now));
        events
    }

    /// Takes what waits into the conversation, in the order in which it came.
    pub(super) fn take_queued(&self) -> Vec<Event> {
        self.take(self.queued.iter())
    }

    /// Words of the system that wait at the head follow the first message: models take them behind
    /// words of a user only. Where there are none, they go on waiting.
    fn take<'q>(&self, queued: impl Iterator<Item = &'q Queued>) -> Vec<Event> {
        let mut queued: Vec<&Queued> = queued.collect();
        match queued.iter().position(|queued| queued.is_message()) {
            Some(first) => queued[..=first].rotate_right(1),
            None if self.conversation.ends_with_the_user() => {}
            None => queued.clear(),
        }
        queued.into_iter().map(taken).collect()
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
        let mut events = self.take_queued();
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

/// Usage directly before idle, and idle last.
pub(super) fn come_to_rest(
    summary: &Summary,
    stop_reason: StopReason,
    stop_details: Option<StopDetails>,
    now: Timestamp,
) -> [Event; 3] {
    [
        Event::SessionThreadStatusIdle(ThreadIdle {
            session_thread_id: summary.thread,
            agent_name: summary.agent_name.clone(),
            stop_reason: stop_reason.clone(),
            stop_details: stop_details.clone(),
        }),
        Event::SessionUsage(SessionUsageEvent {
            usage: summary.usage(now),
            budget: (),
        }),
        Event::SessionStatusIdle(SessionIdle {
            stop_reason,
            stop_details,
        }),
    ]
}

fn taken(queued: &Queued) -> Event {
    let name = match queued.input {
        QueuedInput::Message(_) => "user.message",
        QueuedInput::System(_) => "system.message",
    };
    Event::InputProcessed(InputProcessed {
        event_id: queued.id,
        event_type: name.to_owned(),
        received_seq: queued.seq,
    })
}

pub(super) fn not_run_after_refusal(call: &ToolCall) -> Event {
    failed_result(call, REFUSED)
}

/// The result of a call that was begun and whose own result can't be had any more.
pub fn outcome_unknown(call: &ToolCall) -> Event {
    failed_result(call, OUTCOME_UNKNOWN)
}

pub(super) fn permission_denied(call: &ToolCall) -> Event {
    let tool = &call.name;
    failed_result(call, &format!("Permission to use {tool} has been denied."))
}

pub(super) fn permission_rejected(call: &ToolCall, message: Option<&str>) -> Event {
    let rejected = format!("Permission to use {} has been rejected.", call.name);
    match message.filter(|message| !message.trim().is_empty()) {
        Some(message) => failed_result(call, &format!("{rejected} Rejection message: {message}")),
        None => failed_result(call, &rejected),
    }
}

pub(super) fn deadline_passed(call: &ToolCall) -> Event {
    failed_result(call, NOT_ANSWERED)
}

pub(super) fn request_end(start: EventId, is_error: Option<bool>) -> Event {
    Event::ModelRequestEnd(ModelRequestEnd {
        model_request_start_id: start,
        is_error,
        model_usage: ModelUsage::default(),
    })
}

/// The kind of event by which clients know that this call is answered.
fn failed_result(call: &ToolCall, text: &str) -> Event {
    match call.standing {
        Standing::Custom => Event::UserCustomToolResult(CustomToolResult {
            custom_tool_use_id: call.id,
            content: vec![ContentBlock::text(text)],
            is_error: true,
        }),
        Standing::Allowed | Standing::Denied | Standing::Asked | Standing::Rejected { .. } => {
            call.answered(vec![ContentBlock::text(text)], true)
        }
    }
}

fn session_error(kind: SessionErrorKind, message: &str, retry_status: RetryStatus) -> Event {
    let error = SessionError::new(kind, message, retry_status);
    Event::SessionError(SessionErrorEvent { error })
}

//! May this input be taken now, and what is recorded if so.
//!
//! The answer depends on the session's [`Summary`] alone and is given in the transaction that
//! appends, so two clients can't both pass a check that only one of them may. For an answer to a
//! call that doesn't wait any more the log is asked before: what a call was never changes.

use hostler_protocol::Timestamp;
use hostler_protocol::event::{
    CustomToolResult, Empty, Event, StopReason, SystemMessage, ThreadStatus, ToolConfirmation,
    UserInterrupt, UserMessage,
};
use hostler_protocol::id::EventId;

use super::closing::come_to_rest;
use super::summary::{Awaits, SessionStatus, Summary};

/// Inputs that may wait in one session.
pub(super) const QUEUED_INPUTS_MAX: usize = 1_000;
/// Beyond that, room for interrupts alone: a session whose queue is full can still be stopped.
const QUEUED_INTERRUPTS_EXTRA: usize = 100;
/// Calls that a refusal names.
const NAMED_CALLS_MAX: usize = 8;

/// An event that a client sends.
#[derive(Debug, Clone)]
pub enum Input {
    Message(UserMessage),
    Interrupt(UserInterrupt),
    System(SystemMessage),
    /// With what the log says of the call, if it has one by this id.
    Confirmation(ToolConfirmation, Option<CallSeen>),
    CustomToolResult(CustomToolResult, Option<CallSeen>),
}

/// What an id in the log stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallSeen {
    /// A call that needs, or needed, a confirmation.
    Asked,
    /// A call of a custom tool.
    Custom,
    /// A call that nobody was asked about.
    Other,
}

impl From<Awaits> for CallSeen {
    fn from(awaits: Awaits) -> Self {
        match awaits {
            Awaits::Confirmation => Self::Asked,
            Awaits::Result => Self::Custom,
        }
    }
}

/// Why an input is not taken. All are a 400 on the wire; the text is for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("Cannot send events to a terminated session")]
    Terminated,
    #[error(
        "Cannot {operation} session while it is {status}. Send a user.interrupt and wait for session.status_idle first."
    )]
    Busy {
        operation: &'static str,
        status: &'static str,
    },
    #[error(
        "events: {QUEUED_INPUTS_MAX} events wait to be processed already; wait until the session has taken some"
    )]
    QueueFull,
    #[error("events.{position}.session_thread_id: no such thread in this session")]
    UnknownThread { position: usize },
    #[error(
        "events.{position}: the session waits for an answer to {calls}; send a user.tool_confirmation or a user.custom_tool_result for each, or a user.interrupt in front of this event"
    )]
    WaitsForAction { position: usize, calls: String },
    #[error("events.{position}.{key}: no tool call of this session has this id")]
    UnknownCall { position: usize, key: &'static str },
    #[error(
        "events.{position}.tool_use_id: this call needs no confirmation: its evaluated_permission is not 'ask'"
    )]
    NotAsked { position: usize },
    #[error(
        "events.{position}.custom_tool_use_id: this is no call of a custom tool; the server runs it"
    )]
    NotCustom { position: usize },
}

/// What is recorded of a request.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// One for each input; `None` for an answer to a call that was answered already, which is
    /// taken and changes nothing.
    pub inputs: Vec<Option<Event>>,
    /// What follows at once.
    pub then: Vec<Event>,
}

impl Accepted {
    pub fn into_events(self) -> impl Iterator<Item = Event> {
        self.inputs.into_iter().flatten().chain(self.then)
    }
}

/// What to append for `inputs`.
///
/// A message to an idle session moves it to running in the same breath, and so does the last
/// answer to what a session waits for, so that no reader ever sees an idle session that has work.
pub fn accept(summary: &Summary, inputs: Vec<Input>, now: Timestamp) -> Result<Accepted, Refusal> {
    if summary.status == SessionStatus::Terminated {
        return Err(Refusal::Terminated);
    }
    check_room(summary, &inputs)?;
    let mut reading = Reading::new(summary);
    let inputs: Vec<Option<Event>> = inputs
        .into_iter()
        .enumerate()
        .map(|(position, input)| reading.take(position, input))
        .collect::<Result<_, _>>()?;
    let then = reading.what_follows(now);
    Ok(Accepted { inputs, then })
}

fn check_room(summary: &Summary, inputs: &[Input]) -> Result<(), Refusal> {
    let waits = |input: &&Input| {
        matches!(
            input,
            Input::Message(_) | Input::Interrupt(_) | Input::System(_)
        )
    };
    let (count, only_interrupts) = (
        inputs.iter().filter(waits).count(),
        inputs
            .iter()
            .all(|input| matches!(input, Input::Interrupt(_))),
    );
    let extra = if only_interrupts {
        QUEUED_INTERRUPTS_EXTRA
    } else {
        0
    };
    match count > 0 && summary.queued.len() + count > QUEUED_INPUTS_MAX + extra {
        true => Err(Refusal::QueueFull),
        false => Ok(()),
    }
}

/// The state of a session as the inputs of one request change it.
struct Reading<'s> {
    summary: &'s Summary,
    /// Calls that are not answered yet.
    awaited: Vec<(EventId, Awaits)>,
    has_message: bool,
    /// In this request, or by one that no runner has looked at.
    is_interrupted: bool,
}

impl<'s> Reading<'s> {
    fn new(summary: &'s Summary) -> Self {
        let awaited = summary.awaited.iter().map(|one| (one.id, one.awaits));
        Self {
            summary,
            awaited: awaited.collect(),
            has_message: false,
            is_interrupted: !summary.interrupts.is_empty(),
        }
    }

    fn take(&mut self, position: usize, input: Input) -> Result<Option<Event>, Refusal> {
        match input {
            Input::Interrupt(interrupt) => {
                let thread = interrupt.session_thread_id;
                if thread.is_some_and(|thread| thread != self.summary.thread) {
                    return Err(Refusal::UnknownThread { position });
                }
                self.is_interrupted = true;
                Ok(Some(Event::UserInterrupt(interrupt)))
            }
            Input::Message(message) => {
                self.check_free(position)?;
                self.has_message = true;
                Ok(Some(Event::UserMessage(message)))
            }
            Input::System(message) => {
                // What it stands behind was taken, so only one that stands alone is in question.
                if position == 0 {
                    self.check_free(position)?;
                }
                Ok(Some(Event::SystemMessage(message)))
            }
            Input::Confirmation(confirmation, seen) => {
                let id = confirmation.tool_use_id;
                let key = "tool_use_id";
                match self.seen(id, seen) {
                    Some(CallSeen::Asked) => Ok(self
                        .answer(id)
                        .then_some(Event::UserToolConfirmation(confirmation))),
                    Some(CallSeen::Custom | CallSeen::Other) => Err(Refusal::NotAsked { position }),
                    None => Err(Refusal::UnknownCall { position, key }),
                }
            }
            Input::CustomToolResult(result, seen) => {
                let id = result.custom_tool_use_id;
                let key = "custom_tool_use_id";
                match self.seen(id, seen) {
                    Some(CallSeen::Custom) => Ok(self
                        .answer(id)
                        .then_some(Event::UserCustomToolResult(result))),
                    Some(CallSeen::Asked | CallSeen::Other) => Err(Refusal::NotCustom { position }),
                    None => Err(Refusal::UnknownCall { position, key }),
                }
            }
        }
    }

    /// While the client has something to answer, only an interrupt makes room for something else.
    fn check_free(&self, position: usize) -> Result<(), Refusal> {
        let is_idle = self.summary.status == SessionStatus::Idle;
        if !is_idle || self.is_interrupted || self.awaited.is_empty() {
            return Ok(());
        }
        let named = self.awaited.iter().take(NAMED_CALLS_MAX);
        let mut calls: Vec<String> = named.map(|(id, _)| id.to_string()).collect();
        if self.awaited.len() > calls.len() {
            calls.push(format!("{} more", self.awaited.len() - calls.len()));
        }
        let calls = calls.join(", ");
        Err(Refusal::WaitsForAction { position, calls })
    }

    fn seen(&self, id: EventId, seen: Option<CallSeen>) -> Option<CallSeen> {
        let awaited = self.summary.awaited.iter().find(|awaited| awaited.id == id);
        awaited.map(|awaited| awaited.awaits.into()).or(seen)
    }

    /// Whether it is the first answer.
    fn answer(&mut self, id: EventId) -> bool {
        let before = self.awaited.len();
        self.awaited.retain(|(awaited, _)| *awaited != id);
        self.awaited.len() < before
    }

    fn what_follows(&self, now: Timestamp) -> Vec<Event> {
        let summary = self.summary;
        let was_waiting = !summary.awaited.is_empty();
        if summary.status != SessionStatus::Idle {
            return Vec::new();
        }
        if was_waiting && !self.is_interrupted {
            if self.awaited.is_empty() {
                return start_of_turn(summary).into();
            }
            if self.awaited.len() < summary.awaited.len() {
                let event_ids = self.awaited.iter().map(|(id, _)| *id).collect();
                let reason = StopReason::RequiresAction { event_ids };
                return come_to_rest(summary, reason, None, now).into();
            }
            return Vec::new();
        }
        // A runner closes what an interrupt has come upon first.
        let is_free = !was_waiting && summary.interrupts.is_empty();
        match self.has_message && is_free {
            true => start_of_turn(summary).into(),
            false => Vec::new(),
        }
    }
}

/// The session and its primary thread begin to run.
pub(super) fn start_of_turn(summary: &Summary) -> [Event; 2] {
    let thread = ThreadStatus {
        session_thread_id: summary.thread,
        agent_name: summary.agent_name.clone(),
    };
    [
        Event::SessionStatusRunning(Empty {}),
        Event::SessionThreadStatusRunning(thread),
    ]
}

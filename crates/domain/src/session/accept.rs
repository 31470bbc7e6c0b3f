//! May this input be taken now, and what is recorded if so.
//!
//! The answer depends on the session's [`Summary`] alone and is given in the transaction that
//! appends, so two clients can't both pass a check that only one of them may.

use hostler_protocol::event::{Empty, Event, ThreadStatus, UserInterrupt, UserMessage};

use super::summary::{SessionStatus, Summary};

/// Inputs that may wait in one session.
pub(super) const QUEUED_INPUTS_MAX: usize = 1_000;
/// Beyond that, room for interrupts alone: a session whose queue is full can still be stopped.
const QUEUED_INTERRUPTS_EXTRA: usize = 100;

/// An event that a client sends.
#[derive(Debug, Clone)]
pub enum Input {
    Message(UserMessage),
    Interrupt(UserInterrupt),
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
}

impl From<Input> for Event {
    fn from(input: Input) -> Self {
        match input {
            Input::Message(message) => Self::UserMessage(message),
            Input::Interrupt(interrupt) => Self::UserInterrupt(interrupt),
        }
    }
}

/// The events to append for `inputs`: these first, one for one, then what follows at once.
///
/// A message to an idle session moves it to running in the same breath, so that no reader ever
/// sees an idle session that has work.
pub fn accept(summary: &Summary, inputs: Vec<Input>) -> Result<Vec<Event>, Refusal> {
    if summary.status == SessionStatus::Terminated {
        return Err(Refusal::Terminated);
    }
    let only_interrupts = inputs
        .iter()
        .all(|input| matches!(input, Input::Interrupt(_)));
    let extra = if only_interrupts {
        QUEUED_INTERRUPTS_EXTRA
    } else {
        0
    };
    if summary.queued.len() + inputs.len() > QUEUED_INPUTS_MAX + extra {
        return Err(Refusal::QueueFull);
    }
    for (position, input) in inputs.iter().enumerate() {
        if let Input::Interrupt(UserInterrupt {
            session_thread_id: Some(thread),
        }) = input
            && *thread != summary.thread
        {
            return Err(Refusal::UnknownThread { position });
        }
    }
    let starts = summary.status == SessionStatus::Idle
        && inputs
            .iter()
            .any(|input| matches!(input, Input::Message(_)));
    let mut events: Vec<Event> = inputs.into_iter().map(Event::from).collect();
    if starts {
        events.extend(start_of_turn(summary));
    }
    Ok(events)
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

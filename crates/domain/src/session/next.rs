//! What to do next. New behaviour of the loop is a new arm here, never an `if` in the runner.

use hostler_protocol::Timestamp;
use hostler_protocol::event::{Empty, Epoch, Event, SessionErrorKind};
use hostler_protocol::id::EventId;

use super::accept::start_of_turn;
use super::closing::request_end;
use super::state::State;
use super::summary::SessionStatus;

/// Summaries in a row without an answer of the model before the turn is given up.
const COMPACTIONS_MAX: u32 = 2;

/// What the operator decides about the loop.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Attempts at one model call before the turn is given up.
    pub attempts_max: u32,
    /// Answers in a row that call tools before the turn is given up: a model may go in circles.
    pub tool_rounds_max: u32,
    /// Tokens that the session's model can take; `None` if nobody knows.
    pub context_window: Option<u64>,
    /// The share of the window, in per cent, above which the conversation is summarised.
    pub compaction_percent: u64,
}

/// The one thing to do.
#[derive(Debug, Clone)]
pub enum Step {
    /// Nothing, until there is a new row or the time has come.
    Wait {
        until: Option<Timestamp>,
    },
    /// Append these and ask again.
    Record(Vec<Event>),
    CallModel(ModelCall),
    /// Do these side by side; their intents are in the log.
    RunTools(Vec<ToolRun>),
}

/// A call that has no result yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolRun {
    pub id: EventId,
    pub how: ToolStart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolStart {
    /// It was not begun: run it.
    Fresh,
    /// A runner that is gone began it, and it is never run again. If its result can still be
    /// had, that is the result, else [`outcome_unknown`] is.
    ///
    /// [`outcome_unknown`]: super::outcome_unknown
    Resumed,
}

/// A model request whose start is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelCall {
    pub start_id: EventId,
    pub purpose: Purpose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The agent's next words.
    Answer,
    /// A summary that replaces the conversation.
    Compact,
}

impl State {
    /// The step that follows, for the runner that holds the lease of `epoch`.
    pub fn next(&self, epoch: Epoch, now: Timestamp, policy: &Policy) -> Step {
        match self.summary.status {
            SessionStatus::Terminated => Step::Wait { until: None },
            SessionStatus::Running | SessionStatus::Rescheduling if self.interrupted() => {
                Step::Record(self.close_interrupted(now))
            }
            SessionStatus::Idle if self.paused && !self.interrupts.is_empty() => {
                Step::Record(self.close_paused(now))
            }
            // There was nothing to interrupt: the event is taken and that is all.
            _ if !self.interrupts.is_empty() => Step::Record(self.take_interrupts()),
            SessionStatus::Idle => self.next_idle(now),
            SessionStatus::Running => self.next_running(epoch, now, policy),
            SessionStatus::Rescheduling => self.next_rescheduling(now),
        }
    }

    fn next_idle(&self, now: Timestamp) -> Step {
        if self.paused {
            return self.next_paused(now);
        }
        if !self.has_message() {
            return Step::Wait { until: None };
        }
        Step::Record(start_of_turn(&self.summary).into())
    }

    /// The client has something to answer. Until it has, messages wait as well.
    fn next_paused(&self, now: Timestamp) -> Step {
        let mut events = self.expired(now);
        if self.pending(now).is_empty() {
            events.extend(start_of_turn(&self.summary));
        } else if events.is_empty() {
            return Step::Wait { until: None };
        } else {
            events.extend(self.wait_for_client(now));
        }
        Step::Record(events)
    }

    fn next_rescheduling(&self, now: Timestamp) -> Step {
        match self.summary.retry_at {
            Some(at) if at > now && !self.summary.is_ahead_of(now) => {
                Step::Wait { until: Some(at) }
            }
            _ => Step::Record(start_of_turn(&self.summary).into()),
        }
    }

    fn next_running(&self, epoch: Epoch, now: Timestamp, policy: &Policy) -> Step {
        if !self.calls.is_empty() {
            return self.next_tools(epoch, now);
        }
        if let Some(request) = self.open_request {
            if request.epoch != epoch {
                // Its runner is gone: the attempt stays visible, and a new one follows.
                return Step::Record(vec![request_end(request.id, Some(true))]);
            }
            let purpose = self.purpose(policy);
            return Step::CallModel(ModelCall {
                start_id: request.id,
                purpose,
            });
        }
        if let Some(step) = self.next_after_failure(now, policy) {
            return step;
        }
        let unanswered = self.last_input > self.answered;
        let takable = self.take_queued();
        if !takable.is_empty() && (unanswered || self.has_message()) {
            return Step::Record(takable);
        }
        if unanswered {
            if self.tool_rounds >= policy.tool_rounds_max {
                let message = "the agent has called tools too often without a word from the user; \
                               send a message to let it go on";
                let kind = SessionErrorKind::ToolUseLimitReachedError;
                return Step::Record(self.give_up(kind, message, now));
            }
            if self.purpose(policy) == Purpose::Compact && self.compactions >= COMPACTIONS_MAX {
                let message = "the conversation stays too long for the model, however often it is \
                               summarised; start a new session";
                let kind = SessionErrorKind::CompactionLimitReachedError;
                return Step::Record(self.give_up(kind, message, now));
            }
            return Step::Record(vec![Event::ModelRequestStart(Empty {})]);
        }
        let (reason, details) = self.stop.clone();
        Step::Record(self.come_to_rest(reason, details, now))
    }

    fn next_after_failure(&self, now: Timestamp, policy: &Policy) -> Option<Step> {
        let failure = self.failure.as_ref()?;
        if failure.context_too_long && self.compactions < COMPACTIONS_MAX && self.overflows <= 1 {
            // Not an error to speak of: the next request is a summary.
            return None;
        }
        let retry = failure.retry_at.is_some() && self.attempts < policy.attempts_max;
        let events = if retry {
            self.reschedule(failure.error, &failure.message)
        } else if failure.context_too_long {
            self.give_up(
                SessionErrorKind::CompactionLimitReachedError,
                &failure.message,
                now,
            )
        } else {
            self.give_up(failure.error, &failure.message, now)
        };
        Some(Step::Record(events))
    }

    fn purpose(&self, policy: &Policy) -> Purpose {
        if self.context_overflowed {
            return Purpose::Compact;
        }
        let Some(window) = policy.context_window else {
            return Purpose::Answer;
        };
        let limit = window.saturating_mul(policy.compaction_percent) / 100;
        // A conversation of one message has nothing that a summary could leave out.
        let compactable = self.conversation.has_several();
        if compactable && self.context_tokens.saturating_add(self.added_tokens) > limit {
            return Purpose::Compact;
        }
        Purpose::Answer
    }
}

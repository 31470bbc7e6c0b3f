//! What a whole log amounts to. A runner has one; nothing else in memory is true. How a row
//! changes it is in `fold.rs`.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use hostler_protocol::agent::SessionAgent;
use hostler_protocol::event::{
    Epoch, Event, ModelFailed, Recorded, Seq, StopDetails, StopReason, SystemMessage, UserMessage,
};
use hostler_protocol::id::EventId;
use serde::{Deserialize, Serialize};

use super::calls::{Announced, ToolCall};
use super::conversation::{Conversation, Message};
use super::intent::Intent;
use super::sealed::Earlier;
use super::summary::{SessionStatus, Summary};
use crate::web::AddressRow;

/// An input that was received and is not yet part of the conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Queued {
    pub(super) seq: Seq,
    pub(super) id: EventId,
    pub(super) input: QueuedInput,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum QueuedInput {
    Message(UserMessage),
    /// It begins no turn of its own.
    System(SystemMessage),
}

impl QueuedInput {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "there are two kinds of inputs that become part of a conversation"
    )]
    pub(super) fn from_event(event: &Event) -> Option<Self> {
        match event {
            Event::UserMessage(message) => Some(Self::Message(message.clone())),
            Event::SystemMessage(message) => Some(Self::System(message.clone())),
            _ => None,
        }
    }
}

impl Queued {
    pub(super) fn is_message(&self) -> bool {
        matches!(self.input, QueuedInput::Message(_))
    }
}

/// An interrupt that was received and is not yet applied.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Interrupt {
    pub(super) seq: Seq,
    pub(super) id: EventId,
    /// It came when nothing ran: it stops nothing, least of all the turn that a message sent
    /// with it begins.
    pub(super) came_at_rest: bool,
}

/// A model request without an end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct OpenRequest {
    pub(super) id: EventId,
    pub(super) epoch: Epoch,
}

/// What a session's log amounts to up to `last_seq`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub(super) summary: Summary,
    pub(super) agent: Arc<SessionAgent>,
    pub(super) last_seq: Seq,
    pub(super) queued: Vec<Queued>,
    pub(super) interrupts: Vec<Interrupt>,
    /// The row with which the present turn, or the last one, began.
    pub(super) turn_started: Seq,
    /// At rest in the middle of a turn: calls wait for the client.
    pub(super) paused: bool,
    /// What the users have asked for, as far as it is kept for judging calls.
    pub(super) intent: Intent,
    pub(super) conversation: Conversation,
    /// Calls of the response that is being recorded, until the response itself is.
    pub(super) announced: Vec<(EventId, Announced)>,
    pub(super) calls: Vec<ToolCall>,
    /// The MCP servers of which calls have results, by name.
    pub(super) servers_heard: BTreeSet<String>,
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
    /// Requests in a row that the model refused as too long.
    pub(super) overflows: u32,
    /// Answers in a row after which the provider wanted to be called again.
    pub(super) pauses: u32,
    /// Summaries since the model last answered.
    pub(super) compactions: u32,
    /// Answers in a row that called tools, with no word of the user between them.
    pub(super) tool_rounds: u32,
    /// Rows in which there may be addresses that `web_fetch` opens, oldest first.
    pub(super) address_rows: VecDeque<AddressRow>,
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
            queued: Vec::new(),
            interrupts: Vec::new(),
            turn_started: Seq::default(),
            paused: false,
            intent: Intent::default(),
            conversation: Conversation::default(),
            announced: Vec::new(),
            calls: Vec::new(),
            servers_heard: BTreeSet::new(),
            open_request: None,
            last_input: Seq::default(),
            answered: Seq::default(),
            stop: (StopReason::EndTurn, None),
            failure: None,
            attempts: 0,
            context_tokens: 0,
            added_tokens: 0,
            context_overflowed: false,
            overflows: 0,
            pauses: 0,
            compactions: 0,
            tool_rounds: 0,
            address_rows: VecDeque::new(),
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

    /// The conversation so far, oldest first: what is sealed of it, and the newest messages.
    pub fn conversation(&self) -> (&[Earlier], &[Arc<Message>]) {
        (&self.conversation.earlier, &self.conversation.recent)
    }

    /// The conversation as messages alone, which costs a parse of what is sealed.
    pub fn messages(&self) -> Vec<Arc<Message>> {
        self.conversation.messages()
    }

    /// Where the turn began: the same for all of it.
    pub fn turn_started(&self) -> Seq {
        self.turn_started
    }

    /// The last input that the next model call will see.
    pub fn last_input(&self) -> Seq {
        self.last_input
    }

    /// Failed attempts at the present model call.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether the model has refused the conversation as too long.
    pub fn context_overflowed(&self) -> bool {
        self.context_overflowed
    }

    /// Rows in which there may be addresses that `web_fetch` opens, the newest first.
    pub fn address_rows(&self) -> impl Iterator<Item = &AddressRow> {
        self.address_rows.iter().rev()
    }

    /// What the users have asked for.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// Whether something waits that begins a turn.
    pub(super) fn has_message(&self) -> bool {
        self.queued.iter().any(Queued::is_message)
    }

    /// Whether what a runner is doing right now has been interrupted.
    pub fn interrupted(&self) -> bool {
        self.interrupts.iter().any(|waiting| !waiting.came_at_rest)
            || self.summary.status == SessionStatus::Terminated
    }
}

//! Frames of a message that the model is still writing. They are shown to whoever asked for them
//! and are never stored; the final event with the same id is canonical.

use std::collections::HashMap;

use hostler_domain::session::Purpose;
use hostler_protocol::event::Seq;
use hostler_protocol::id::{EventId, SessionId};
use hostler_store::{Preview, PreviewOf, Store};

pub(crate) struct Previews {
    store: Store,
    session: SessionId,
    /// Where the log ended when the model was asked.
    after: Seq,
    /// A summary of the conversation is nobody's business.
    muted: bool,
    /// The start of the message, and how many previews of it there were.
    message: Option<(Preview, u32)>,
    /// The provider's index of each text block, in the order of appearance: clients count the
    /// blocks of a message from 0.
    text_blocks: Vec<usize>,
    thinking: HashMap<usize, EventId>,
}

impl Previews {
    pub(crate) fn new(store: Store, session: SessionId, purpose: Purpose, after: Seq) -> Self {
        Self {
            store,
            session,
            after,
            muted: purpose == Purpose::Compact,
            message: None,
            text_blocks: Vec::new(),
            thinking: HashMap::new(),
        }
    }

    pub(crate) fn message_starts(&mut self, id: EventId) {
        if self.message.is_none() {
            let start = Preview::start(PreviewOf::AgentMessage, id, self.after);
            self.message = Some((start.clone(), 1));
            self.publish(start);
        }
    }

    pub(crate) fn text(&mut self, index: usize, text: &str) {
        let position = self.text_blocks.iter().position(|block| *block == index);
        let position = position.unwrap_or_else(|| {
            self.text_blocks.push(index);
            self.text_blocks.len() - 1
        });
        if text.is_empty() || self.muted || !self.store.has_followers(self.session) {
            return;
        }
        if let Some((start, count)) = &mut self.message {
            let piece = start.piece_of(*count, position, text);
            *count = count.saturating_add(1);
            self.publish(piece);
        }
    }

    pub(crate) fn thinking_starts(&mut self, index: usize, new_id: impl FnOnce() -> EventId) {
        let id = *self.thinking.entry(index).or_insert_with(new_id);
        self.publish(Preview::start(PreviewOf::AgentThinking, id, self.after));
    }

    /// The id under which a thinking block was announced.
    pub(crate) fn thinking_id(&self, index: usize) -> Option<EventId> {
        self.thinking.get(&index).copied()
    }

    fn publish(&self, preview: Preview) {
        if !self.muted && self.store.has_followers(self.session) {
            self.store.preview(self.session, preview);
        }
    }
}

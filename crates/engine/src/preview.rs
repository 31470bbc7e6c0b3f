//! Frames of a message that the model is still writing. They are shown to whoever asked for them
//! and are never stored; the final event with the same id is canonical.

use std::collections::HashMap;

use hostler_domain::session::Purpose;
use hostler_protocol::id::{EventId, SessionId};
use hostler_store::{Preview, Store};
use serde_json::json;

const MESSAGE: &str = "agent.message";
const THINKING: &str = "agent.thinking";

pub(crate) struct Previews {
    store: Store,
    session: SessionId,
    /// A summary of the conversation is nobody's business.
    muted: bool,
    message_started: bool,
    /// The provider's index of each text block, in the order of appearance: clients count the
    /// blocks of a message from 0.
    text_blocks: Vec<usize>,
    thinking: HashMap<usize, EventId>,
}

impl Previews {
    pub(crate) fn new(store: Store, session: SessionId, purpose: Purpose) -> Self {
        Self {
            store,
            session,
            muted: purpose == Purpose::Compact,
            message_started: false,
            text_blocks: Vec::new(),
            thinking: HashMap::new(),
        }
    }

    pub(crate) fn message_starts(&mut self, id: EventId) {
        if !std::mem::replace(&mut self.message_started, true) {
            self.publish(MESSAGE, "event_start", id, &start(MESSAGE, id));
        }
    }

    pub(crate) fn text(&mut self, id: EventId, index: usize, text: &str) {
        let position = self.text_blocks.iter().position(|block| *block == index);
        let position = position.unwrap_or_else(|| {
            self.text_blocks.push(index);
            self.text_blocks.len() - 1
        });
        if text.is_empty() || self.muted || !self.store.has_followers(self.session) {
            return;
        }
        let delta = json!({
            "type": "event_delta",
            "event_id": id,
            "delta": {
                "type": "content_delta",
                "index": position,
                "content": {"type": "text", "text": text},
            },
        });
        self.publish(MESSAGE, "event_delta", id, &delta);
    }

    pub(crate) fn thinking_starts(&mut self, index: usize, new_id: impl FnOnce() -> EventId) {
        let id = *self.thinking.entry(index).or_insert_with(new_id);
        self.publish(THINKING, "event_start", id, &start(THINKING, id));
    }

    /// The id under which a thinking block was announced.
    pub(crate) fn thinking_id(&self, index: usize) -> Option<EventId> {
        self.thinking.get(&index).copied()
    }

    fn publish(
        &self,
        of: &'static str,
        name: &'static str,
        event_id: EventId,
        frame: &serde_json::Value,
    ) {
        if !self.muted && self.store.has_followers(self.session) {
            let json = frame.to_string().into();
            self.store.preview(
                self.session,
                Preview {
                    name,
                    of,
                    event_id,
                    json,
                },
            );
        }
    }
}

fn start(of: &str, id: EventId) -> serde_json::Value {
    json!({"type": "event_start", "event": {"type": of, "id": id}})
}

//! The older part of a conversation. Nothing changes it any more, so it is kept as the text that requests
//! are put together from: neither a request nor a copy of the state costs a step for each message of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::conversation::{Block, Message, Role};

/// A part of a conversation before its newest messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Earlier {
    Sealed(Sealed),
    /// It names a file, whose bytes are read for each request.
    Message(Arc<Message>),
}

/// Messages as text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sealed {
    /// Such texts are numbered from 0 in each session; none has the number of another, ever.
    pub number: i64,
    /// `{"role":"user","content":[…]}` for each message, with commas between them.
    #[serde(skip)]
    pub json: Arc<str>,
    /// How many messages it is.
    pub count: usize,
    /// Some hold thoughts without a signature, which not every provider takes back.
    pub has_unsigned_thoughts: bool,
}

impl Sealed {
    /// Back from text to messages, for what is seldom done.
    fn messages(&self) -> Vec<Arc<Message>> {
        #[derive(Deserialize)]
        struct Stored<'a> {
            role: Role,
            #[serde(borrow)]
            content: Vec<&'a RawValue>,
        }
        let list = format!("[{}]", self.json);
        let stored: Vec<Stored<'_>> = serde_json::from_str(&list).unwrap_or_default();
        let message = |stored: Stored<'_>| {
            let json = |block: &RawValue| Block::Json(Arc::from(block.to_owned()));
            Arc::new(Message {
                role: stored.role,
                blocks: stored.content.into_iter().map(json).collect(),
            })
        };
        stored.into_iter().map(message).collect()
    }
}

impl Earlier {
    pub(super) fn messages(&self) -> Vec<Arc<Message>> {
        match self {
            Self::Sealed(sealed) => sealed.messages(),
            Self::Message(message) => vec![Arc::clone(message)],
        }
    }
}

/// A text under construction.
#[derive(Default)]
struct Sealing {
    json: String,
    count: usize,
    has_unsigned_thoughts: bool,
}

/// Turns messages, oldest first, into what they are kept as. `numbers` is the next number.
pub(super) fn seal(
    messages: impl Iterator<Item = Arc<Message>>,
    numbers: &mut i64,
) -> Vec<Earlier> {
    let mut earlier = Vec::new();
    let mut sealing = Sealing::default();
    for message in messages {
        let is_text = message
            .blocks
            .iter()
            .all(|block| matches!(block, Block::Json(_)));
        if is_text {
            sealing.add(&message);
        } else {
            earlier.extend(std::mem::take(&mut sealing).done(numbers));
            earlier.push(Earlier::Message(message));
        }
    }
    earlier.extend(sealing.done(numbers));
    earlier
}

impl Sealing {
    fn add(&mut self, message: &Message) {
        if self.count > 0 {
            self.json.push(',');
        }
        self.count += 1;
        self.json.push_str("{\"role\":\"");
        self.json.push_str(message.role.as_str());
        self.json.push_str("\",\"content\":[");
        for (position, block) in message.blocks.iter().enumerate() {
            let Block::Json(json) = block else { continue };
            if position > 0 {
                self.json.push(',');
            }
            self.json.push_str(json.get());
            self.has_unsigned_thoughts |= is_unsigned_thought(json.get());
        }
        self.json.push_str("]}");
    }

    fn done(self, numbers: &mut i64) -> Option<Earlier> {
        if self.count == 0 {
            return None;
        }
        let number = *numbers;
        *numbers += 1;
        Some(Earlier::Sealed(Sealed {
            number,
            json: self.json.into(),
            count: self.count,
            has_unsigned_thoughts: self.has_unsigned_thoughts,
        }))
    }
}

fn is_unsigned_thought(block: &str) -> bool {
    block.starts_with(r#"{"type":"thinking""#) && block.ends_with(r#","signature":""}"#)
}

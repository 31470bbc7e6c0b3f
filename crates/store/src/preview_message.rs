//! A preview as one process tells it to another. Whoever can speak to the carrier can say anything,
//! so the frame that a client sees is made here anew, of what was read.

use hostler_protocol::event::Seq;
use hostler_protocol::id::EventId;
use serde::{Deserialize, Serialize};

use crate::limits::PREVIEW_BYTES_MAX;
use crate::previews::{Preview, PreviewOf};

/// **Invariant:** a version that does not know a field refuses the whole message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    version: u32,
    number: u32,
    after: Seq,
    event_id: EventId,
    of: PreviewOf,
    /// None for the start of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    piece: Option<Piece>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    index: usize,
    text: String,
}

const VERSION: u32 = 1;

/// `None`: it is too long to be told.
pub(crate) fn write(preview: &Preview) -> Option<Vec<u8>> {
    let piece = preview.piece().map(|(index, text)| Piece {
        index,
        text: text.to_owned(),
    });
    let message = Message {
        version: VERSION,
        number: preview.number,
        after: preview.after,
        event_id: preview.event_id,
        of: preview.of,
        piece,
    };
    let text = serde_json::to_vec(&message).ok()?;
    (text.len() <= PREVIEW_BYTES_MAX).then_some(text)
}

pub(crate) fn read(text: &[u8]) -> Option<Preview> {
    if text.len() > PREVIEW_BYTES_MAX {
        return None;
    }
    let message: Message = serde_json::from_slice(text).ok()?;
    let is_start = message.piece.is_none();
    if message.version != VERSION || is_start != (message.number == 0) || message.after < Seq(0) {
        return None;
    }
    let start = Preview::start(message.of, message.event_id, message.after);
    Some(match message.piece {
        None => start,
        Some(piece) => start.piece_of(message.number, piece.index, &piece.text),
    })
}

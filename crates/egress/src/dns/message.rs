//! The form of a question and of its answer on the wire. Strict and bounded: a question is one
//! name without compression, and all that stands behind it is ignored.

use std::net::Ipv4Addr;

use crate::host_name::HostName;
use crate::limits::{LABEL_BYTES_MAX, NAME_SECONDS};

const HEADER_BYTES: usize = 12;
/// The root's byte included.
const WIRE_NAME_BYTES_MAX: usize = 255;
const TYPE_A: u16 = 1;
const TYPE_PTR: u16 = 12;
const CLASS_IN: u16 = 1;

/// A datagram that has the header of a question.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    id: [u8; 2],
    recursion_desired: bool,
    /// The question as it came, to be repeated in the answer; empty if it can't be read.
    question: &'a [u8],
    pub(crate) asked: Result<Asked, Answer>,
}

#[derive(Debug)]
pub(crate) struct Asked {
    /// None if it isn't the name of a host.
    pub(crate) name: Option<HostName>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Address,
    Pointer,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Address(Ipv4Addr),
    /// The name may exist, but nothing of that kind.
    Empty,
    NoSuchName,
    Malformed,
    NotImplemented,
    Refused,
}

impl<'a> Query<'a> {
    /// None for what is not a question at all: it gets no answer.
    pub(crate) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, body) = datagram.split_first_chunk::<HEADER_BYTES>()?;
        let [id_high, id_low, flags, _, counts @ ..] = *header;
        let is_response = flags & 0x80 != 0;
        if is_response {
            return None;
        }
        let mut query = Self {
            id: [id_high, id_low],
            recursion_desired: flags & 1 != 0,
            question: &[],
            asked: Err(Answer::Malformed),
        };
        if flags & 0x78 != 0 {
            query.asked = Err(Answer::NotImplemented);
            return Some(query);
        }
        // One question, nothing answered yet; an additional record is an extension's.
        let [0, 1, 0, 0, 0, 0, ..] = counts else {
            return Some(query);
        };
        let Some((labels, rest)) = wire_name(body) else {
            return Some(query);
        };
        let Some(([type_high, type_low, class_high, class_low], _)) = rest.split_first_chunk()
        else {
            return Some(query);
        };
        query.question = &body[..body.len() - rest.len() + 4];
        if u16::from_be_bytes([*class_high, *class_low]) != CLASS_IN {
            query.asked = Err(Answer::Refused);
            return Some(query);
        }
        let kind = match u16::from_be_bytes([*type_high, *type_low]) {
            TYPE_A => Kind::Address,
            TYPE_PTR => Kind::Pointer,
            _ => Kind::Other,
        };
        let name = labels.join(&b'.');
        let name = std::str::from_utf8(&name).ok();
        // A dot inside a label isn't one between two.
        let plain = labels.iter().all(|label| !label.contains(&b'.'));
        let name = name.filter(|_| plain).and_then(|name| name.parse().ok());
        query.asked = Ok(Asked { name, kind });
        Some(query)
    }

    pub(crate) fn reply(&self, answer: Answer) -> Vec<u8> {
        let (code, address) = match answer {
            Answer::Address(address) => (0, Some(address)),
            Answer::Empty => (0, None),
            Answer::Malformed => (1, None),
            Answer::NoSuchName => (3, None),
            Answer::NotImplemented => (4, None),
            Answer::Refused => (5, None),
        };
        let questions = u8::from(!self.question.is_empty());
        let mut reply = self.id.to_vec();
        // A response, of a server that asks on if one wants it to, as far as the client can tell.
        reply.extend([0x80 | u8::from(self.recursion_desired), 0x80 | code]);
        reply.extend([0, questions, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
        reply.extend(self.question);
        if let Some(address) = address {
            // A pointer to the question's name, then type, class, lifetime and length.
            reply.extend([0xc0, 12]);
            reply.extend(TYPE_A.to_be_bytes());
            reply.extend(CLASS_IN.to_be_bytes());
            reply.extend(NAME_SECONDS.to_be_bytes());
            reply.extend([0, 4]);
            reply.extend(address.octets());
        }
        reply
    }
}

/// The labels of a name and what stands behind it.
fn wire_name(bytes: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let mut labels = Vec::new();
    let mut rest = bytes;
    loop {
        let (length, behind) = rest.split_first()?;
        let length = usize::from(*length);
        if length == 0 {
            return Some((labels, behind));
        }
        // Longer ones are pointers, which a question has no use for.
        if length > LABEL_BYTES_MAX || behind.len() < length {
            return None;
        }
        let (label, behind) = behind.split_at(length);
        labels.push(label);
        rest = behind;
        if bytes.len() - rest.len() >= WIRE_NAME_BYTES_MAX {
            return None;
        }
    }
}

//! WebSocket, as a client of an API needs it for an exec: whole messages of bytes, pings, and the
//! end (RFC 6455).

use std::hash::{BuildHasher, RandomState};
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits::WEBSOCKET_MESSAGE_BYTES_MAX;

pub(super) struct WebSocket<S> {
    stream: S,
    received: Vec<u8>,
    /// Of a message that comes in several frames.
    begun: Option<Vec<u8>>,
    masks: RandomState,
    sent: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Bytes(Vec<u8>),
    Ping(Vec<u8>),
    End,
}

struct Frame {
    is_last: bool,
    kind: u8,
    content: Vec<u8>,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BYTES: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            received: Vec::new(),
            begun: None,
            masks: RandomState::new(),
            sent: 0,
        }
    }

    /// Dropped before it is done, it loses nothing.
    pub(super) async fn receive(&mut self) -> io::Result<Message> {
        loop {
            while let Some(frame) = take_frame(&mut self.received)? {
                if let Some(message) = self.take(frame)? {
                    return Ok(message);
                }
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn take(&mut self, frame: Frame) -> io::Result<Option<Message>> {
        match frame.kind {
            CONTINUATION | TEXT | BYTES => self.add(frame),
            PING => Ok(Some(Message::Ping(frame.content))),
            PONG => Ok(None),
            CLOSE => Ok(Some(Message::End)),
            _ => Err(odd("a frame of a kind that does not exist")),
        }
    }

    fn add(&mut self, frame: Frame) -> io::Result<Option<Message>> {
        let mut message = match (self.begun.take(), frame.kind) {
            (Some(begun), CONTINUATION) => begun,
            (None, CONTINUATION) => return Err(odd("the middle of a message only")),
            (None, _) => Vec::new(),
            (Some(_), _) => return Err(odd("a message within a message")),
        };
        if message.len() + frame.content.len() > WEBSOCKET_MESSAGE_BYTES_MAX {
            return Err(odd("a message that is too long"));
        }
        message.extend_from_slice(&frame.content);
        if frame.is_last {
            return Ok(Some(Message::Bytes(message)));
        }
        self.begun = Some(message);
        Ok(None)
    }

    pub(super) async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.write(BYTES, message).await
    }

    pub(super) async fn answer_ping(&mut self, content: &[u8]) -> io::Result<()> {
        self.write(PONG, content).await
    }

    pub(super) async fn ping(&mut self) -> io::Result<()> {
        self.write(PING, &[]).await
    }

    pub(super) async fn end(&mut self) -> io::Result<()> {
        // 1000: as it should be.
        self.write(CLOSE, &1000_u16.to_be_bytes()).await
    }

    async fn write(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        self.sent += 1;
        let mask = self.masks.hash_one(self.sent).to_le_bytes();
        let mask = [mask[0], mask[1], mask[2], mask[3]];
        let mut frame = vec![0x80 | kind];
        let length = content.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < 126 => frame.push(0x80 | short),
            (_, Ok(middle)) => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&middle.to_be_bytes());
            }
            (_, Err(_)) => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&mask);
        let masked = content.iter().zip(mask.iter().cycle());
        frame.extend(masked.map(|(byte, mask)| byte ^ mask));
        self.stream.write_all(&frame).await?;
        self.stream.flush().await
    }
}

/// `None`: not all of it is there yet.
fn take_frame(received: &mut Vec<u8>) -> io::Result<Option<Frame>> {
    let [first, second, ..] = received[..] else {
        return Ok(None);
    };
    if first & 0x70 != 0 || second & 0x80 != 0 {
        return Err(odd("a frame that no server may send"));
    }
    let short = usize::from(second & 0x7f);
    let (head, length) = match short {
        126 => match received.get(2..4).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => (4, usize::from(u16::from_be_bytes(bytes))),
            None => return Ok(None),
        },
        127 => match received.get(2..10).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => {
                let length = usize::try_from(u64::from_be_bytes(bytes));
                (10, length.unwrap_or(usize::MAX))
            }
            None => return Ok(None),
        },
        short => (2, short),
    };
    if length > WEBSOCKET_MESSAGE_BYTES_MAX {
        return Err(odd("a frame that is too long"));
    }
    if received.len() < head + length {
        return Ok(None);
    }
    let content = received[head..head + length].to_vec();
    received.drain(..head + length);
    Ok(Some(Frame {
        is_last: first & 0x80 != 0,
        kind: first & 0x0f,
        content,
    }))
}

fn odd(what: &str) -> io::Error {
    let reason = format!("it sends {what}");
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Vec<Result<Message, io::ErrorKind>> {
        let (mut peer, ours) = tokio::io::duplex(1 << 20);
        peer.write_all(bytes).await.unwrap();
        drop(peer);
        let mut socket = WebSocket::new(ours);
        let mut messages = Vec::new();
        loop {
            let message = socket.receive().await.map_err(|error| error.kind());
            let is_over = message.is_err();
            messages.push(message);
            if is_over {
                return messages;
            }
        }
    }

    #[tokio::test]
    async fn frames_become_messages() {
        let bytes = [
            &[0x02, 2, 1, b'a'][..],
            &[0x89, 1, b'p'],
            &[0x80, 1, b'b'],
            &[0x82, 126, 0, 2, 3, 4],
            &[0x88, 0],
        ];
        let expected = [
            Ok(Message::Ping(b"p".to_vec())),
            Ok(Message::Bytes(vec![1, b'a', b'b'])),
            Ok(Message::Bytes(vec![3, 4])),
            Ok(Message::End),
            Err(io::ErrorKind::UnexpectedEof),
        ];
        assert_eq!(read(&bytes.concat()).await, expected);
    }

    #[tokio::test]
    async fn what_no_server_may_send_is_refused() {
        let bad: [&[u8]; 6] = [
            &[0x80, 1, b'b'],
            &[0x02, 1, b'a', 0x82, 1, b'b'],
            &[0x82, 0x81, 0, 0, 0, 0, b'a'],
            &[0xc2, 1, b'a'],
            &[0x83, 0],
            &[0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ];
        for bytes in bad {
            let read = read(bytes).await;
            assert_eq!(read, [Err(io::ErrorKind::InvalidData)], "{bytes:?}");
        }
    }
}

//! What client and agent say to each other while a command of the operator runs: frames both ways,
//! after one [`crate::wire::Request::Exec`] and its answer.
//!
//! A frame is a byte that says what it is, a little-endian `u16` length, and that many bytes. Bytes
//! of a terminal are not text, so they are not JSON. Neither side holds more than a frame of each
//! stream: whoever does not read makes the other one wait.

use std::io;

use serde::{Deserialize, Serialize};

use crate::limits::EXEC_FRAME_BYTES_MAX;

/// Rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerminalSize {
    pub rows: u16,
    pub columns: u16,
}

/// The terminal that a command is to have: its kind, as in `TERM`, and its size at first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminal {
    pub kind: String,
    pub size: TerminalSize,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecEnd {
    Exit(u8),
    Signal(u8),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FromClient {
    Input(Vec<u8>),
    /// No more input comes.
    InputEnd,
    Resize(TerminalSize),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FromAgent {
    Output(Vec<u8>),
    Error(Vec<u8>),
    /// The last word.
    Ended(ExecEnd),
}

pub(crate) const HEADER_BYTES: usize = 3;

const INPUT: u8 = 1;
const INPUT_END: u8 = 2;
const RESIZE: u8 = 3;
const OUTPUT: u8 = 4;
const ERROR: u8 = 5;
const EXIT: u8 = 6;
const SIGNAL: u8 = 7;

impl FromClient {
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Input(bytes) => frame(INPUT, bytes),
            Self::InputEnd => frame(INPUT_END, &[]),
            Self::Resize(TerminalSize { rows, columns }) => {
                let [rows, columns] = [rows.to_le_bytes(), columns.to_le_bytes()];
                frame(RESIZE, &[rows, columns].concat())
            }
        }
    }

    fn decode(kind: u8, payload: &[u8]) -> io::Result<Self> {
        match (kind, payload) {
            (INPUT, bytes) => Ok(Self::Input(bytes.to_vec())),
            (INPUT_END, []) => Ok(Self::InputEnd),
            (RESIZE, [r0, r1, c0, c1]) => Ok(Self::Resize(TerminalSize {
                rows: u16::from_le_bytes([*r0, *r1]),
                columns: u16::from_le_bytes([*c0, *c1]),
            })),
            (_, _) => Err(unknown(kind)),
        }
    }
}

impl FromAgent {
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Output(bytes) => frame(OUTPUT, bytes),
            Self::Error(bytes) => frame(ERROR, bytes),
            Self::Ended(ExecEnd::Exit(code)) => frame(EXIT, &[*code]),
            Self::Ended(ExecEnd::Signal(number)) => frame(SIGNAL, &[*number]),
        }
    }

    pub(crate) fn decode(kind: u8, payload: &[u8]) -> io::Result<Self> {
        match (kind, payload) {
            (OUTPUT, bytes) => Ok(Self::Output(bytes.to_vec())),
            (ERROR, bytes) => Ok(Self::Error(bytes.to_vec())),
            (EXIT, [code]) => Ok(Self::Ended(ExecEnd::Exit(*code))),
            (SIGNAL, [number]) => Ok(Self::Ended(ExecEnd::Signal(*number))),
            (_, _) => Err(unknown(kind)),
        }
    }
}

/// Frames of a client, from bytes as they come.
#[derive(Default)]
pub(crate) struct ClientFrames(Vec<u8>);

impl ClientFrames {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next one that is complete.
    pub(crate) fn next(&mut self) -> io::Result<Option<FromClient>> {
        let Some((header, rest)) = self.0.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let (kind, length) = parse_header(*header)?;
        let Some(payload) = rest.get(..length) else {
            return Ok(None);
        };
        let said = FromClient::decode(kind, payload)?;
        self.0.drain(..HEADER_BYTES + length);
        Ok(Some(said))
    }
}

/// What a frame is, and how long.
pub(crate) fn parse_header([kind, low, high]: [u8; HEADER_BYTES]) -> io::Result<(u8, usize)> {
    let length = usize::from(u16::from_le_bytes([low, high]));
    if length > EXEC_FRAME_BYTES_MAX {
        return Err(too_long(length));
    }
    Ok((kind, length))
}

fn frame(kind: u8, payload: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(payload.len()).map_err(|_| too_long(payload.len()))?;
    if payload.len() > EXEC_FRAME_BYTES_MAX {
        return Err(too_long(payload.len()));
    }
    let [low, high] = length.to_le_bytes();
    Ok([&[kind, low, high], payload].concat())
}

fn unknown(kind: u8) -> io::Error {
    let reason = format!("a frame that means nothing, of kind {kind}");
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn too_long(length: usize) -> io::Error {
    let reason = format!("a frame of {length} bytes is over the limit of {EXEC_FRAME_BYTES_MAX}");
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let size = TerminalSize {
            rows: 24,
            columns: 513,
        };
        let said = [
            FromClient::Input(vec![0, 255, 1]),
            FromClient::Resize(size),
            FromClient::Input(Vec::new()),
            FromClient::InputEnd,
        ];
        let bytes: Vec<u8> = said.iter().flat_map(|one| one.encode().unwrap()).collect();
        for piece in 1..=bytes.len() {
            let (mut frames, mut heard) = (ClientFrames::default(), Vec::new());
            for part in bytes.chunks(piece) {
                frames.push(part);
                while let Some(one) = frames.next().unwrap() {
                    heard.push(one);
                }
            }
            assert_eq!(heard, said, "in pieces of {piece}");
        }
    }

    #[test]
    fn nothing_longer_or_unknown_is_taken() {
        let too_long = vec![0; EXEC_FRAME_BYTES_MAX + 1];
        assert!(FromAgent::Output(too_long).encode().is_err());
        for bytes in [
            &[INPUT, 0xff, 0xff][..],
            &[0, 0, 0],
            &[RESIZE, 1, 0, 7],
            &[INPUT_END, 1, 0, 7],
            &[OUTPUT, 0, 0],
        ] {
            let mut frames = ClientFrames::default();
            frames.push(bytes);
            assert!(frames.next().is_err(), "{bytes:?}");
        }
        assert!(FromAgent::decode(EXIT, &[0, 0]).is_err());
        assert!(FromAgent::decode(INPUT, &[]).is_err());
    }
}

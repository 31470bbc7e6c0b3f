//! What host and agent say to each other: one call per connection.
//!
//! A frame is a little-endian `u32` length and that many bytes of JSON. The host sends one
//! [`Request`]; the agent sends at most one [`Response::Started`] and then one answer. If the
//! host says anything more on a call's connection, that cancels the call. If it only closes it,
//! the call goes on: that is how a host's death looks, and the next one may ask for the answer.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::exec_wire::Terminal;
use crate::output::Output;
use crate::provenance::Losses;
use crate::tool::Tool;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    Ping,
    Shutdown,
    /// Keep what the shell knows: the sandbox is about to be stopped.
    Rest,
    /// The sockets of the gateway, beside the answer.
    Sockets,
    Run {
        id: String,
        tool: Tool,
    },
    /// The answer of a call that another host began, once there is one.
    Resume {
        id: String,
    },
    /// Ends a call that another host began. Closing the connection is the answer.
    Cancel {
        id: String,
    },
    /// Runs a command of the operator, with streams of its own. What follows the answer on this
    /// connection are frames of `exec_wire.rs`, both ways; its end ends the command.
    Exec {
        words: Vec<String>,
        terminal: Option<Terminal>,
    },
    /// Runs a program that serves the host, as [`Request::Exec`] does without a terminal.
    Serve {
        words: Vec<String>,
        variables: Vec<(String, String)>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Response {
    Pong {
        protocol: u32,
    },
    /// The command left the queue of the shell; its time-out runs from here.
    Started,
    Done(Output),
    /// What will be lost.
    Resting(Losses),
    /// One descriptor for each comes beside this, in the same order.
    Sockets {
        roles: Vec<SocketRole>,
    },
    Refused {
        reason: String,
    },
    /// There is no such call, or its answer is not kept any more.
    Unknown,
    /// The command of the operator, or the program that serves the host, is about to run.
    Executing,
}

/// What a socket of the gateway is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SocketRole {
    /// Takes connections to any address.
    Intercepting,
    Proxy,
    /// Takes questions for the addresses of names.
    Names,
}

/// What a host says on a call's connection to cancel it.
pub(crate) const CANCEL: &[u8] = b"cancel";

/// The bytes of one frame, length included.
pub(crate) fn encode<T: Serialize>(message: &T, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    if length > bytes_max {
        return Err(too_long(length, bytes_max));
    }
    let length = u32::try_from(length).map_err(|_| too_long(length, bytes_max))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

pub(crate) fn write_frame<T: Serialize>(
    stream: &mut impl Write,
    message: &T,
    bytes_max: usize,
) -> io::Result<()> {
    stream.write_all(&encode(message, bytes_max)?)
}

/// `None` when the peer closed before the first byte.
pub(crate) fn read_frame<T: DeserializeOwned>(
    stream: &mut impl Read,
    bytes_max: usize,
) -> io::Result<Option<T>> {
    let mut header = Vec::new();
    stream.by_ref().take(4).read_to_end(&mut header)?;
    if header.is_empty() {
        return Ok(None);
    }
    let length = frame_length(&header, bytes_max)?;
    let mut body = Vec::new();
    stream.by_ref().take(length as u64).read_to_end(&mut body)?;
    if body.len() != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

pub(crate) fn frame_length(header: &[u8], bytes_max: usize) -> io::Result<usize> {
    let header: [u8; 4] = header
        .try_into()
        .map_err(|_| io::ErrorKind::UnexpectedEof)?;
    let length = u32::from_le_bytes(header) as usize;
    if length > bytes_max {
        Err(too_long(length, bytes_max))
    } else {
        Ok(length)
    }
}

fn too_long(length: usize, bytes_max: usize) -> io::Error {
    let reason = format!("a frame of {length} bytes is over the limit of {bytes_max}");
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

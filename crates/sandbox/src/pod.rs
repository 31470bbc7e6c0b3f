//! What the server and a pod agree on: where things are in it, and what is said with its keeper.
//!
//! A pod has two containers. One runs the agent and all tools, and nothing that holds a right over
//! it. The other one is the *keeper*: it has the volumes in which the sandbox's files are, takes
//! the connections that the server opens through the API of the cluster, and hands those for the
//! agent over to it. The two share volumes and nothing else: no process sees one of the other.
//!
//! A connection to the keeper begins with a [`KeeperRequest`]. For the agent it is a connection as
//! any other from then on; its first one carries the order, as [`crate::container`] has it.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::host::{Fingerprint, OutputScan, Upload, Why};
use crate::inner_path::InnerPath;
use crate::limits::CHUNK_BYTES_MAX;

/// The directories of the sandbox, as the keeper sees them. The agent has some of them mounted.
pub(crate) const BOX_DIRECTORY: &str = "/.hostler/box";
/// Where the agent finds the keeper, once. Read-only for the agent.
pub(crate) const DOOR_DIRECTORY: &str = "/.hostler/door";
pub(crate) const DOOR_SOCKET: &str = "/.hostler/door/keeper.sock";
/// Where relays find the keeper. Nobody but the keeper's container has this directory.
pub(crate) const KEEPER_SOCKET: &str = "/.hostler/box/keeper.sock";
/// In the box, what is mounted at [`crate::container::MEMORY_DIRECTORY`].
pub(crate) const MEMORY: &str = "memory";

/// The subcommand of the program, and what it is to do.
pub(crate) const KEEPER_ARGUMENT: &str = "sandbox-keeper";
/// Puts the program into the pod and makes the directories of the sandbox.
pub(crate) const INSTALL: &str = "install";
/// Is the keeper.
pub(crate) const KEEP: &str = "keep";
/// Joins its standard streams to the keeper.
pub(crate) const RELAY: &str = "relay";
/// The subcommand of the agent in a pod.
pub(crate) const POD_AGENT_ARGUMENT: &str = "sandbox-pod-agent";

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum KeeperRequest {
    /// Everything that follows is for the agent.
    Agent,
    KeepUploads {
        wanted: Vec<Upload>,
    },
    /// Its content follows in chunks.
    PlaceUpload {
        upload: Upload,
    },
    LinkInWorkspace {
        upload: InnerPath,
    },
    ScanOutputs,
    ReadOutput {
        path: String,
    },
    /// An archive of the sandbox's files. Nothing runs in it meanwhile but what ignores that.
    Pack,
    /// The files that it begins with: an archive follows in chunks.
    Unpack,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum KeeperAnswer {
    Done,
    Missing(Vec<Upload>),
    Outputs(OutputScan),
    /// The content follows in chunks.
    Output(Fingerprint),
    NoOutput(Why),
    /// The archive follows in chunks.
    Archive,
    Failed {
        reason: String,
    },
}

impl KeeperAnswer {
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    pub(crate) fn is_archive(&self) -> bool {
        matches!(self, Self::Archive)
    }

    pub(crate) fn missing(&self) -> Option<&Vec<Upload>> {
        if let Self::Missing(missing) = self {
            return Some(missing);
        }
        None
    }

    pub(crate) fn outputs(&self) -> Option<&OutputScan> {
        if let Self::Outputs(scan) = self {
            return Some(scan);
        }
        None
    }

    /// What was found, or why it is not shown.
    pub(crate) fn output(&self) -> Option<Result<Fingerprint, Why>> {
        match self {
            Self::Output(fingerprint) => Some(Ok(*fingerprint)),
            Self::NoOutput(why) => Some(Err(*why)),
            Self::Done
            | Self::Missing(_)
            | Self::Outputs(_)
            | Self::Archive
            | Self::Failed { .. } => None,
        }
    }
}

/// Writes bytes as chunks: a little-endian `u32` length and that many bytes, and one of length 0
/// at the end. What was cut off on the way can so be told from what is complete.
pub(crate) struct ChunkWriter<W>(pub(crate) W);

impl<W: Write> ChunkWriter<W> {
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.0.write_all(&0_u32.to_le_bytes())?;
        self.0.flush()?;
        Ok(self.0)
    }
}

impl<W: Write> Write for ChunkWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(CHUNK_BYTES_MAX)];
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        if length > 0 {
            self.0.write_all(&length.to_le_bytes())?;
            self.0.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Reads what a [`ChunkWriter`] wrote. Only an end that was said is one.
pub(crate) struct ChunkReader<R> {
    from: R,
    left: usize,
    is_over: bool,
}

impl<R: Read> ChunkReader<R> {
    pub(crate) const fn new(from: R) -> Self {
        Self {
            from,
            left: 0,
            is_over: false,
        }
    }
}

impl<R: Read> Read for ChunkReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_over || buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            let mut length = [0; 4];
            self.from.read_exact(&mut length)?;
            self.left = u32::from_le_bytes(length) as usize;
            if self.left > CHUNK_BYTES_MAX {
                let reason = "a chunk that is longer than any may be";
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            if self.left == 0 {
                self.is_over = true;
                return Ok(0);
            }
        }
        let room = buffer.len().min(self.left);
        let read = self.from.read(&mut buffer[..room])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_not_taken_for_complete() {
        let mut writer = ChunkWriter(Vec::new());
        writer.write_all(b"some content").unwrap();
        writer.write_all(b", and more").unwrap();
        let bytes = writer.finish().unwrap();
        let read = |bytes: &[u8]| {
            let mut text = String::new();
            let read = ChunkReader::new(bytes).read_to_string(&mut text);
            read.map(|_| text).map_err(|error| error.kind())
        };
        assert_eq!(read(&bytes).as_deref(), Ok("some content, and more"));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Err(io::ErrorKind::UnexpectedEof));
        }
    }
}

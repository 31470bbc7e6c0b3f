//! Commands that the operator runs in a sandbox, from outside: beside a server and without one. And
//! programs that serve whoever has the sandbox open.
//!
//! The sandbox's own agent starts them, so they are confined as everything in it. What comes back
//! is from a sandbox: bounded and parsed, and bytes of the command are bytes of strangers.

use std::io;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::agent_socket::AgentSocket;
use super::connection::Connection;
use super::processes::living_agent;
use super::sandbox::Sandbox;
use super::state_dir;
use super::visit::Visit;
use crate::error::SandboxError;
use crate::exec_wire::{
    ExecEnd, FromAgent, FromClient, HEADER_BYTES, Terminal, TerminalSize, parse_header,
};
use crate::limits::{EXEC_FRAME_BYTES_MAX, PING_TIME_MAX, REQUEST_BYTES_MAX};
use crate::name::SandboxName;
use crate::wire::{Request, Response, encode};

/// What to run, and whether it gets a terminal. Without words it is a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOrder {
    pub words: Vec<String>,
    pub terminal: Option<Terminal>,
}

/// Why a command does not run.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error("it has no processes")]
    AtRest,
    #[error("it is being stopped at this moment")]
    Stopping,
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// A command that runs.
pub struct Exec {
    pub input: ExecInput,
    pub output: ExecOutput,
}

/// Dropped, it ends the command.
pub struct ExecInput(OwnedWriteHalf);

/// As long as it exists, the server does not stop the sandbox.
pub struct ExecOutput {
    stream: OwnedReadHalf,
    _presence: Presence,
}

/// What keeps the sandbox from being stopped.
enum Presence {
    Visit { _visit: Visit },
    Use { _sandbox: Sandbox },
}

/// A program that is to serve, with variables of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeOrder {
    pub words: Vec<String>,
    pub variables: Vec<(String, String)>,
}

/// What a command says. Pieces are cut anywhere.
#[derive(Debug, PartialEq, Eq)]
pub enum ExecEvent {
    Output(Vec<u8>),
    Error(Vec<u8>),
    /// The last one.
    Ended(ExecEnd),
}

/// Runs a command in the sandbox of this name below `state_dir`, which must have processes.
pub async fn exec(
    state_dir: &Path,
    name: &SandboxName,
    order: ExecOrder,
) -> Result<Exec, ExecError> {
    let directory = state_dir::boxes_of(state_dir).join(name.as_str());
    let visit = Visit::begin(&directory).map_err(SandboxError::from)?;
    let visit = visit.ok_or(ExecError::Stopping)?;
    let agent = living_agent(&directory).map_err(SandboxError::from)?;
    let agent = agent.ok_or(ExecError::AtRest)?;
    let request = Request::Exec {
        words: order.words,
        terminal: order.terminal,
    };
    let presence = Presence::Visit { _visit: visit };
    Ok(begin(&agent, &request, presence).await?)
}

impl Sandbox {
    /// Runs a program there for as long as its output is kept. No tool call ends it.
    ///
    /// # Errors
    /// When the sandbox is gone or runs too many. A program that can't be started says so in its output.
    pub async fn serve(&self, order: ServeOrder) -> Result<Exec, SandboxError> {
        let request = Request::Serve {
            words: order.words,
            variables: order.variables,
        };
        let presence = Presence::Use {
            _sandbox: self.clone(),
        };
        let begun = begin(self.agent()?, &request, presence).await;
        begun.map_err(|error| with_cure(error, self.name()))
    }
}

/// What an agent says of a request that it has not heard of yet.
const UNKNOWN_REQUEST: &str = "the request cannot be read: unknown variant";

/// Sandboxes outlive the server, and so the version that made them.
fn with_cure(error: SandboxError, name: &SandboxName) -> SandboxError {
    let SandboxError::Refused { reason } = &error else {
        return error;
    };
    if !reason.starts_with(UNKNOWN_REQUEST) {
        return error;
    }
    let reason = format!(
        "its processes are of an older version of Hostler, which can't do that; they end when the session has rested \
         for sandbox.idle_stop, or by `hostler sandboxes kill {name}`, which keeps the files, and new ones can"
    );
    SandboxError::Refused { reason }
}

async fn begin(
    agent: &AgentSocket,
    request: &Request,
    presence: Presence,
) -> Result<Exec, SandboxError> {
    let frame = encode(request, REQUEST_BYTES_MAX)?;
    let begin = async {
        let mut connection = Connection::open(agent)
            .await
            .map_err(|error| SandboxError::lost(format!("nobody answers there: {error}")))?;
        let answer = connection.ask(&frame).await?;
        Ok::<_, SandboxError>((connection, answer))
    };
    let begun = timeout(PING_TIME_MAX, begin).await;
    let (connection, answer) =
        begun.unwrap_or_else(|_| Err(SandboxError::lost("it does not answer")))?;
    match answer {
        Response::Executing => {}
        Response::Refused { reason } => {
            let plain = reason.chars().filter(|c| !c.is_control()).take(500);
            let reason = plain.collect();
            return Err(SandboxError::Refused { reason });
        }
        Response::Pong { .. }
        | Response::Started
        | Response::Done(_)
        | Response::Sockets { .. }
        | Response::Resting(_)
        | Response::Unknown => {
            return Err(SandboxError::protocol(
                "an answer to a question that was not asked",
            ));
        }
    }
    let (stream, input) = connection.into_stream().into_split();
    Ok(Exec {
        input: ExecInput(input),
        output: ExecOutput {
            stream,
            _presence: presence,
        },
    })
}

impl ExecInput {
    /// Waits as long as the command does not read.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(EXEC_FRAME_BYTES_MAX) {
            self.say(&FromClient::Input(piece.to_vec())).await?;
        }
        Ok(())
    }

    /// There is no more input.
    pub async fn end(&mut self) -> io::Result<()> {
        self.say(&FromClient::InputEnd).await
    }

    pub async fn resize(&mut self, size: TerminalSize) -> io::Result<()> {
        self.say(&FromClient::Resize(size)).await
    }

    async fn say(&mut self, word: &FromClient) -> io::Result<()> {
        self.0.write_all(&word.encode()?).await
    }
}

impl ExecOutput {
    /// What comes next. Not to be dropped before it is there: half a frame would be lost.
    pub async fn next(&mut self) -> Result<ExecEvent, SandboxError> {
        let ended = |error| SandboxError::lost(format!("it ended during the command: {error}"));
        let wrong = |error: io::Error| SandboxError::protocol(error.to_string());
        let mut header = [0; HEADER_BYTES];
        self.stream.read_exact(&mut header).await.map_err(ended)?;
        let (kind, length) = parse_header(header).map_err(wrong)?;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.map_err(ended)?;
        Ok(match FromAgent::decode(kind, &payload).map_err(wrong)? {
            FromAgent::Output(bytes) => ExecEvent::Output(bytes),
            FromAgent::Error(bytes) => ExecEvent::Error(bytes),
            FromAgent::Ended(end) => ExecEvent::Ended(end),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an agent tells a host of tomorrow, see `agent/connection.rs`.
    #[test]
    fn an_older_sandbox_says_what_to_do() {
        let error = serde_json::from_str::<Request>("{\"op\": \"of_tomorrow\"}").unwrap_err();
        let reason = format!("the request cannot be read: {error}");
        let name: SandboxName = "one".parse().unwrap();
        let told = with_cure(SandboxError::Refused { reason }, &name).to_string();
        assert!(told.contains("hostler sandboxes kill one"), "{told}");
        let reason = "20 servers run there already".to_owned();
        let told = with_cure(SandboxError::Refused { reason }, &name).to_string();
        assert!(told.contains("20 servers run there already"), "{told}");
    }
}

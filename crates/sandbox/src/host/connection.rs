//! Calls from the host to the agent, over its socket. Everything that comes back is checked.

use std::io;
use std::time::Duration;

use rustix::net::SendFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::agent_socket::AgentSocket;
use super::gateway_sockets::{self, GatewaySockets};
use super::parting::Parting;
use crate::error::SandboxError;
use crate::limits::{
    BASH_ANSWER_GRACE, BASH_TIMEOUT_DEFAULT, BASH_TIMEOUT_MAX, FILE_TOOL_TIME_MAX, PING_TIME_MAX,
    PROTOCOL_VERSION, QUEUE_TIME_MAX, REQUEST_BYTES_MAX, REQUEST_TIME_MAX, RESPONSE_BYTES_MAX,
    REST_TIME_MAX,
};
use crate::output::Output;
use crate::provenance::Losses;
use crate::tool::Tool;
use crate::wire::{CANCEL, Request, Response, encode, frame_length};

/// One request and its answer.
pub(super) struct Connection(UnixStream);

/// A call that is waited for.
struct Waiting<'a> {
    connection: Connection,
    parting: &'a Parting,
    end: End,
}

enum End {
    /// Dropped now, the call ends or goes on as its [`Parting`] says.
    Open,
    /// Nobody will ask for it again.
    GivenUp,
    Answered,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let cancels = match self.end {
            End::Open => self.parting.is_cancel(),
            End::GivenUp => true,
            End::Answered => false,
        };
        if cancels {
            // Without a wait: it is a word into an empty buffer. If the sandbox is gone, so is
            // the call. If half of the request was sent, the call was not begun.
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            let _ = rustix::net::send(&self.connection.0, CANCEL, flags);
        }
    }
}

impl Connection {
    pub(super) async fn open(agent: &AgentSocket) -> io::Result<Self> {
        Ok(Self(agent.connect().await?))
    }

    /// Says something and hears the answer, however long that takes.
    pub(super) async fn ask(&mut self, frame: &[u8]) -> Result<Response, SandboxError> {
        self.send(frame).await?;
        self.receive().await
    }

    /// What is said on it from here on is no exchange of calls any more.
    pub(super) fn into_stream(self) -> UnixStream {
        self.0
    }

    async fn send(&mut self, frame: &[u8]) -> Result<(), SandboxError> {
        let sent = timeout(REQUEST_TIME_MAX, self.0.write_all(frame)).await;
        let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        sent.map_err(|error| SandboxError::lost(format!("it does not take calls: {error}")))
    }

    async fn receive(&mut self) -> Result<Response, SandboxError> {
        let ended = |error| SandboxError::lost(format!("it ended during the call: {error}"));
        let mut header = [0; 4];
        self.0.read_exact(&mut header).await.map_err(ended)?;
        let length = frame_length(&header, RESPONSE_BYTES_MAX)
            .map_err(|error| SandboxError::protocol(error.to_string()))?;
        let mut body = Vec::new();
        let read = (&mut self.0)
            .take(length as u64)
            .read_to_end(&mut body)
            .await
            .map_err(ended)?;
        if read != length {
            return Err(ended(io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_slice(&body).map_err(|error| SandboxError::protocol(error.to_string()))
    }

    /// Asks for the sockets of the gateway.
    pub(super) async fn gateway_sockets(mut self) -> Result<Option<GatewaySockets>, SandboxError> {
        let frame = encode(&Request::Sockets, RESPONSE_BYTES_MAX)
            .map_err(|error| SandboxError::protocol(error.to_string()))?;
        self.send(&frame).await?;
        timeout(REQUEST_TIME_MAX, gateway_sockets::receive(&self.0))
            .await
            .unwrap_or_else(|_| Err(SandboxError::lost("it does not give its sockets")))
    }

    /// Runs one tool, or asks for what it answered: `None` if nobody there knows of it. The time
    /// of bash counts from when its command leaves the queue.
    pub(super) async fn call(
        self,
        frame: &[u8],
        tool_time: ToolTime,
        parting: &Parting,
    ) -> Result<Option<Output>, SandboxError> {
        let mut waiting = Waiting {
            connection: self,
            parting,
            end: End::Open,
        };
        let answer = waiting.connection.exchange(frame, tool_time).await;
        waiting.end = match &answer {
            Ok(_) => End::Answered,
            Err(_) => End::GivenUp,
        };
        answer
    }

    async fn exchange(
        &mut self,
        frame: &[u8],
        tool_time: ToolTime,
    ) -> Result<Option<Output>, SandboxError> {
        self.send(frame).await?;
        let first = match tool_time {
            ToolTime::Queued { .. } => self.receive_within(QUEUE_TIME_MAX).await?,
            ToolTime::AtOnce(limit) => self.receive_within(limit).await?,
        };
        match (first, tool_time) {
            (Response::Started, ToolTime::Queued { command }) => {
                let second = self.receive_within(command + BASH_ANSWER_GRACE).await?;
                finished(second)
            }
            (first, _) => finished(first),
        }
    }

    async fn receive_within(&mut self, limit: Duration) -> Result<Response, SandboxError> {
        timeout(limit, self.receive()).await.unwrap_or_else(|_| {
            Err(SandboxError::lost(format!(
                "no answer within {} s",
                limit.as_secs()
            )))
        })
    }
}

/// How long the host waits for a tool.
#[derive(Debug, Clone, Copy)]
pub(super) enum ToolTime {
    /// In the queue as long as the commands before it, each of which is bounded.
    Queued {
        command: Duration,
    },
    AtOnce(Duration),
}

impl ToolTime {
    pub(super) fn of(tool: &Tool) -> Self {
        match tool {
            Tool::Bash {
                timeout_ms: None | Some(0),
                ..
            }
            | Tool::RestartShell => Self::Queued {
                command: BASH_TIMEOUT_DEFAULT,
            },
            Tool::Bash {
                timeout_ms: Some(milliseconds),
                ..
            } => {
                let command = Duration::from_millis(*milliseconds).min(BASH_TIMEOUT_MAX);
                Self::Queued { command }
            }
            Tool::Read { .. }
            | Tool::Write { .. }
            | Tool::Edit { .. }
            | Tool::Glob { .. }
            | Tool::Grep { .. } => Self::AtOnce(FILE_TOOL_TIME_MAX),
        }
    }
}

fn finished(response: Response) -> Result<Option<Output>, SandboxError> {
    match response {
        Response::Done(output) => match output.check() {
            Ok(()) => Ok(Some(output)),
            Err(reason) => Err(SandboxError::protocol(reason)),
        },
        Response::Refused { reason } => {
            let reason = reason.chars().take(500).collect();
            Err(SandboxError::Refused { reason })
        }
        Response::Unknown => Ok(None),
        Response::Pong { .. }
        | Response::Started
        | Response::Sockets { .. }
        | Response::Executing
        | Response::Resting(_) => Err(SandboxError::protocol(
            "an answer to a question that was not asked",
        )),
    }
}

/// Whether an agent of this version answers.
pub(super) async fn answers_ping(agent: &AgentSocket) -> bool {
    let ping = async {
        let mut connection = Connection::open(agent).await.ok()?;
        let frame = encode(&Request::Ping, RESPONSE_BYTES_MAX).ok()?;
        connection.send(&frame).await.ok()?;
        connection.receive().await.ok()
    };
    match timeout(PING_TIME_MAX, ping).await {
        Ok(Some(Response::Pong { protocol })) => protocol == PROTOCOL_VERSION,
        // Too busy for one more call, and very much alive.
        Ok(Some(Response::Refused { .. })) => true,
        Ok(Some(
            Response::Started
            | Response::Done(_)
            | Response::Sockets { .. }
            | Response::Resting(_)
            | Response::Executing
            | Response::Unknown,
        ))
        | Ok(None)
        | Err(_) => false,
    }
}

/// Has an agent keep what its shell knows, before it is ended. One that does not answer in time
/// loses everything.
pub(super) async fn ask_to_rest(agent: &AgentSocket) -> Losses {
    let rest = async {
        let mut connection = Connection::open(agent).await.ok()?;
        let frame = encode(&Request::Rest, RESPONSE_BYTES_MAX).ok()?;
        connection.send(&frame).await.ok()?;
        connection.receive().await.ok()
    };
    match timeout(REST_TIME_MAX, rest).await {
        Ok(Some(Response::Resting(losses))) => losses,
        Ok(Some(
            Response::Pong { .. }
            | Response::Started
            | Response::Done(_)
            | Response::Sockets { .. }
            | Response::Refused { .. }
            | Response::Executing
            | Response::Unknown,
        ))
        | Ok(None)
        | Err(_) => Losses::EVERYTHING,
    }
}

/// Asks an agent to end itself and all that it started. It may not be there any more.
pub(super) async fn ask_to_end(agent: &AgentSocket) {
    tell(agent, &Request::Shutdown).await;
}

/// Ends a call that was begun on another connection. There may be none.
pub(super) async fn cancel(agent: &AgentSocket, id: String) {
    tell(agent, &Request::Cancel { id }).await;
}

async fn tell(agent: &AgentSocket, request: &Request) {
    let told = async {
        let mut connection = Connection::open(agent).await.ok()?;
        let frame = encode(request, REQUEST_BYTES_MAX).ok()?;
        connection.send(&frame).await.ok()?;
        // The end of the connection is the answer.
        connection.receive().await.ok()
    };
    let _ = timeout(PING_TIME_MAX, told).await;
}

//! Requests to a container engine, over its unix socket.
//!
//! An engine is asked for six things, each with one small answer. Every request has a
//! connection of its own and is HTTP/1.0: the end of the connection is the end of the answer,
//! so there is nothing chunked, kept alive or pooled. Bytes and time are bounded.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::limits::{ENGINE_ANSWER_BYTES_MAX, ENGINE_ANSWER_TIME_MAX, ENGINE_REASON_CHARS_MAX};

#[derive(Debug, Clone)]
pub(super) struct Api {
    socket: PathBuf,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Api {
    pub(super) fn at(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) async fn get(&self, path: &str) -> io::Result<Answer> {
        self.bounded(request("GET", path, None)).await
    }

    pub(super) async fn post(&self, path: &str, body: Option<&Value>) -> io::Result<Answer> {
        self.bounded(request("POST", path, body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> io::Result<Answer> {
        self.bounded(request("DELETE", path, None)).await
    }

    /// The answer may be as late as it wants; whoever asks gives up by dropping this.
    pub(super) async fn post_and_wait(&self, path: &str) -> io::Result<Answer> {
        self.exchange(&request("POST", path, None)).await
    }

    async fn bounded(&self, request: Vec<u8>) -> io::Result<Answer> {
        let answer = timeout(ENGINE_ANSWER_TIME_MAX, self.exchange(&request)).await;
        answer.unwrap_or_else(|_| Err(late(&self.socket, ENGINE_ANSWER_TIME_MAX)))
    }

    async fn exchange(&self, request: &[u8]) -> io::Result<Answer> {
        let lost = |error| lost(&self.socket, &error);
        let mut stream = UnixStream::connect(&self.socket).await.map_err(lost)?;
        stream.write_all(request).await.map_err(lost)?;
        let mut bytes = Vec::new();
        let mut answer = stream.take(ENGINE_ANSWER_BYTES_MAX);
        answer.read_to_end(&mut bytes).await.map_err(lost)?;
        Answer::parse(&bytes).map_err(lost)
    }

    /// Where there is no runtime to wait in.
    pub(super) fn post_blocking(&self, path: &str) -> io::Result<Answer> {
        let lost = |error| lost(&self.socket, &error);
        let mut stream = std::os::unix::net::UnixStream::connect(&self.socket).map_err(lost)?;
        stream.set_read_timeout(Some(ENGINE_ANSWER_TIME_MAX))?;
        stream.set_write_timeout(Some(ENGINE_ANSWER_TIME_MAX))?;
        stream
            .write_all(&request("POST", path, None))
            .map_err(lost)?;
        let mut bytes = Vec::new();
        let mut answer = stream.take(ENGINE_ANSWER_BYTES_MAX);
        answer.read_to_end(&mut bytes).map_err(lost)?;
        Answer::parse(&bytes).map_err(lost)
    }
}

/// Paths are made of constants and of names that need no escaping.
fn request(method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl Answer {
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let nonsense = || io::Error::other("it answers something that is not HTTP");
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = bytes.split_at(end.ok_or_else(nonsense)?);
        let head = std::str::from_utf8(head).map_err(|_| nonsense())?;
        let mut words = head.split(' ');
        let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
        let status = words.next().and_then(|status| status.parse().ok());
        let status = status.filter(|_| is_http).ok_or_else(nonsense)?;
        let body = body[4..].to_vec();
        Ok(Self { status, body })
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn json(&self) -> io::Result<Value> {
        serde_json::from_slice(&self.body).map_err(io::Error::from)
    }

    /// What the engine says about a refusal. It has what runs in a container in it.
    pub(super) fn reason(&self) -> String {
        let message = self.json().ok();
        let message = message.as_ref().and_then(|json| json["message"].as_str());
        let text = String::from_utf8_lossy(&self.body);
        let said = message.unwrap_or(&text).trim().chars();
        let said: String = said.take(ENGINE_REASON_CHARS_MAX).collect();
        format!("{said} (status {})", self.status)
    }
}

fn lost(socket: &Path, error: &io::Error) -> io::Error {
    let socket = socket.display();
    io::Error::new(
        error.kind(),
        format!("the container engine at {socket}: {error}"),
    )
}

fn late(socket: &Path, limit: Duration) -> io::Error {
    let error = io::Error::other(format!("no answer within {} s", limit.as_secs()));
    lost(socket, &error)
}

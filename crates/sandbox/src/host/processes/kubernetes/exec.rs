//! A connection into a pod: the API starts a relay beside the keeper and joins it to a WebSocket,
//! and this joins that to a socket pair, so that a connection into a pod is one as any other.
//!
//! Each message has the number of a stream before its bytes: 0 is what the relay reads, 1 what it
//! writes, 2 its errors, 3 the API's own word about the end.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use reqwest::{Method, StatusCode, Upgraded};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{MissedTickBehavior, timeout};

use super::api::{Answer, Api, late, said, text};
use super::body::KEEPER;
use super::websocket::{Message, WebSocket};
use crate::limits::{
    API_ANSWER_TIME_MAX, CONTAINER_LOG_BYTES_MAX, EXEC_END_TIME_MAX, EXEC_PING_EVERY,
    RELAY_BUFFER_BYTES,
};
use crate::pod::{KEEPER_ARGUMENT, RELAY};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const OUTCOME: u8 = 3;
/// Followed by the number of a stream that has come to its end.
const CLOSED: u8 = 255;

/// With the word that ends a stream, and without.
const NEWEST: &str = "v5.channel.k8s.io";
const OLDER: &str = "v4.channel.k8s.io";

/// A relay in a pod.
pub(super) struct Exec {
    socket: WebSocket<Upgraded>,
    ends_streams: bool,
    pod: String,
}

impl Exec {
    pub(super) async fn start(api: &Api, pod: &str, program: &str) -> io::Result<Self> {
        let query = [
            ("container", KEEPER),
            ("command", program),
            ("command", KEEPER_ARGUMENT),
            ("command", RELAY),
            ("stdin", "true"),
            ("stdout", "true"),
            ("stderr", "true"),
            ("tty", "false"),
        ];
        // No secret: it only has to be another one each time.
        let key = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), pod);
        let key = STANDARD.encode([key.to_le_bytes(), key.to_be_bytes()].concat());
        let request = api
            .request(Method::GET, &format!("/{pod}/exec"), &query)?
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", key)
            .header(SEC_WEBSOCKET_PROTOCOL, format!("{NEWEST}, {OLDER}"));
        let answer = timeout(API_ANSWER_TIME_MAX, request.send()).await;
        let answer = answer.map_err(|_| late())?.map_err(|error| said(&error))?;
        if answer.status() == StatusCode::NOT_FOUND {
            // It, or its keeper, is gone.
            let gone = format!("there is no pod {pod} any more");
            return Err(io::Error::new(io::ErrorKind::NotFound, gone));
        }
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            Answer::read(answer)
                .await?
                .succeeded("open a connection into a pod")?;
            return Err(io::Error::other(
                "the cluster did not open a connection into a pod: it answers something else",
            ));
        }
        let protocol = answer.headers().get(SEC_WEBSOCKET_PROTOCOL);
        let ends_streams = match protocol.and_then(|protocol| protocol.to_str().ok()) {
            Some(NEWEST) => true,
            Some(OLDER) => false,
            Some(_) | None => {
                return Err(io::Error::other(
                    "the cluster speaks a protocol that was not offered",
                ));
            }
        };
        let upgraded = answer.upgrade().await.map_err(|error| said(&error))?;
        Ok(Self {
            socket: WebSocket::new(upgraded),
            ends_streams,
            pod: pod.to_owned(),
        })
    }

    /// Until one side ends. When `near` does, what it has said still arrives.
    pub(super) async fn join(mut self, near: UnixStream) {
        let (mut from_near, mut to_near) = near.into_split();
        let mut buffer = vec![0; RELAY_BUFFER_BYTES];
        let mut errors = Vec::new();
        // Whoever does not listen any more may still have something to say.
        let mut listens = true;
        // A command may say nothing for minutes, and what stands between forgets silent connections.
        let mut silence = tokio::time::interval(EXEC_PING_EVERY);
        silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = silence.tick(), if listens => listens = self.socket.ping().await.is_ok(),
                read = from_near.read(&mut buffer[1..]), if listens => {
                    let length = read.unwrap_or(0);
                    if length == 0 {
                        break;
                    }
                    buffer[0] = STDIN;
                    listens = self.socket.send(&buffer[..=length]).await.is_ok();
                }
                message = self.socket.receive() => {
                    let Ok(Some(written)) = self.take(message, &mut errors).await else {
                        return;
                    };
                    if to_near.write_all(&written).await.is_err() {
                        break;
                    }
                }
            }
        }
        // Nobody reads any more; whoever is at the other end learns that nothing more comes.
        let _ = timeout(EXEC_END_TIME_MAX, self.end(&mut errors)).await;
    }

    /// What the relay wrote. `None`: it has ended.
    async fn take(
        &mut self,
        message: io::Result<Message>,
        errors: &mut Vec<u8>,
    ) -> io::Result<Option<Vec<u8>>> {
        match message? {
            Message::Ping(content) => {
                // Where that fails, what was sent before the end is still read.
                let _ = self.socket.answer_ping(&content).await;
                Ok(Some(Vec::new()))
            }
            Message::End => Ok(None),
            Message::Bytes(bytes) => match bytes.split_first() {
                Some((&STDOUT, written)) => Ok(Some(written.to_vec())),
                Some((&STDERR, written)) => {
                    let room = CONTAINER_LOG_BYTES_MAX.saturating_sub(errors.len());
                    errors.extend_from_slice(&written[..room.min(written.len())]);
                    Ok(Some(Vec::new()))
                }
                Some((&OUTCOME, outcome)) => {
                    self.note(outcome, errors);
                    Ok(None)
                }
                Some(_) | None => Ok(Some(Vec::new())),
            },
        }
    }

    fn note(&self, outcome: &[u8], errors: &[u8]) {
        let outcome: Value = serde_json::from_slice(outcome).unwrap_or_default();
        if outcome["status"] != "Success" {
            let said = String::from_utf8_lossy(errors);
            let reason = text(&outcome["message"]);
            tracing::debug!(pod = self.pod, reason, %said, "a connection into a pod ended");
        }
    }

    async fn end(&mut self, errors: &mut Vec<u8>) {
        if self.ends_streams && self.socket.send(&[CLOSED, STDIN]).await.is_ok() {
            loop {
                let message = self.socket.receive().await;
                match self.take(message, errors).await {
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => break,
                }
            }
        }
        let _ = self.socket.end().await;
    }
}

//! One connection of HTTP/1.1, kept alive, as thin as can be: on two cores the driver's own work is part of
//! every figure.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::sse::{Frame, Frames};

/// Whom the driver talks to and with what key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
}

/// The server has answered, and refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    said: String,
}

impl Refusal {
    /// The server has more to do than it can, or takes no more of this client for now.
    pub(crate) fn is_too_much(&self) -> bool {
        matches!(self.status, 429 | 529)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for Refusal {}

/// What a server says, whatever it is.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) body: Bytes,
}

/// One request at a time. The connection ends with it.
#[derive(Debug)]
pub(crate) struct Connection {
    target: Target,
    sender: http1::SendRequest<Full<Bytes>>,
    _driver: JoinSet<()>,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> anyhow::Result<Self> {
        let (sender, driver) = connect(target).await?;
        Ok(Self {
            target: target.clone(),
            sender,
            _driver: driver,
        })
    }

    /// A server ends connections that say nothing for a while, as one does while thousands of streams are
    /// opened beside it. Nothing was sent on it by then, so another one takes its place.
    async fn be_ready(&mut self) -> anyhow::Result<()> {
        if self.sender.ready().await.is_err() {
            (self.sender, self._driver) = connect(&self.target).await?;
            self.sender.ready().await?;
        }
        Ok(())
    }

    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        self.json(Method::GET, path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.json(Method::POST, path, Some(body)).await
    }

    async fn json(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let answer = self.send(method, path, body).await?;
        let bytes = answer.into_body().collect().await?.to_bytes();
        serde_json::from_slice(&bytes).with_context(|| format!("the answer of {path} is not JSON"))
    }

    /// Takes the connection for a stream, and gives it once the head of the answer is there.
    pub(crate) async fn stream(mut self, path: &str) -> anyhow::Result<EventStream> {
        let answer = self.send(Method::GET, path, None).await?;
        Ok(self.into_stream(answer))
    }

    pub(crate) async fn post_stream(
        mut self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<EventStream> {
        let answer = self.send(Method::POST, path, Some(body)).await?;
        Ok(self.into_stream(answer))
    }

    fn into_stream(self, answer: Response<Incoming>) -> EventStream {
        EventStream {
            body: answer.into_body(),
            frames: Frames::default(),
            _connection: self,
        }
    }

    /// A request whose answer says nothing but that it went well.
    pub(crate) async fn done(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<()> {
        let answer = self.send(method, path, body).await?;
        answer.into_body().collect().await?;
        Ok(())
    }

    /// For whoever wants to see refusals too.
    pub(crate) async fn ask(
        &mut self,
        method: &Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let answer = self.exchange(method, path, body).await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers());
        let header = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
        Ok(Answer {
            status,
            retry_after: header("retry-after"),
            request_id: header("request-id"),
            body: answer.into_body().collect().await?.to_bytes(),
        })
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Response<Incoming>> {
        let bytes = body
            .map(|body| Bytes::from(body.to_string()))
            .unwrap_or_default();
        let answer = self.exchange(&method, path, bytes).await?;
        let status = answer.status();
        if !status.is_success() {
            let bytes = answer.into_body().collect().await?.to_bytes();
            let said = String::from_utf8_lossy(&bytes);
            bail!(Refusal {
                status: status.as_u16(),
                said: format!("{method} {path}: {status}: {said}"),
            });
        }
        Ok(answer)
    }

    async fn exchange(
        &mut self,
        method: &Method,
        path: &str,
        bytes: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.target.address.to_string())
            .header("x-api-key", &self.target.key)
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", "managed-agents-2026-04-01")
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, bytes.len())
            .body(Full::new(bytes))?;
        self.be_ready().await?;
        Ok(self.sender.send_request(request).await?)
    }
}

async fn connect(
    target: &Target,
) -> anyhow::Result<(http1::SendRequest<Full<Bytes>>, JoinSet<()>)> {
    let stream = TcpStream::connect(target.address)
        .await
        .with_context(|| format!("connecting to {}", target.address))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // Its failure is seen by the request that it carries.
        let _ = connection.await;
    });
    Ok((sender, driver))
}

/// Frames of one event stream, without pings.
#[derive(Debug)]
pub(crate) struct EventStream {
    body: Incoming,
    frames: Frames,
    _connection: Connection,
}

impl EventStream {
    /// The next frame; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Frame>> {
        loop {
            while let Some(frame) = self.frames.next() {
                ensure!(frame.event != "error", "the stream failed: {}", frame.data);
                if frame.event != "ping" {
                    return Ok(Some(frame));
                }
            }
            let Some(piece) = self.body.frame().await else {
                return Ok(None);
            };
            if let Ok(bytes) = piece?.into_data() {
                self.frames.push(&bytes)?;
            }
        }
    }

    /// The next frame with one of these names; the end of the stream before it is an error.
    pub(crate) async fn wait_for(&mut self, names: &[&str]) -> anyhow::Result<Frame> {
        loop {
            let frame = self
                .next()
                .await?
                .with_context(|| format!("the stream ended before {names:?}"))?;
            if names.contains(&frame.event.as_str()) {
                return Ok(frame);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_connection_that_the_server_has_ended_meanwhile_is_made_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target {
            address: listener.local_addr().unwrap(),
            key: String::new(),
        };
        let answer_one = async || {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer).await.unwrap();
        };
        let mut connection = Connection::open(&target).await.unwrap();
        for _ in 0..2 {
            let (answer, ()) = tokio::join!(connection.get("/"), answer_one());
            assert_eq!(answer.unwrap(), serde_json::json!({}));
            while !connection.sender.is_closed() {
                tokio::task::yield_now().await;
            }
        }
    }
}

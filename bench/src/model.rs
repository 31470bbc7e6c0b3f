//! An instant model: a server of the Anthropic Messages stream whose answers cost nothing, so that what is
//! left over is the server's. It notes when each request came and when its answer was handed over.
//!
//! A session's first message carries a token (`[[bench-7]]`), and the token's script says what to answer.
//! It never checks what it is asked: that is the work of the tests.

mod script;
mod tasks;
mod wire;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub(crate) use script::{Asked, Between, By, Script, Token};
pub(crate) use tasks::{SHOWN, Task};

use script::{Answer, Scripts};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Model {
    address: SocketAddr,
    scripts: Arc<Mutex<Scripts>>,
    _accepting: JoinSet<()>,
}

impl Model {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let scripts = Arc::new(Mutex::new(Scripts::default()));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, scripts.clone()));
        Ok(Self {
            address,
            scripts,
            _accepting: accepting,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new token that is answered by this script.
    pub(crate) fn expect(&self, script: Script) -> Token {
        lock(&self.scripts).add(script)
    }

    /// What was asked with this token so far, oldest first.
    pub(crate) fn asked(&self, token: Token) -> Vec<Asked> {
        lock(&self.scripts).asked(token)
    }

    /// Requests without a known token. They are answered with an error and spoil a run.
    pub(crate) fn strays(&self) -> usize {
        lock(&self.scripts).strays
    }
}

fn lock(scripts: &Mutex<Scripts>) -> std::sync::MutexGuard<'_, Scripts> {
    scripts.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, scripts: Arc<Mutex<Scripts>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, scripts.clone()));
                }
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, scripts: Arc<Mutex<Scripts>>) {
    let answering = service_fn(|request| answer(request, scripts.clone()));
    // The only failure is the caller's end of the connection, which is seen there.
    let _ = stream.set_nodelay(true);
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answering)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    scripts: Arc<Mutex<Scripts>>,
) -> Result<Response<Body>, hyper::Error> {
    let arrived = Instant::now();
    let body = request.into_body().collect().await?.to_bytes();
    let prepared = Token::find(&body).and_then(|token| {
        let answer = lock(&scripts).ask(token, &body, arrived)?;
        Some((token, answer))
    });
    let Some((token, answer)) = prepared else {
        lock(&scripts).strays += 1;
        return Ok(refusal());
    };
    Ok(stream_of(token, answer, scripts).await)
}

async fn stream_of(token: Token, answer: Answer, scripts: Arc<Mutex<Scripts>>) -> Response<Body> {
    if let Some(mut gate) = answer.gate {
        // A gate whose owner is gone is open: the run is over.
        let _ = gate.wait_for(|open| *open).await;
    }
    tokio::time::sleep(answer.think).await;
    let number = answer.number;
    let handed_over = move || lock(&scripts).answered(token, number, Instant::now());
    if let Some(between) = answer.between {
        // What fails there shows as a missing sample there.
        let _ = tokio::task::spawn_blocking(move || between.measure(number)).await;
    }
    let rest = Rest {
        pieces: answer.pieces.into(),
        seen: answer.seen,
        handed_over,
    };
    let mut response = Response::new(Body::new(StreamBody::new(stream::unfold(rest, Rest::next))));
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("text/event-stream"),
    );
    response
}

fn refusal() -> Response<Body> {
    let text =
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"no known token"}}"#;
    let mut response = Response::new(Body::new(Full::new(Bytes::from_static(text.as_bytes()))));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// What of an answer has not been taken by the connection.
struct Rest<F> {
    pieces: VecDeque<Bytes>,
    seen: Option<Arc<Notify>>,
    /// Told when the last piece is taken.
    handed_over: F,
}

impl<F: Fn()> Rest<F> {
    /// All that is left in one piece, unless the beginning is to be seen first.
    async fn next(mut self) -> Option<(Result<Frame<Bytes>, Infallible>, Self)> {
        let first = self.pieces.pop_front()?;
        let piece = match &self.seen {
            Some(_) if !self.pieces.is_empty() => return Some((Ok(Frame::data(first)), self)),
            Some(seen) => {
                seen.notified().await;
                first
            }
            None => Bytes::from(
                [first]
                    .into_iter()
                    .chain(self.pieces.drain(..))
                    .collect::<Vec<_>>()
                    .concat(),
            ),
        };
        (self.handed_over)();
        Some((Ok(Frame::data(piece)), self))
    }
}

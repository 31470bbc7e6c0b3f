//! A model provider on this machine that answers as a test tells it, in the Anthropic and in the
//! OpenAI dialect, and records what it was asked. It waits for events, never for time.
//!
//! ```ignore
//! let model = ModelScript::start().await;
//! model.reply(Reply::tool_use("bash", json!({"command": "ls"})));
//! model.reply(Reply::text("done"));
//! let second = model.request(1).await; // waits until it has arrived
//! ```
#![expect(
    clippy::expect_used,
    reason = "a test harness fails its test by panicking"
)]

mod record;
mod render;
mod reply;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use record::RecordedRequest;
pub use reply::{Gate, Reply};

use record::Outcome;
use render::Frame;

const REQUEST_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Which wire a request used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Anthropic,
    OpenAi,
}

/// The server. It ends when it is dropped.
pub struct ModelScript {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

type ReplyFunction = Arc<dyn Fn(&RecordedRequest) -> Reply + Send + Sync>;

#[derive(Default)]
struct Script {
    queue: VecDeque<Reply>,
    otherwise: Option<ReplyFunction>,
    requests: Vec<RecordedRequest>,
    outcomes: Vec<Outcome>,
    tool_calls: usize,
}

struct Shared {
    script: Mutex<Script>,
    /// Says "look": it changes after every change of the script.
    changed: watch::Sender<()>,
}

impl ModelScript {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free local port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        let router = Router::new()
            .route("/v1/messages", post(messages))
            .route("/v1/chat/completions", post(chat_completions))
            .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
            .with_state(Arc::clone(&shared));
        // Without it a small event waits for the acknowledgement of the one before.
        let listener = listener.tap_io(|connection| {
            connection
                .set_nodelay(true)
                .expect("a local connection takes the option");
        });
        let mut server = JoinSet::new();
        server.spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("a local server runs until it is dropped");
        });
        Self {
            address,
            shared,
            _server: server,
        }
    }

    /// The base address of the Anthropic dialect.
    pub fn anthropic_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base address of the OpenAI dialect.
    pub fn openai_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Queues the answer to the next request that has none yet.
    pub fn reply(&self, reply: Reply) {
        self.shared.script().queue.push_back(reply);
    }

    /// Answers whatever finds the queue empty. Without it such a request fails with a 400.
    pub fn otherwise(&self, answer: impl Fn(&RecordedRequest) -> Reply + Send + Sync + 'static) {
        self.shared.script().otherwise = Some(Arc::new(answer));
    }

    /// The request with this number, counted from 0 in order of arrival. Waits for it.
    pub async fn request(&self, number: usize) -> RecordedRequest {
        self.shared
            .wait_for(|script| script.requests.get(number).cloned())
            .await
    }

    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.script().requests.clone()
    }

    /// Waits until the client has gone away from the answer to this request before its end.
    pub async fn abandoned(&self, number: usize) {
        self.shared
            .wait_for(|script| (script.outcomes.get(number)? == &Outcome::Abandoned).then_some(()))
            .await;
    }

    /// Waits until the answer to this request was sent whole.
    pub async fn answered(&self, number: usize) {
        self.shared
            .wait_for(|script| (script.outcomes.get(number)? == &Outcome::Answered).then_some(()))
            .await;
    }

    pub fn unused_replies(&self) -> usize {
        self.shared.script().queue.len()
    }
}

impl Shared {
    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script
            .lock()
            .expect("no test panics while it holds the script")
    }

    async fn wait_for<T>(&self, mut look: impl FnMut(&Script) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(found) = look(&self.script()) {
                return found;
            }
            changed.changed().await.expect("the sender lives in self");
        }
    }

    fn record(&self, dialect: Dialect, headers: HeaderMap, body: Bytes) -> (usize, Reply) {
        let mut script = self.script();
        let number = script.requests.len();
        let request = RecordedRequest {
            number,
            dialect,
            headers,
            body,
        };
        let reply = script.queue.pop_front();
        let otherwise = script.otherwise.clone();
        script.requests.push(request.clone());
        script.outcomes.push(Outcome::Open);
        drop(script);
        self.changed.send_replace(());
        let reply = reply.or_else(|| otherwise.map(|answer| answer(&request)));
        let reply = reply.unwrap_or_else(|| {
            let message = format!("the test has no reply for request {number}");
            Reply::error(400, "invalid_request_error", &message)
        });
        (number, reply)
    }

    fn close(&self, number: usize, outcome: Outcome) {
        self.script().outcomes[number] = outcome;
        self.changed.send_replace(());
    }
}

async fn messages(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    answer(shared, Dialect::Anthropic, headers, body)
}

async fn chat_completions(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(shared, Dialect::OpenAi, headers, body)
}

fn answer(shared: Arc<Shared>, dialect: Dialect, headers: HeaderMap, body: Bytes) -> Response {
    let (number, reply) = shared.record(dialect, headers, body);
    if let Some(failure) = &reply.failure {
        let mut response = Body::from(failure.body.clone()).into_response();
        *response.status_mut() = StatusCode::from_u16(failure.status).expect("is a status");
        *response.headers_mut() = failure.headers.clone();
        shared.close(number, Outcome::Answered);
        return response;
    }
    let frames = render::frames(&reply, dialect, &mut shared.script().tool_calls);
    let sending = Sending {
        shared,
        number,
        frames: frames.into(),
        finished: false,
    };
    let body = Body::from_stream(futures::stream::unfold(sending, Sending::next));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// An answer on its way. Dropping it early means that the client went away.
struct Sending {
    shared: Arc<Shared>,
    number: usize,
    frames: VecDeque<Frame>,
    finished: bool,
}

impl Sending {
    async fn next(mut self) -> Option<(Result<Bytes, std::io::Error>, Self)> {
        loop {
            match self.frames.pop_front() {
                Some(Frame::Bytes(bytes)) => return Some((Ok(bytes), self)),
                Some(Frame::Wait(gate)) => gate.pass().await,
                Some(Frame::Disconnect) => {
                    // A pause makes the server send what came before.
                    tokio::task::yield_now().await;
                    self.finished = true;
                    let broken = std::io::Error::other("the script drops the connection here");
                    return Some((Err(broken), self));
                }
                None => {
                    self.finished = true;
                    return None;
                }
            }
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let outcome = if self.finished {
            Outcome::Answered
        } else {
            Outcome::Abandoned
        };
        self.shared.close(self.number, outcome);
    }
}

//! A server that speaks as little of the protocol as a test needs, and what it saw.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use hostler_mcp::{Client, Elicitation, Endpoint, Guard, Options, Refused, Secret};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Asked for each request: its head and its body.
pub(crate) type Answer = dyn Fn(&Seen) -> Response + Send + Sync;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn message(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn rpc_method(&self) -> String {
        self.message()["method"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Dropping it ends the server.
    _task: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let answer: Arc<Answer> = Arc::new(answer);
        let app = Router::new()
            .fallback(any(handle))
            .with_state((Arc::clone(&seen), answer));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let serving = async move { axum::serve(listener, app).await.unwrap() };
        let mut task = JoinSet::new();
        task.spawn(serving);
        Self {
            url,
            seen,
            _task: task,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn endpoint(&self, token: &str) -> Endpoint {
        Endpoint {
            url: self.url.clone(),
            token: Some(Secret::new(token.to_owned())),
        }
    }
}

type Shared = (Arc<Mutex<Vec<Seen>>>, Arc<Answer>);

async fn handle(State((seen, answer)): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let authorization = head.headers.get("authorization");
    let request = Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
        body: String::from_utf8(body.into()).unwrap(),
    };
    let answer = answer(&request);
    seen.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request);
    answer
}

/// A whole server that has one tool, `echo`, in plain JSON answers.
pub(crate) fn echo_server(seen: &Seen) -> Response {
    let message = seen.message();
    let result = match seen.rpc_method().as_str() {
        _ if seen.method != "POST" => return 405.into_status(),
        "initialize" => initialized(),
        "tools/list" => json!({"tools": [{"name": "echo", "description": "Says it again.",
            "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}}]}),
        "tools/call" => json!({"content": [
            {"type": "text", "text": message["params"]["arguments"]["text"]}]}),
        _ => return 202.into_status(),
    };
    reply(&message, &result)
}

pub(crate) fn initialized() -> Value {
    json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": true}},
        "serverInfo": {"name": "test", "version": "1"}})
}

pub(crate) fn reply(message: &Value, result: &Value) -> Response {
    let body = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    axum::Json(body).into_response()
}

pub(crate) trait IntoStatus {
    fn into_status(self) -> Response;
}

impl IntoStatus for u16 {
    fn into_status(self) -> Response {
        axum::http::StatusCode::from_u16(self)
            .unwrap()
            .into_response()
    }
}

/// Lets through what the tests' servers are.
pub(crate) struct Loopback;

impl Guard for Loopback {
    fn addresses(
        &self,
        host: String,
        _port: Option<u16>,
    ) -> BoxFuture<'static, Result<Vec<IpAddr>, Refused>> {
        async move {
            if host == "127.0.0.1" || host == "server.test" {
                Ok(vec![Ipv4Addr::LOCALHOST.into()])
            } else {
                Err(Refused(format!("{host} may not be reached")))
            }
        }
        .boxed()
    }
}

pub(crate) fn client() -> Client {
    client_with(Duration::from_secs(30))
}

pub(crate) fn client_with(call_timeout: Duration) -> Client {
    let options = Options {
        call_timeout,
        elicitation: Elicitation::Decline,
    };
    Client::new(Arc::new(Loopback), options).unwrap()
}

pub(crate) fn input(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

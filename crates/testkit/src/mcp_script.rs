//! An MCP server on this machine that has the tools which a test names, over streamable HTTP, and records the calls of
//! them. It outlives the servers that speak to it.
#![expect(
    clippy::expect_used,
    reason = "a test harness fails its test by panicking"
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::model_script::Gate;

/// The server. It ends when it is dropped.
pub struct McpScript {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

/// A call of a tool that came.
#[derive(Debug, Clone, PartialEq)]
pub struct McpToolCall {
    pub tool: String,
    pub input: Value,
}

#[derive(Default)]
struct Shared {
    tools: Vec<String>,
    calls: Mutex<Vec<McpToolCall>>,
    gates: HashMap<String, Gate>,
}

impl McpScript {
    /// A call is answered with the tool's name and its input; one of a tool with a gate passes that before.
    pub async fn start(tools: &[(&str, Option<&Gate>)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a free local port");
        let address = listener.local_addr();
        let gates = tools.iter().filter_map(|(tool, gate)| {
            let gate = Gate::clone((*gate)?);
            Some(((*tool).to_owned(), gate))
        });
        let shared = Arc::new(Shared {
            tools: tools.iter().map(|(tool, _)| (*tool).to_owned()).collect(),
            gates: gates.collect(),
            ..Shared::default()
        });
        let router = Router::new()
            .route("/mcp", post(answer))
            .with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let serving = axum::serve(listener, router).await;
            serving.expect("a local server runs until it is dropped");
        });
        Self {
            address: address.expect("a bound socket has an address"),
            shared,
            _server: server,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// The calls that came, in their order.
    pub fn calls(&self) -> Vec<McpToolCall> {
        self.shared.calls().clone()
    }
}

impl Shared {
    fn calls(&self) -> MutexGuard<'_, Vec<McpToolCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, Json(message): Json<Value>) -> Response {
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "script", "version": "1"},
        }),
        Some("tools/list") => {
            let tool = |name: &String| json!({"name": name, "inputSchema": {"type": "object"}});
            json!({"tools": shared.tools.iter().map(tool).collect::<Vec<_>>()})
        }
        Some("tools/call") => {
            let name = message["params"]["name"].as_str().unwrap_or_default();
            let input = &message["params"]["arguments"];
            shared.calls().push(McpToolCall {
                tool: name.to_owned(),
                input: input.clone(),
            });
            if let Some(gate) = shared.gates.get(name) {
                gate.pass().await;
            }
            json!({"content": [{"type": "text", "text": format!("{name} {input}")}]})
        }
        // Notifications.
        Some(_) | None => return StatusCode::ACCEPTED.into_response(),
    };
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}

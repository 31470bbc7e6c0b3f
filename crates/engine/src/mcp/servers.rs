//! The MCP servers of one session, as long as a runner has it: which tools they offer, and calls of these.
//!
//! A server that can't be used costs the session its tools and nothing else. It is tried again in the next
//! turn, or when one of its tools is called. What a token is worth is looked up at the begin of each turn,
//! so that one that was changed or taken away counts from then on.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use hostler_domain::tools;
use hostler_mcp::{Block, CallError, Outcome};
use hostler_protocol::agent::{McpServer, SessionAgent};
use hostler_protocol::event::{Seq, SessionError};
use hostler_protocol::id::SessionId;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::names::shown;
use super::opening::{Open, Origin, connect, kept, listed_again, open_anew, url, words};
use crate::options::Parts;

/// Cheap to clone: all clones are the same servers.
#[derive(Clone, Default)]
pub(crate) struct Servers(Arc<Mutex<BTreeMap<String, Server>>>);

/// What is known of one server.
pub(super) struct Server {
    url: String,
    /// `None`: it can't be used at the moment.
    open: Option<Open>,
    /// The turn in which it was last connected to, or tried.
    turn: Seq,
}

/// A call of a server's tool.
pub(crate) struct McpCall<'a> {
    pub(crate) server: &'a str,
    pub(crate) tool: &'a str,
    pub(crate) input: Map<String, Value>,
    /// Whether the server has answered calls of this session before.
    pub(crate) has_answered: bool,
}

/// What a model is told that relies on what a server had in its memory.
const STARTED_ANEW: &str = "note: this MCP server was started anew since it last answered. What it \
    only had in its memory is gone.";

/// A tool that a model is offered.
#[derive(Debug, Clone)]
pub(crate) struct OfferedTool {
    /// What the model calls it.
    pub(crate) shown: String,
    pub(crate) server: String,
    pub(crate) tool: Arc<hostler_mcp::Tool>,
}

/// What a model is offered in one request, and which servers are out of reach since this turn.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    pub(crate) tools: Vec<OfferedTool>,
    pub(crate) errors: Vec<SessionError>,
}

impl Offer {
    /// The server and the tool that a model means.
    pub(crate) fn find(&self, shown: &str) -> Option<&OfferedTool> {
        self.tools.iter().find(|tool| tool.shown == shown)
    }
}

impl Servers {
    /// The tools of all servers that can be used in this turn.
    pub(crate) async fn offer(
        &self,
        parts: &Parts,
        session: SessionId,
        agent: &SessionAgent,
        turn: Seq,
    ) -> Offer {
        let mut offer = Offer::default();
        if agent.mcp_servers.is_empty() {
            return offer;
        }
        let mut servers = self.0.lock().await;
        servers.retain(|name, server| {
            let declared = agent
                .mcp_servers
                .iter()
                .find(|declared| declared.name() == name);
            declared.is_some_and(|declared| url(declared) == server.url)
        });
        let refreshing: Vec<_> = agent
            .mcp_servers
            .iter()
            .map(|declared| {
                let known = servers.remove(declared.name());
                refreshed(parts, session, declared, known, turn)
            })
            .collect();
        // One that is slow keeps none of the others waiting.
        let refreshed = futures::future::join_all(refreshing).await;
        let mut names = HashSet::new();
        for (declared, (server, error)) in agent.mcp_servers.iter().zip(refreshed) {
            let name = declared.name();
            offer.errors.extend(error);
            if let Some(open) = &server.open {
                for tool in offered(agent, name, &open.tools) {
                    // A name means one tool, whatever a server calls its own.
                    if names.insert(tool.shown.clone()) {
                        offer.tools.push(tool);
                    }
                }
            }
            servers.insert(name.to_owned(), server);
        }
        offer
    }

    /// Calls a tool, over a connection that is there or a new one.
    pub(crate) async fn call(
        &self,
        parts: &Parts,
        session: SessionId,
        agent: &SessionAgent,
        call: McpCall<'_>,
    ) -> Result<Outcome, String> {
        let McpCall {
            server,
            tool,
            input,
            has_answered,
        } = call;
        let declared = agent
            .mcp_servers
            .iter()
            .find(|declared| declared.name() == server);
        let Some(declared) = declared else {
            return Err("The agent has no such MCP server any more.".to_owned());
        };
        let open = self.opened(parts, session, declared).await?;
        match open.connection.call(tool, input.clone()).await {
            // It was refused before it was looked at, so that it can be made again.
            Err(CallError::Unauthorized { message, .. }) => {
                let renewed = match open.token {
                    Some(token) => parts.mcp.renewed(token).await.map_err(|e| words(&e))?,
                    None => None,
                };
                let token = renewed.ok_or(format!("The MCP server {server}: {message}."))?;
                let open = connect(parts, declared, Some(token)).await;
                let open = open.map_err(|error| error.sentence(server))?;
                let again = open.connection.call(tool, input).await;
                self.keep(declared, open).await;
                again.map_err(|error| told(server, &error))
            }
            called => {
                let mut outcome = called.map_err(|error| told(server, &error))?;
                if open.origin.is_used_first() && has_answered {
                    outcome.blocks.push(Block::Text(STARTED_ANEW.to_owned()));
                }
                Ok(outcome)
            }
        }
    }

    /// Those that processes of the sandbox are, which can be used as long as it runs.
    pub(super) async fn take_started(&self) -> BTreeMap<String, Server> {
        let mut servers = self.0.lock().await;
        let all = std::mem::take(&mut *servers);
        all.into_iter()
            .filter(|(_, server)| server.is_started())
            .collect()
    }

    pub(super) fn with(servers: BTreeMap<String, Server>) -> Self {
        Self(Arc::new(Mutex::new(servers)))
    }

    async fn opened(
        &self,
        parts: &Parts,
        session: SessionId,
        declared: &McpServer,
    ) -> Result<Open, String> {
        let servers = self.0.lock().await;
        let open = servers
            .get(declared.name())
            .and_then(|server| server.open.clone());
        drop(servers);
        if let Some(open) = open.filter(|open| !open.connection.is_closed()) {
            return Ok(open);
        }
        let opened = open_anew(parts, session, declared).await;
        let opened = opened.map_err(|error| error.sentence(declared.name()))?;
        self.keep(declared, opened.clone()).await;
        Ok(opened)
    }

    async fn keep(&self, declared: &McpServer, open: Open) {
        let mut servers = self.0.lock().await;
        let turn = servers.get(declared.name()).map(|server| server.turn);
        let server = Server {
            url: url(declared).to_owned(),
            open: Some(open),
            turn: turn.unwrap_or_default(),
        };
        servers.insert(declared.name().to_owned(), server);
    }
}

impl Server {
    fn is_started(&self) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| matches!(open.origin, Origin::Started { .. }))
    }

    /// Ends its process, and waits until that is asked for.
    pub(super) async fn end(self) {
        let connection = self.open.map(|open| open.connection);
        if let Some(connection) = connection.and_then(Arc::into_inner) {
            connection.close().await;
        }
    }
}

fn offered<'a>(
    agent: &'a SessionAgent,
    server: &'a str,
    tools: &'a [Arc<hostler_mcp::Tool>],
) -> impl Iterator<Item = OfferedTool> + 'a {
    let allowed =
        |tool: &&Arc<hostler_mcp::Tool>| tools::mcp_policy(agent, server, &tool.name).is_some();
    tools.iter().filter(allowed).map(|tool| OfferedTool {
        shown: shown(server, &tool.name),
        server: server.to_owned(),
        tool: Arc::clone(tool),
    })
}

/// A server as it is in this turn: connected to if it is not yet, with the token and the tools of today.
async fn refreshed(
    parts: &Parts,
    session: SessionId,
    declared: &McpServer,
    known: Option<Server>,
    turn: Seq,
) -> (Server, Option<SessionError>) {
    let name = declared.name();
    let is_new_turn = known.as_ref().is_none_or(|server| server.turn != turn);
    let open = known.and_then(|server| server.open);
    let opened = match open {
        // It has ended since it was tried.
        Some(open) if open.connection.is_closed() => {
            open_anew(parts, session, declared).await.map(Some)
        }
        Some(open) if !is_new_turn => listed_again(open).await.map(Some),
        // It was tried in this turn, and its error is told.
        None if !is_new_turn => Ok(None),
        Some(open) => match kept(parts, session, declared, &open).await {
            true => listed_again(open).await.map(Some),
            false => open_anew(parts, session, declared).await.map(Some),
        },
        None => open_anew(parts, session, declared).await.map(Some),
    };
    let (open, error) = match opened {
        Ok(open) => (open, None),
        Err(unusable) => {
            tracing::warn!(%session, server = name, "an MCP server can't be used");
            metrics::counter!("hostler_mcp_connection_failures_total").increment(1);
            (None, Some(unusable.error(name)))
        }
    };
    let server = Server {
        url: url(declared).to_owned(),
        open,
        turn,
    };
    (server, error)
}

/// For the model, which can do something about some of them.
fn told(server: &str, error: &CallError) -> String {
    match error {
        CallError::Refused(words) => format!("The MCP server {server} refused the call: {words}"),
        CallError::Unauthorized { .. } => {
            format!("The MCP server {server} refused the credentials of this session.")
        }
        CallError::TimedOut(_) | CallError::Lost(_) => format!(
            "The MCP server {server} gave no result: {error}. The call may or may not have taken effect."
        ),
    }
}

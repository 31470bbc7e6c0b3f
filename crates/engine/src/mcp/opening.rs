//! How one MCP server becomes usable for a session: it is reached at its address with a token of the session's vaults,
//! or started in the sandbox, and says which tools it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hostler_mcp::{ConnectError, Connection, Endpoint};
use hostler_protocol::agent::{McpServer, StdioServer};
use hostler_protocol::event::{SessionError, SessionErrorKind};
use hostler_protocol::id::{SessionId, VaultId, WorkspaceId};

use super::stdio;
use super::tokens::{Token, TokenError};
use crate::network::{self, Reach};
use crate::options::Parts;

#[derive(Clone)]
pub(super) struct Open {
    pub(super) connection: Arc<Connection>,
    pub(super) token: Option<Token>,
    /// Shared with what models are offered, which is asked for before each of their answers.
    pub(super) tools: Arc<[Arc<hostler_mcp::Tool>]>,
    /// What the connection had said about changes when the tools were listed.
    listed_at: u64,
    pub(super) origin: Origin,
}

/// What is at the other end.
#[derive(Clone)]
pub(super) enum Origin {
    /// It was there before, and is there afterwards.
    Elsewhere,
    /// A process that was started for this connection, and ends with it.
    Started {
        /// No call of it has been answered.
        is_new: Arc<AtomicBool>,
    },
}

/// Why a server can't be used.
pub(super) enum Unusable {
    Unauthorized(String),
    Failed(String),
}

impl Origin {
    /// Whether this is the first answer of a process. Of several at once one is.
    pub(super) fn is_used_first(&self) -> bool {
        match self {
            Self::Elsewhere => false,
            Self::Started { is_new } => is_new.swap(false, Ordering::AcqRel),
        }
    }
}

/// Whether a connection still shows what it is to show.
pub(super) async fn kept(
    parts: &Parts,
    session: SessionId,
    declared: &McpServer,
    open: &Open,
) -> bool {
    if let Origin::Started { .. } = open.origin {
        return true;
    }
    match token(parts, session, declared).await {
        Ok(token) => secret(token.as_ref()) == secret(open.token.as_ref()),
        Err(_) => false,
    }
}

fn secret(token: Option<&Token>) -> Option<&str> {
    token.map(|token| token.secret.expose())
}

/// The tools anew, if the server has said that they changed.
pub(super) async fn listed_again(mut open: Open) -> Result<Open, Unusable> {
    let now = open.connection.tools_changed();
    if now != open.listed_at {
        let tools = open.connection.tools().await.map_err(ConnectError::from)?;
        open.tools = shared(tools.tools);
        open.listed_at = now;
    }
    Ok(open)
}

pub(super) async fn open_anew(
    parts: &Parts,
    session: SessionId,
    declared: &McpServer,
) -> Result<Open, Unusable> {
    if let Some(server) = declared.stdio() {
        return started(parts, session, declared, server).await;
    }
    check_reach(parts, session, declared).await?;
    let token = token(parts, session, declared).await;
    let token = token.map_err(|error| Unusable::Unauthorized(words(&error)))?;
    match connect(parts, declared, token.clone()).await {
        Err(Unusable::Unauthorized(message)) => {
            let Some(token) = token else {
                return Err(Unusable::Unauthorized(message));
            };
            let renewed = parts.mcp.renewed(token).await;
            match renewed.map_err(|error| Unusable::Unauthorized(words(&error)))? {
                Some(renewed) => connect(parts, declared, Some(renewed)).await,
                None => Err(Unusable::Unauthorized(message)),
            }
        }
        connected => connected,
    }
}

pub(super) async fn connect(
    parts: &Parts,
    declared: &McpServer,
    token: Option<Token>,
) -> Result<Open, Unusable> {
    let endpoint = Endpoint {
        url: url(declared).to_owned(),
        token: token.as_ref().map(|token| token.secret.clone()),
    };
    let connection = parts.mcp.client().connect(&endpoint).await?;
    listed(declared, connection, token, Origin::Elsewhere).await
}

/// One that runs in the sandbox is in its network, and has the placeholders of its secrets.
async fn started(
    parts: &Parts,
    session: SessionId,
    declared: &McpServer,
    server: Result<StdioServer, String>,
) -> Result<Open, Unusable> {
    let server = server.map_err(Unusable::Failed)?;
    let streams = stdio::start(parts, session, server).await;
    let streams = streams.map_err(|error| {
        Unusable::Failed(format!("the sandbox that it runs in is not there: {error}"))
    })?;
    let connection = parts.mcp.client().connect_to_streams(streams).await?;
    let is_new = Arc::new(AtomicBool::new(true));
    listed(declared, connection, None, Origin::Started { is_new }).await
}

async fn listed(
    declared: &McpServer,
    connection: Connection,
    token: Option<Token>,
    origin: Origin,
) -> Result<Open, Unusable> {
    let listed_at = connection.tools_changed();
    let tools = connection.tools().await.map_err(ConnectError::from)?;
    if tools.left_out > 0 {
        let (server, left_out) = (declared.name(), tools.left_out);
        tracing::warn!(
            server,
            left_out,
            "an MCP server has more tools than are offered"
        );
    }
    Ok(Open {
        connection: Arc::new(connection),
        token,
        tools: shared(tools.tools),
        listed_at,
        origin,
    })
}

/// The environment's limits hold for MCP servers too, unless it lets all of them through.
async fn check_reach(
    parts: &Parts,
    session: SessionId,
    declared: &McpServer,
) -> Result<(), Unusable> {
    let reach = network::reach(parts, session).await;
    let reach = reach.map_err(|error| Unusable::Failed(error.to_string()))?;
    let host = declared.host().unwrap_or_default();
    match reach {
        Reach::Limited(limits) if !limits.permits_mcp_host(host) => Err(Unusable::Failed(format!(
            "the session's environment does not permit its host {host}"
        ))),
        // Without a network for sandboxes the server itself still has one.
        Reach::Limited(_) | Reach::Nothing | Reach::Public | Reach::Host => Ok(()),
    }
}

async fn token(
    parts: &Parts,
    session: SessionId,
    declared: &McpServer,
) -> Result<Option<Token>, TokenError> {
    let (workspace, vaults) = vaults(parts, session).await?;
    parts.mcp.token(workspace, &vaults, url(declared)).await
}

async fn vaults(
    parts: &Parts,
    session: SessionId,
) -> Result<(WorkspaceId, Vec<VaultId>), TokenError> {
    let brief = parts.store.session_brief(session).await?;
    let workspace = brief.ok_or(TokenError::Gone)?.workspace_id;
    let row = parts.store.session(workspace, session).await?;
    Ok((workspace, row.ok_or(TokenError::Gone)?.vault_ids))
}

pub(super) fn words(error: &TokenError) -> String {
    error.to_string()
}

impl From<ConnectError> for Unusable {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Unauthorized { message, .. } => Self::Unauthorized(message),
            ConnectError::Failed(message) => Self::Failed(message),
        }
    }
}

impl Unusable {
    pub(super) fn sentence(&self, server: &str) -> String {
        match self {
            Self::Unauthorized(why) => {
                format!("The MCP server {server} does not take the session's credentials: {why}.")
            }
            Self::Failed(why) => format!("The MCP server {server} can't be reached: {why}."),
        }
    }

    pub(super) fn error(&self, server: &str) -> SessionError {
        let kind = match self {
            Self::Unauthorized(_) => SessionErrorKind::McpAuthenticationFailedError,
            Self::Failed(_) => SessionErrorKind::McpConnectionFailedError,
        };
        SessionError::of_mcp_server(kind, self.sentence(server), server)
    }
}

pub(super) fn url(declared: &McpServer) -> &str {
    let McpServer::Url { url, .. } = declared;
    url
}

fn shared(tools: Vec<hostler_mcp::Tool>) -> Arc<[Arc<hostler_mcp::Tool>]> {
    tools.into_iter().map(Arc::new).collect()
}

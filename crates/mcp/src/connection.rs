//! A session with one server.

use std::time::Duration;

use rmcp::model::{CallToolRequestParams, PaginatedRequestParams, ProtocolVersion};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt, RoleClient, RunningService,
    ServiceError,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use crate::block::Outcome;
use crate::client::{Client, Endpoint};
use crate::error::{
    CallError, ConnectError, call_error, connect_error, is_refusal, knows_no_initialize,
};
use crate::handler::{Handler, News};
use crate::legacy;
use crate::limits::{
    CALL_TOTAL_TIMEOUT, CLOSE_TIMEOUT, EVENT_BYTES_MAX, HANDSHAKE_TIMEOUT, PAGES_MAX,
};
use crate::stdio::{End, StdioTransport, Streams};
use crate::tool::Tools;

/// Calls may run side by side. Dropping it ends it; [`Connection::close`] lets the server know.
#[derive(Debug)]
pub struct Connection {
    service: RunningService<RoleClient, Handler>,
    news: watch::Receiver<News>,
    call_timeout: Duration,
    /// How a server over standard streams has ended.
    end: End,
}

type Service = RunningService<RoleClient, Handler>;

impl Connection {
    /// Newest transport first, and what most servers speak before what few do.
    pub(crate) async fn open(client: &Client, endpoint: &Endpoint) -> Result<Self, ConnectError> {
        let first = streamable(client, endpoint, ClientLifecycleMode::Initialize).await;
        let (service, news) = match first {
            Ok(opened) => opened,
            Err(Failed::Sdk(error)) if knows_no_initialize(&error) => {
                let lifecycle = ClientLifecycleMode::Discover {
                    preferred_versions: vec![ProtocolVersion::LATEST],
                };
                streamable(client, endpoint, lifecycle).await?
            }
            Err(Failed::Sdk(error)) if is_refusal(&error) => {
                match older(client, endpoint).await {
                    Ok(opened) => opened,
                    // It speaks neither. What it said to the newer one tells more.
                    Err(Failed::NotSpoken) => return Err(connect_error(&error)),
                    Err(failed) => return Err(failed.into()),
                }
            }
            Err(failed) => return Err(failed.into()),
        };
        Ok(Self {
            service,
            news,
            call_timeout: client.options.call_timeout,
            end: End::default(),
        })
    }

    /// A session over the standard streams of a program.
    pub(crate) async fn over(client: &Client, streams: Streams) -> Result<Self, ConnectError> {
        let end = End::default();
        let transport = StdioTransport::new(streams, &end);
        let (handler, news) = Handler::new(client.options.elicitation);
        let lifecycle = ClientLifecycleMode::Initialize;
        let opened = in_time(handler.serve_with_lifecycle(transport, lifecycle)).await;
        match opened {
            Ok(service) => Ok(Self {
                service,
                news,
                call_timeout: client.options.call_timeout,
                end,
            }),
            Err(failed) => Err(match end.get() {
                Some(why) => ConnectError::Failed(why.clone()),
                None => failed.into(),
            }),
        }
    }

    /// All tools that the server offers now.
    ///
    /// # Errors
    /// When it does not say which in time.
    pub async fn tools(&self) -> Result<Tools, CallError> {
        let mut tools = Tools::default();
        let mut cursor = None;
        for _page in 0..PAGES_MAX {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let asked = self.service.peer().list_tools(Some(params));
            let page = timeout(HANDSHAKE_TIMEOUT, asked)
                .await
                .map_err(|_elapsed| CallError::TimedOut(HANDSHAKE_TIMEOUT.as_secs()))?
                .map_err(|error| self.failed(&error))?;
            let has_room = tools.take(page.tools);
            match page.next_cursor {
                Some(next) if has_room => cursor = Some(next),
                Some(_) | None => break,
            }
        }
        Ok(tools)
    }

    /// How often the server has said that its tools are others now. Changes when [`Connection::tools`]
    /// may give something else.
    pub fn tools_changed(&self) -> u64 {
        self.news.borrow().tools_changed
    }

    /// Whether the server or the network has ended it.
    pub fn is_closed(&self) -> bool {
        self.service.is_closed() || self.service.peer().is_transport_closed()
    }

    /// Calls a tool and waits for its result. Dropping the future tells the server that nobody waits any more.
    ///
    /// # Errors
    /// When there is no result. A tool that failed is one: [`Outcome::is_error`].
    pub async fn call(&self, tool: &str, input: Map<String, Value>) -> Result<Outcome, CallError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(input);
        let called = self.service.call_tool(params);
        let mut called = std::pin::pin!(called);
        let mut news = self.news.clone();
        let end = Instant::now() + CALL_TOTAL_TIMEOUT;
        // A sign of life of any call on this connection renews the wait: it is the server that is alive.
        let mut progress = news.borrow_and_update().progress;
        let mut silent = Instant::now() + self.call_timeout;
        loop {
            tokio::select! {
                answered = timeout_at(silent.min(end), &mut called) => return match answered {
                    Ok(Ok(result)) => Ok(result.into()),
                    Ok(Err(error)) => Err(self.failed(&error)),
                    Err(_elapsed) if silent <= end => {
                        Err(CallError::TimedOut(self.call_timeout.as_secs()))
                    }
                    Err(_elapsed) => Err(CallError::TimedOut(CALL_TOTAL_TIMEOUT.as_secs())),
                },
                Ok(()) = news.changed() => {
                    let now = news.borrow_and_update().progress;
                    if now != progress {
                        progress = now;
                        silent = Instant::now() + self.call_timeout;
                    }
                }
            }
        }
    }

    /// A connection that is lost says how, if that is known.
    fn failed(&self, error: &ServiceError) -> CallError {
        match (call_error(error), self.end.get()) {
            (CallError::Lost(_), Some(why)) => CallError::Lost(why.clone()),
            (error, _) => error,
        }
    }

    /// Ends the session, so that the server can forget it.
    pub async fn close(mut self) {
        // A server that does not answer keeps what it kept; nobody waits for it.
        _ = self.service.close_with_timeout(CLOSE_TIMEOUT).await;
    }
}

enum Failed {
    Sdk(Box<ClientInitializeError>),
    /// The server has no event stream at that address either.
    NotSpoken,
    Other(ConnectError),
}

impl From<Failed> for ConnectError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Sdk(error) => connect_error(&error),
            Failed::NotSpoken => Self::Failed("it offers no event stream".to_owned()),
            Failed::Other(error) => error,
        }
    }
}

async fn streamable(
    client: &Client,
    endpoint: &Endpoint,
    lifecycle: ClientLifecycleMode,
) -> Result<(Service, watch::Receiver<News>), Failed> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(endpoint.url.as_str());
    config.max_sse_event_size = EVENT_BYTES_MAX;
    if let Some(token) = &endpoint.token {
        config = config.auth_header(token.expose());
    }
    let transport = StreamableHttpClientTransport::with_client(client.http.clone(), config);
    let (handler, news) = Handler::new(client.options.elicitation);
    let service = in_time(handler.serve_with_lifecycle(transport, lifecycle)).await?;
    Ok((service, news))
}

async fn older(
    client: &Client,
    endpoint: &Endpoint,
) -> Result<(Service, watch::Receiver<News>), Failed> {
    let opened = timeout(HANDSHAKE_TIMEOUT, legacy::open(&client.http, endpoint)).await;
    let transport = opened.map_err(|_elapsed| Failed::Other(too_slow()))?;
    let transport = transport.map_err(|error| match error {
        legacy::OpenError::NotSpoken => Failed::NotSpoken,
        legacy::OpenError::Failed(error) => Failed::Other(error),
    })?;
    let (handler, news) = Handler::new(client.options.elicitation);
    let lifecycle = ClientLifecycleMode::Initialize;
    let service = in_time(handler.serve_with_lifecycle(transport, lifecycle)).await?;
    Ok((service, news))
}

async fn in_time(
    handshake: impl Future<Output = Result<Service, ClientInitializeError>>,
) -> Result<Service, Failed> {
    match timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(service)) => Ok(service),
        Ok(Err(error)) => Err(Failed::Sdk(Box::new(error))),
        Err(_elapsed) => Err(Failed::Other(too_slow())),
    }
}

fn too_slow() -> ConnectError {
    let seconds = HANDSHAKE_TIMEOUT.as_secs();
    ConnectError::Failed(format!("it was not ready within {seconds} s"))
}

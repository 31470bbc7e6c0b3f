//! How MCP servers and their token endpoints are reached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;
use zeroize::Zeroizing;

use crate::connection::Connection;
use crate::error::ConnectError;
use crate::guard::{Guard, GuardedNames, Refused};
use crate::handler::Elicitation;
use crate::limits::CONNECT_TIMEOUT;
use crate::stdio::Streams;

/// A token or the secret of a client. It can't be printed, and its memory is wiped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// Where a server is, and what is shown to it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub url: String,
    /// Sent as `Authorization: Bearer`, to this server only.
    pub token: Option<Secret>,
}

/// What holds for all servers.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a call may be silent: the server's reports of progress renew it.
    pub call_timeout: Duration,
    pub elicitation: Elicitation,
}

/// Reaches servers. Cheap to clone; connections to one host are shared.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    guard: Arc<GuardedNames>,
    pub(crate) options: Options,
}

impl Client {
    /// # Errors
    /// When the machine has no usable store of root certificates.
    pub fn new(guard: Arc<dyn Guard>, options: Options) -> Result<Self, ConnectError> {
        let guard = Arc::new(GuardedNames(guard));
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::clone(&guard))
            .user_agent(concat!("hostler/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ConnectError::Failed(format!("no HTTP client: {error}")))?;
        Ok(Self {
            http,
            guard,
            options,
        })
    }

    /// A session with a server, ready for calls.
    ///
    /// # Errors
    /// When it can't be reached, wants another token, or does not speak the protocol.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<Connection, ConnectError> {
        self.permit(&endpoint.url).await?;
        Connection::open(self, endpoint).await
    }

    /// A session with a server that runs already.
    ///
    /// # Errors
    /// When it does not speak the protocol, or not in time.
    pub async fn connect_to_streams(&self, streams: Streams) -> Result<Connection, ConnectError> {
        Connection::over(self, streams).await
    }

    /// The HTTP client asks the guard for names only, and not for their ports; so the whole is asked for here.
    pub(crate) async fn permit(&self, url: &str) -> Result<Url, Refused> {
        let url =
            Url::parse(url).map_err(|error| Refused(format!("the URL is not one: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused("the URL is neither http nor https".to_owned()));
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default();
        self.guard.0.addresses(host.to_owned(), port).await?;
        Ok(url)
    }
}

impl Secret {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one place that sends or seals it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

//! `hostler vaults authorize`: a person agrees in a browser that sessions use an MCP server in their name, and the
//! tokens that come of it are put into a vault of a running server, through its API.
//!
//! It needs no settings of a server and need not run beside one. What it shows are addresses and ids, never a token.

mod listener;
mod pasted;
mod place;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures::FutureExt;
use futures::future::BoxFuture;
use hostler_domain::Env;
use hostler_mcp::{
    Authorization, ClientIdentity, ConnectError, Elicitation, Endpoint, Grant, Guard, Options,
    Refused,
};

use crate::api_client::Client;
use crate::config::Secret;
use crate::terminal::say;
use listener::Listener;
use pasted::Pasted;
use place::Place;

/// Where the tokens go.
#[derive(Debug)]
pub enum Vault {
    There(hostler_protocol::id::VaultId),
    /// One that is made, with this name, once there are tokens.
    New(String),
}

/// What becomes of a credential that the vault has for the MCP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Kept,
    /// It is archived, and its tokens are forgotten.
    Replaced,
}

/// Who we are to the authorization server, where it does not register us.
#[derive(Debug)]
pub struct RegisteredClient {
    pub id: String,
    pub secret: Option<Secret>,
}

#[derive(Debug)]
pub struct Authorize {
    pub server: String,
    pub api_key: Secret,
    pub vault: Vault,
    pub mcp_server_url: String,
    pub display_name: Option<String>,
    pub existing: Existing,
    pub client: Option<RegisteredClient>,
    pub scopes: Vec<String>,
    /// Where the browser is sent back to; a free port of this machine if nothing is said.
    pub redirect_uri: Option<String>,
    /// How long the person has.
    pub wait: Duration,
}

/// For the first request to the server, which it refuses.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);

pub async fn run(order: Authorize) -> anyhow::Result<()> {
    let api = Client::new(&order.server, order.api_key.expose())?;
    // Nobody shall agree to something that can't be kept.
    let place = Place::find(&api, &order).await?;
    let grant = obtain(&order).await?;
    let stored = place
        .keep(&api, &order, &grant, Env::system().now())
        .await?;
    if grant.refresh_token.is_none() {
        say(
            "The server gave no token to renew this one with: once it expires, you have to agree anew.\n",
        );
    }
    stored.try_out(&api).await
}

/// The person's consent, as tokens.
async fn obtain(order: &Authorize) -> anyhow::Result<Grant> {
    let challenge = challenge(&order.mcp_server_url).await?;
    let (listener, redirect_uri) = match &order.redirect_uri {
        None => {
            let listener = Listener::on_a_free_port().await?;
            let uri = listener.redirect_uri();
            (Some(listener), uri)
        }
        Some(uri) => (Listener::at(uri).await?, uri.clone()),
    };
    let registered = order.client.as_ref().map(|client| {
        let secret = client.secret.as_ref();
        let secret = secret.map(|secret| hostler_mcp::Secret::new(secret.expose().to_owned()));
        (client.id.clone(), secret)
    });
    let identity = ClientIdentity {
        registered,
        metadata_url: None,
    };
    let authorization = Authorization::begin(
        &order.mcp_server_url,
        &redirect_uri,
        &identity,
        challenge.as_deref(),
        &order.scopes,
    );
    let authorization = authorization
        .await
        .map_err(|error| not_begun(order, &error))?;
    say(&format!(
        "Open this address in a browser, here or on another machine:\n\n  {}\n\n\
         There are {} to agree. If the browser ends at a page that it can't reach, paste the address of that page here.\n",
        authorization.url(),
        in_words(order.wait),
    ));
    let back = came_back(&authorization, listener);
    let back = tokio::time::timeout(order.wait, back).await;
    let back = back.map_err(|_| {
        anyhow!(
            "nobody agreed within {}; nothing was stored",
            in_words(order.wait)
        )
    })??;
    say("The answer has come.\n");
    let grant = authorization.finish(&back).await;
    grant.map_err(|error| anyhow!("no token was given: {}", plain(&error.to_string())))
}

fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 60 == 0 && seconds > 60 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

fn not_begun(order: &Authorize, error: &hostler_mcp::AuthorizationError) -> anyhow::Error {
    let advice = match order.client {
        Some(_) => "",
        None => {
            ". If it registers no clients by itself, register one there by hand, and name it with --client-id and --redirect-uri"
        }
    };
    let (url, why) = (&order.mcp_server_url, plain(&error.to_string()));
    anyhow!("{url} can't be agreed to: {why}{advice}")
}

/// What came back, from the browser or by hand.
async fn came_back(
    authorization: &Authorization,
    listener: Option<Listener>,
) -> anyhow::Result<String> {
    let mut pasted = Pasted::begin()?;
    let heard = async {
        match &listener {
            Some(listener) => listener.answer(|url| authorization.is_answer(url)).await,
            None => std::future::pending().await,
        }
    };
    let by_hand = async {
        loop {
            let line = pasted.next().await;
            if authorization.is_answer(&line) {
                return line;
            }
            say(
                "This is not the address that the browser was sent to, or it belongs to another try. Copy the whole of it.\n",
            );
        }
    };
    tokio::select! {
        url = heard => url,
        url = by_hand => Ok(url),
    }
}

/// What the server says when it refuses a request without a token. One that refuses nothing may want a token later.
async fn challenge(url: &str) -> anyhow::Result<Option<String>> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        bail!("{url} is no address of a server that takes tokens: it has to begin with https://");
    }
    let options = Options {
        call_timeout: PROBE_TIMEOUT,
        elicitation: Elicitation::Decline,
    };
    let client = hostler_mcp::Client::new(Arc::new(AnyAddress), options)?;
    let endpoint = Endpoint {
        url: url.to_owned(),
        token: None,
    };
    match client.connect(&endpoint).await {
        Ok(connection) => {
            connection.close().await;
            say(
                "The server takes requests without a token; it may want one for some of its tools.\n",
            );
            Ok(None)
        }
        Err(ConnectError::Unauthorized { challenge, .. }) => Ok(challenge),
        Err(ConnectError::Failed(why)) => bail!("{url} can't be reached: {}", plain(&why)),
    }
}

/// The person has named the server, and this is their machine: what it reaches is theirs to say.
struct AnyAddress;

impl Guard for AnyAddress {
    fn addresses(
        &self,
        host: String,
        port: Option<u16>,
    ) -> BoxFuture<'static, Result<Vec<IpAddr>, Refused>> {
        async move {
            let found = tokio::net::lookup_host((host.as_str(), port.unwrap_or_default())).await;
            let found = found.map_err(|error| Refused(format!("{host} is not known: {error}")))?;
            Ok(found.map(|address| address.ip()).collect())
        }
        .boxed()
    }
}

/// A stranger's words on a terminal: no control characters, and one line.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// The key of the API, out of a file or the environment.
///
/// # Errors
/// When there is none.
pub fn api_key(
    file: Option<&std::path::Path>,
    environment: &crate::config::Environment,
) -> anyhow::Result<Secret> {
    if let Some(file) = file {
        return read_secret(file);
    }
    let found = ["HOSTLER_API_KEY", "ANTHROPIC_API_KEY"]
        .into_iter()
        .find_map(|name| environment.get(name));
    let found = found.context(
        "there is no key for the server: set HOSTLER_API_KEY or ANTHROPIC_API_KEY, or name a file with --api-key-file",
    )?;
    Ok(Secret::new(found.to_owned()))
}

/// # Errors
/// When the file holds no secret, or more than one.
pub fn read_secret(file: &std::path::Path) -> anyhow::Result<Secret> {
    crate::config::read_key(file).map_err(|error| anyhow!("the file {} {error}", file.display()))
}

//! The client that the protocol's own conformance suite drives: `tests/sdk/test_mcp_conformance.py`. The suite starts a server for each scenario, gives its address as the last argument, and judges
//! what the server saw. All that is done here goes through the crate; this file only plays the model, which
//! calls every tool, and the person, who agrees to each authorization.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use hostler_mcp::{
    Authorization, Block, CallError, Client, ClientIdentity, ConnectError, Connection, Elicitation,
    Endpoint, Guard, Options, Refused, Secret, Tool,
};
use serde_json::{Map, Value, json};

/// How often a server may want another token before we believe that it will never be content.
const AUTHORIZATIONS_MAX: usize = 3;

const REDIRECT_URI: &str = "http://localhost:3000/callback";

/// The suite's own servers are on this machine.
struct Loopback;

impl Guard for Loopback {
    fn addresses(
        &self,
        host: String,
        _port: Option<u16>,
    ) -> BoxFuture<'static, Result<Vec<std::net::IpAddr>, Refused>> {
        async move {
            if matches!(host.as_str(), "localhost" | "127.0.0.1") {
                Ok(vec![std::net::Ipv4Addr::LOCALHOST.into()])
            } else {
                Err(Refused(format!("{host} is not this machine")))
            }
        }
        .boxed()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let url = std::env::args().next_back().context("no address")?;
    let options = Options {
        call_timeout: Duration::from_secs(20),
        elicitation: Elicitation::AcceptDefaults,
    };
    let client = Client::new(Arc::new(Loopback), options)?;
    let mut session = Session::new(client, url)?;
    session.run().await
}

struct Session {
    client: Client,
    endpoint: Endpoint,
    identity: ClientIdentity,
    scopes: Vec<String>,
    authorizations: usize,
}

impl Session {
    fn new(client: Client, url: String) -> anyhow::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "the suite speaks so")]
        let context = std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_else(|_| "{}".to_owned());
        let context: Value = serde_json::from_str(&context)?;
        let text = |name: &str| context.get(name).and_then(Value::as_str);
        let registered = text("client_id").map(|id| {
            let secret = text("client_secret");
            (
                id.to_owned(),
                secret.map(|text| Secret::new(text.to_owned())),
            )
        });
        let metadata_url = "https://conformance-test.local/client-metadata.json";
        Ok(Self {
            client,
            endpoint: Endpoint { url, token: None },
            identity: ClientIdentity {
                registered,
                metadata_url: Some(metadata_url.to_owned()),
            },
            scopes: Vec::new(),
            authorizations: 0,
        })
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        loop {
            let challenge = match self.client.connect(&self.endpoint).await {
                Ok(connection) => {
                    let worked = call_all(&connection).await;
                    connection.close().await;
                    match worked {
                        Ok(()) => return Ok(()),
                        Err(CallError::Unauthorized { challenge, .. }) => challenge,
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(ConnectError::Unauthorized { challenge, .. }) => challenge,
                Err(error) => return Err(error.into()),
            };
            self.authorize(challenge.as_deref()).await?;
        }
    }

    async fn authorize(&mut self, challenge: Option<&str>) -> anyhow::Result<()> {
        if self.authorizations == AUTHORIZATIONS_MAX {
            bail!("the server is content with no token");
        }
        self.authorizations += 1;
        let authorization = Authorization::begin(
            &self.endpoint.url,
            REDIRECT_URI,
            &self.identity,
            challenge,
            &self.scopes,
        );
        let authorization = authorization.await?;
        let came_back_to = agree(authorization.url()).await?;
        let grant = authorization.finish(&came_back_to).await?;
        self.scopes = grant.scopes;
        self.endpoint.token = Some(grant.access_token);
        Ok(())
    }
}

/// What a browser does with the person's consent: it is sent back to us.
async fn agree(url: &str) -> anyhow::Result<String> {
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let answer = browser.build()?.get(url).send().await?;
    let location = answer.headers().get("location");
    let location = location.context("the authorization server does not redirect")?;
    Ok(location.to_str()?.to_owned())
}

async fn call_all(connection: &Connection) -> Result<(), CallError> {
    for tool in connection.tools().await?.tools {
        let outcome = connection.call(&tool.name, input_for(&tool)).await?;
        let blocks = outcome.blocks.iter().map(|block| match block {
            Block::Text(text) => text.as_str(),
            Block::Image { media_type, .. } | Block::Document { media_type, .. } => media_type,
        });
        tracing::info!(tool = tool.name, blocks = ?blocks.collect::<Vec<_>>(), "called");
    }
    Ok(())
}

/// Something for each field that a tool has.
fn input_for(tool: &Tool) -> Map<String, Value> {
    let properties = tool
        .input_schema
        .get("properties")
        .and_then(Value::as_object);
    let properties = properties.into_iter().flatten();
    properties
        .map(|(name, schema)| {
            let value = match schema.get("type").and_then(Value::as_str) {
                Some("number" | "integer") => json!(2),
                Some("boolean") => json!(true),
                Some("array") => json!([]),
                Some("object") => json!({}),
                Some(_) | None => json!("text"),
            };
            (name.clone(), value)
        })
        .collect()
}

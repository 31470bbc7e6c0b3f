//! The vault that takes the tokens, through the API of the server that keeps it.

use anyhow::{Context, bail};
use hostler_mcp::{ClientAuth, Grant};
use hostler_protocol::Timestamp;
use hostler_protocol::agent::canonical_url;
use hostler_protocol::limits::VAULT_CREDENTIALS_MAX;
use serde_json::{Value, json};

use super::{Authorize, Existing, Vault, plain};
use crate::api_client::Client;
use crate::terminal::say;

/// What was found before anybody was asked to agree.
pub(super) struct Place {
    /// The credential that is in the way and is to be archived.
    replaced: Option<String>,
}

/// A credential, by its path.
pub(super) struct Stored(String);

impl Place {
    pub(super) async fn find(api: &Client, order: &Authorize) -> anyhow::Result<Self> {
        let Vault::There(vault) = &order.vault else {
            // A key that is none shall be known now.
            api.get("/v1/vaults?limit=1").await?;
            return Ok(Self { replaced: None });
        };
        let found = api.get(&format!("/v1/vaults/{vault}")).await?;
        if !found["archived_at"].is_null() {
            bail!("the vault {vault} is archived");
        }
        let list = format!("/v1/vaults/{vault}/credentials?limit={VAULT_CREDENTIALS_MAX}");
        let list = api.get(&list).await?;
        let ours = canonical_url(&order.mcp_server_url);
        let is_in_the_way = |credential: &&Value| {
            let url = credential["auth"]["mcp_server_url"].as_str();
            url.is_some_and(|url| canonical_url(url) == ours)
        };
        let all = list["data"].as_array();
        let found = all.and_then(|all| all.iter().find(is_in_the_way));
        let Some(id) = found.and_then(|credential| credential["id"].as_str()) else {
            return Ok(Self { replaced: None });
        };
        match order.existing {
            Existing::Kept => bail!(
                "the vault has the credential {id} for this server already: --replace archives it once you have agreed"
            ),
            Existing::Replaced => Ok(Self {
                replaced: Some(id.to_owned()),
            }),
        }
    }

    /// Puts the tokens into the vault.
    pub(super) async fn keep(
        self,
        api: &Client,
        order: &Authorize,
        grant: &Grant,
        now: Timestamp,
    ) -> anyhow::Result<Stored> {
        let not_kept = "the tokens were not kept, and you have to agree anew";
        let vault = match &order.vault {
            Vault::There(vault) => vault.to_string(),
            Vault::New(name) => {
                let body = json!({"display_name": name});
                api.create("/v1/vaults", &body).await.context(not_kept)?
            }
        };
        let path = format!("/v1/vaults/{vault}/credentials");
        if let Some(old) = &self.replaced {
            let archive = format!("{path}/{old}/archive");
            api.post(&archive, &json!({})).await.context(not_kept)?;
            say(&format!("The credential {old} is archived.\n"));
        }
        let id = api.create(&path, &body(order, grant, now)).await;
        let id = id.context(not_kept)?;
        say(&format!("The credential {id} is in the vault {vault}.\n"));
        Ok(Stored(format!("{path}/{id}")))
    }
}

impl Stored {
    /// Has the server speak to the MCP server with the tokens, from where its sessions would.
    pub(super) async fn try_out(&self, api: &Client) -> anyhow::Result<()> {
        let path = format!("{}/mcp_oauth_validate", self.0);
        let found = api.post(&path, &json!({})).await;
        let found = found.context("the credential is stored, but it could not be tried out")?;
        let status = found["status"].as_str().unwrap_or("unknown");
        if status == "valid" {
            say("The server has tried it out: it is valid.\n");
            return Ok(());
        }
        let response = &found["mcp_probe"]["http_response"];
        let why = match response["status_code"].as_u64() {
            Some(code) => {
                let said = plain(response["body"].as_str().unwrap_or_default());
                format!("it answered {code}: {said}")
            }
            None => "it could not be reached from there; servers in private networks have to be permitted in [network]".to_owned(),
        };
        bail!("the credential is stored, but the MCP server does not take it ({status}): {why}")
    }
}

/// **Invariant:** the one place where tokens leave their types, for the server that seals them.
fn body(order: &Authorize, grant: &Grant, now: Timestamp) -> Value {
    let lasts = grant.expires_in.filter(|lasts| !lasts.is_zero());
    let expires_at = lasts.map(|lasts| now.plus(lasts));
    let refresh = grant.refresh_token.as_ref().map(|token| {
        json!({
            "client_id": grant.client_id,
            "refresh_token": token.expose(),
            "token_endpoint": grant.token_endpoint,
            "token_endpoint_auth": match &grant.client_auth {
                ClientAuth::None => json!({"type": "none"}),
                ClientAuth::Basic(secret) => {
                    json!({"type": "client_secret_basic", "client_secret": secret.expose()})
                }
                ClientAuth::Post(secret) => {
                    json!({"type": "client_secret_post", "client_secret": secret.expose()})
                }
            },
            "resource": grant.resource,
        })
    });
    json!({
        "display_name": order.display_name,
        "auth": {
            "type": "mcp_oauth",
            "mcp_server_url": order.mcp_server_url,
            "access_token": grant.access_token.expose(),
            "expires_at": expires_at,
            "refresh": refresh,
        },
    })
}

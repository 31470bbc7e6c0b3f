//! Obtaining the first token: a person agrees in a browser, and we get tokens for it.
//!
//! Two steps with the browser between them: [`Authorization::begin`] finds the authorization server, makes
//! ourselves known to it and gives the address to open; [`Authorization::finish`] takes the address that the
//! browser was sent back to. Metadata, PKCE and the checks of issuer and state are the SDK's.

use std::time::Duration;

use oauth2::TokenResponse as _;
use reqwest::Url;
use reqwest::redirect::Policy;
use rmcp::transport::auth::{
    AuthError, AuthorizationCallback, AuthorizationManager, AuthorizationMetadata,
    OAuthClientConfig, OAuthTokenResponse,
};

use crate::client::Secret;
use crate::limits::{TOKEN_ANSWER_BYTES_MAX, TOKEN_TIMEOUT};
use crate::probe::read;
use crate::refresh::ClientAuth;

/// An authorization that waits for its person.
pub struct Authorization {
    manager: AuthorizationManager,
    url: String,
    client: OAuthClientConfig,
    token_endpoint: String,
    posts_its_secret: bool,
}

/// Who we are to the authorization server.
#[derive(Debug, Clone, Default)]
pub struct ClientIdentity {
    /// A client that was registered by hand, and its secret if it has one.
    pub registered: Option<(String, Option<Secret>)>,
    /// Where a document about the client is, for servers that take its address as the client's id.
    pub metadata_url: Option<String>,
}

/// All that a credential needs, the means to renew it included.
#[derive(Debug, Clone)]
pub struct Grant {
    pub access_token: Secret,
    pub refresh_token: Option<Secret>,
    pub expires_in: Option<Duration>,
    pub token_endpoint: String,
    pub client_id: String,
    pub client_auth: ClientAuth,
    pub scopes: Vec<String>,
    pub resource: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuthorizationError(String);

impl Authorization {
    /// `challenge` is what the server said when it refused (`WWW-Authenticate`), and `scopes` what an earlier
    /// grant covered, which the new one shall cover too.
    ///
    /// # Errors
    /// When the server names no authorization server that we can use.
    pub async fn begin(
        server_url: &str,
        redirect_uri: &str,
        identity: &ClientIdentity,
        challenge: Option<&str>,
        scopes: &[String],
    ) -> Result<Self, AuthorizationError> {
        let mut manager = AuthorizationManager::new(server_url).await?;
        let metadata = match manager.resolve_metadata_from_challenge(challenge).await {
            Ok(found) => found.metadata,
            Err(error) => match metadata_of_2025(server_url, &error).await {
                Some(metadata) => metadata,
                None => return Err(error.into()),
            },
        };
        let says = |name: &str| metadata.additional_fields.get(name);
        let takes_addresses = says("client_id_metadata_document_supported");
        let takes_addresses = takes_addresses.and_then(|value| value.as_bool()) == Some(true);
        let methods = says("token_endpoint_auth_methods_supported");
        let methods = methods.and_then(|value| value.as_array());
        let offers = |name: &str| methods.is_some_and(|all| all.iter().any(|one| one == name));
        let posts_its_secret = offers("client_secret_post") && !offers("client_secret_basic");
        let token_endpoint = metadata.token_endpoint.clone();
        manager.set_metadata(metadata);

        let mut wanted = scopes.to_vec();
        let asked = manager.select_initial_scopes(&[]).await;
        wanted.extend(asked.into_iter().filter(|scope| !scopes.contains(scope)));
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();

        let client = match (&identity.registered, &identity.metadata_url) {
            (Some((id, secret)), _) => {
                let client = OAuthClientConfig::new(id, redirect_uri);
                match secret {
                    Some(secret) => client.with_client_secret(secret.expose()),
                    None => client,
                }
            }
            (None, Some(address)) if takes_addresses => {
                OAuthClientConfig::new(address, redirect_uri)
            }
            (None, _) => {
                let registered = manager.register_client("Hostler", redirect_uri, &wanted);
                registered.await?
            }
        };
        manager.configure_client(client.clone())?;
        let url = manager.get_authorization_url(&wanted).await?;
        if !is_web_address(&url) {
            let why = "the address to agree at is neither https nor http";
            return Err(AuthorizationError(why.to_owned()));
        }
        Ok(Self {
            manager,
            url,
            client,
            token_endpoint,
            posts_its_secret,
        })
    }

    /// The address that the person has to open.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether an address is what the browser was sent back to for this authorization, and for no other: so that
    /// whatever else reaches the place where it is waited for ends nothing.
    pub fn is_answer(&self, came_back_to: &str) -> bool {
        let asked = parameter(&self.url, "state");
        asked.is_some() && asked == parameter(came_back_to, "state")
    }

    /// Exchanges what the browser brought back for tokens.
    ///
    /// # Errors
    /// When the person refused, the address belongs to another authorization, or the server gives no token.
    pub async fn finish(self, came_back_to: &str) -> Result<Grant, AuthorizationError> {
        if let Some(refusal) = refusal(came_back_to) {
            return Err(AuthorizationError(refusal));
        }
        let callback = AuthorizationCallback::from_redirect_url(came_back_to)?;
        let issuer = callback.issuer.as_deref();
        let exchanged = self.manager.exchange_code_for_token_with_issuer(
            &callback.code,
            &callback.csrf_token,
            issuer,
        );
        let tokens = exchanged.await?;
        let scopes = self.manager.get_current_scopes().await;
        Ok(self.grant(&tokens, scopes))
    }

    fn grant(self, tokens: &OAuthTokenResponse, scopes: Vec<String>) -> Grant {
        let secret = self.client.client_secret.map(Secret::new);
        let client_auth = match secret {
            None => ClientAuth::None,
            Some(secret) if self.posts_its_secret => ClientAuth::Post(secret),
            Some(secret) => ClientAuth::Basic(secret),
        };
        let refresh_token = tokens.refresh_token();
        Grant {
            access_token: Secret::new(tokens.access_token().secret().clone()),
            refresh_token: refresh_token.map(|token| Secret::new(token.secret().clone())),
            expires_in: tokens.expires_in(),
            token_endpoint: self.token_endpoint,
            client_id: self.client.client_id,
            client_auth,
            scopes,
            resource: parameter(&self.url, "resource"),
        }
    }
}

/// By the protocol of March 2025 a server publishes the metadata of its authorization server in its own root,
/// and some name an issuer that is not that root. The SDK refuses that, as newer versions demand. It is taken here
/// if the issuer is at the same origin, which is the one that was asked.
async fn metadata_of_2025(server_url: &str, error: &AuthError) -> Option<AuthorizationMetadata> {
    let AuthError::AuthorizationServerMismatch {
        received_issuer, ..
    } = error
    else {
        return None;
    };
    let server = Url::parse(server_url).ok()?;
    if Url::parse(received_issuer).ok()?.origin() != server.origin() {
        return None;
    }
    let url = server
        .join("/.well-known/oauth-authorization-server")
        .ok()?;
    let http = reqwest::Client::builder()
        .redirect(Policy::none())
        .timeout(TOKEN_TIMEOUT);
    let response = http.build().ok()?.get(url).send().await.ok()?;
    let found = read(response, TOKEN_ANSWER_BYTES_MAX).await.ok()?;
    let metadata: AuthorizationMetadata = serde_json::from_str(&found.body).ok()?;
    (metadata.issuer.as_ref() == Some(received_issuer)).then_some(metadata)
}

/// What a person is asked to open was named by a server, and a browser knows more than web pages.
fn is_web_address(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

/// What a server says by redirecting with an error (RFC 6749, section 4.1.2.1).
fn refusal(url: &str) -> Option<String> {
    let error = parameter(url, "error")?;
    let why = parameter(url, "error_description").map(|why| format!(": {why}"));
    Some(format!(
        "the authorization was refused: {error}{}",
        why.unwrap_or_default()
    ))
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

impl From<AuthError> for AuthorizationError {
    fn from(error: AuthError) -> Self {
        Self(crate::error::words(&error))
    }
}

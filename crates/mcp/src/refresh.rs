//! Renewing a token at its token endpoint (RFC 6749, section 6; RFC 8707 for the resource).
//!
//! One request and its answer. That a refresh token is spent once only, and that what came is stored before it
//! is used, is up to the caller.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::{Serializer, byte_serialize};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use tokio::time::timeout;

use crate::client::{Client, Secret};
use crate::error::words;
use crate::limits::{TOKEN_ANSWER_BYTES_MAX, TOKEN_TIMEOUT};
use crate::probe::{HttpResponse, read};

/// What it takes to renew a token.
#[derive(Debug, Clone)]
pub struct Refresh {
    pub token_endpoint: String,
    pub client_id: String,
    pub client_auth: ClientAuth,
    pub refresh_token: Secret,
    pub scope: Option<String>,
    pub resource: Option<String>,
}

/// How the client shows who it is.
#[derive(Debug, Clone)]
pub enum ClientAuth {
    None,
    Basic(Secret),
    Post(Secret),
}

/// A new token.
#[derive(Debug, Clone)]
pub struct Refreshed {
    pub access_token: Secret,
    /// `None`: the old one is still good.
    pub refresh_token: Option<Secret>,
    pub expires_in: Option<Duration>,
}

/// Why there is no new token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// The server has said no, and will say it again: somebody has to authorise anew.
    #[error("the token endpoint refused the refresh token with {}", .0.status_code)]
    Rejected(HttpResponse),
    /// The server is in trouble, or busy. The refresh token may be good still.
    #[error("the token endpoint answered with {} and no token", .0.status_code)]
    Unavailable(HttpResponse),
    #[error("the token endpoint can't be reached: {0}")]
    Unreachable(String),
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<f64>,
}

impl Client {
    /// # Errors
    /// When there is no new token; whether another try may help says the kind.
    pub async fn refresh(&self, refresh: &Refresh) -> Result<Refreshed, RefreshError> {
        let unreachable = |message: String| RefreshError::Unreachable(message);
        let url = self.permit(&refresh.token_endpoint).await;
        let url = url.map_err(|refused| unreachable(refused.0))?;
        let request = self
            .http
            .post(url)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = match &refresh.client_auth {
            ClientAuth::Basic(secret) => {
                request.header("authorization", basic(&refresh.client_id, secret))
            }
            ClientAuth::None | ClientAuth::Post(_) => request,
        };
        let exchange = async {
            let response = request.body(form(refresh)).send().await;
            let response = response.map_err(|error| unreachable(words(&error)))?;
            read(response, TOKEN_ANSWER_BYTES_MAX)
                .await
                .map_err(unreachable)
        };
        let answered = timeout(TOKEN_TIMEOUT, exchange).await;
        let answered =
            answered.map_err(|_elapsed| unreachable("it did not answer".to_owned()))??;
        judge(answered, refresh)
    }
}

fn judge(answered: HttpResponse, refresh: &Refresh) -> Result<Refreshed, RefreshError> {
    let status = answered.status_code;
    let answer = serde_json::from_str::<Answer>(&answered.body);
    if let (200..=299, Ok(answer)) = (status, answer) {
        let expires_in = answer.expires_in.filter(|seconds| *seconds >= 0.0);
        return Ok(Refreshed {
            access_token: Secret::new(answer.access_token),
            refresh_token: answer.refresh_token.map(Secret::new),
            expires_in: expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        });
    }
    let mut secrets = vec![&refresh.refresh_token];
    match &refresh.client_auth {
        ClientAuth::None => {}
        ClientAuth::Basic(secret) | ClientAuth::Post(secret) => secrets.push(secret),
    }
    let shown = answered.shown(&secrets);
    Err(match status {
        429 => RefreshError::Unavailable(shown),
        400..=499 => RefreshError::Rejected(shown),
        _ => RefreshError::Unavailable(shown),
    })
}

fn form(refresh: &Refresh) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token");
    form.append_pair("refresh_token", refresh.refresh_token.expose());
    let optional = [("scope", &refresh.scope), ("resource", &refresh.resource)];
    for (name, value) in optional {
        if let Some(value) = value {
            form.append_pair(name, value);
        }
    }
    match &refresh.client_auth {
        ClientAuth::Basic(_) => {}
        ClientAuth::None => _ = form.append_pair("client_id", &refresh.client_id),
        ClientAuth::Post(secret) => {
            form.append_pair("client_id", &refresh.client_id);
            form.append_pair("client_secret", secret.expose());
        }
    }
    form.finish()
}

/// Both halves are form-encoded before they are joined (RFC 6749, section 2.3.1).
fn basic(client_id: &str, secret: &Secret) -> String {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose()));
    format!("Basic {}", STANDARD.encode(pair))
}

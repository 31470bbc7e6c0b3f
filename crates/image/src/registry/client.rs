//! Requests to one registry, with the token that it asks for.

use reqwest::header::{ACCEPT, AUTHORIZATION, RANGE, WWW_AUTHENTICATE};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Response, StatusCode, Url};

use super::token;
use crate::error::ImageError;
use crate::limits::{CONNECT_TIMEOUT, MANIFEST_BYTES_MAX, REDIRECTS_MAX, STALL_TIMEOUT};
use crate::reference::{Reference, is_loopback};

pub(super) struct Client {
    http: reqwest::Client,
    /// Ends in a slash; what the registry has of this repository is below it.
    base: Url,
    registry: String,
    repository: String,
    token: Option<String>,
    plain_http: bool,
}

impl Client {
    pub(super) fn new(reference: &Reference) -> Result<Self, ImageError> {
        let plain_http = reference.is_on_this_machine();
        let registry = reference.registry().to_owned();
        let failed = |reason: String| ImageError::Registry {
            registry: registry.clone(),
            reason,
        };
        let scheme = if plain_http { "http" } else { "https" };
        let address = format!(
            "{scheme}://{}/v2/{}/",
            reference.host(),
            reference.repository()
        );
        let base = Url::parse(&address).map_err(|error| failed(format!("{address}: {error}")))?;
        let follow = move |attempt: Attempt<'_>| {
            if attempt.previous().len() > REDIRECTS_MAX {
                attempt.error("too many redirects")
            } else if may_ask(attempt.url(), plain_http) {
                attempt.follow()
            } else {
                attempt.error("it redirects to where nothing is encrypted")
            }
        };
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(STALL_TIMEOUT)
            .redirect(Policy::custom(follow))
            .no_gzip()
            .user_agent(concat!("hostler/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(format!("the HTTP client cannot be built: {error}")))?;
        Ok(Self {
            http,
            base,
            repository: reference.repository().to_owned(),
            token: None,
            plain_http,
            registry,
        })
    }

    pub(super) async fn manifest(
        &mut self,
        version: &str,
        types: &str,
    ) -> Result<Vec<u8>, ImageError> {
        let response = self
            .get(&format!("manifests/{version}"), Some(types), 0)
            .await?;
        self.body(response, MANIFEST_BYTES_MAX).await
    }

    /// From byte `from` on, if the registry can: see the status.
    pub(super) async fn blob(&mut self, digest: &str, from: u64) -> Result<Response, ImageError> {
        self.get(&format!("blobs/{digest}"), None, from).await
    }

    async fn get(
        &mut self,
        path: &str,
        accept: Option<&str>,
        from: u64,
    ) -> Result<Response, ImageError> {
        let url = self
            .base
            .join(path)
            .map_err(|error| self.failed(error.to_string()))?;
        let mut response = self.send(url.clone(), accept, from).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.token = Some(self.ask_for_token(&response).await?);
            response = self.send(url, accept, from).await?;
        }
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND => {
                Err(self.failed(format!("it has no {} {path}", self.repository)))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.failed(format!(
                "it does not give {} to everybody; use `skopeo copy` and oci-layout: for an image \
                 that needs a login",
                self.repository
            ))),
            status => Err(self.failed(format!("it answers {status} to {path}"))),
        }
    }

    async fn send(
        &self,
        url: Url,
        accept: Option<&str>,
        from: u64,
    ) -> Result<Response, ImageError> {
        let mut request = self.http.get(url);
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request
            .send()
            .await
            .map_err(|error| self.failed(causes(&error)))
    }

    async fn ask_for_token(&self, response: &Response) -> Result<String, ImageError> {
        let challenge = response.headers().get(WWW_AUTHENTICATE);
        let challenge = challenge
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let url = token::url(challenge, &self.repository).ok_or_else(|| {
            self.failed("it wants a login of a kind that is not known".to_owned())
        })?;
        if !may_ask(&url, self.plain_http) {
            return Err(self.failed("it gives tokens where nothing is encrypted".to_owned()));
        }
        let response = self.http.get(url).send().await;
        let response = response.map_err(|error| self.failed(causes(&error)))?;
        if !response.status().is_success() {
            return Err(self.failed(format!("no token for it: {}", response.status())));
        }
        let body = self.body(response, crate::limits::TOKEN_BYTES_MAX).await?;
        token::parse(&body).ok_or_else(|| self.failed("no token is in the answer".to_owned()))
    }

    async fn body(&self, mut response: Response, most: u64) -> Result<Vec<u8>, ImageError> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.failed(causes(&error)))?
        {
            if (body.len() + chunk.len()) as u64 > most {
                return Err(self.failed("its answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    pub(super) fn failed(&self, reason: String) -> ImageError {
        ImageError::Registry {
            registry: self.registry.clone(),
            reason,
        }
    }
}

/// Nothing is fetched in the clear, except by and from this machine.
fn may_ask(url: &Url, plain_http: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => plain_http && url.host_str().is_some_and(is_loopback),
        _ => false,
    }
}

/// The outermost message of the library says little.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

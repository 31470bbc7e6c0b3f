//! The few requests that commands make to a server, as any client would make them.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, Response};
use serde_json::Value;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Longer than the pings of the stream are apart.
const SILENCE_MAX: Duration = Duration::from_secs(120);

pub(crate) struct Client {
    http: reqwest::Client,
    base_url: String,
}

impl Client {
    pub(crate) fn new(base_url: &str, api_key: &str) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        let mut key = HeaderValue::from_str(api_key).context("the key is not a header's value")?;
        key.set_sensitive(true);
        headers.insert("x-api-key", key);
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        headers.insert(
            "anthropic-beta",
            HeaderValue::from_static("managed-agents-2026-04-01"),
        );
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIME_MAX)
            .read_timeout(SILENCE_MAX)
            // A key goes to the server that it is for, and nowhere else.
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            http,
            base_url: base_url.trim_end_matches('/').to_owned(),
        })
    }

    /// Creates a resource and returns its id.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> anyhow::Result<String> {
        let resource = self.post(path, body).await?;
        let id = resource["id"].as_str();
        Ok(id
            .with_context(|| format!("the answer of POST {path} has no id"))?
            .to_owned())
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(self
            .send(Method::POST, path, Some(body))
            .await?
            .json()
            .await?)
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.send(Method::GET, path, None).await?.json().await?)
    }

    pub(crate) async fn text(&self, path: &str) -> anyhow::Result<String> {
        Ok(self.send(Method::GET, path, None).await?.text().await?)
    }

    /// An answer that goes on.
    pub(crate) async fn stream(&self, path: &str) -> anyhow::Result<Response> {
        self.send(Method::GET, path, None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Response> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base_url));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("{method} {path}"))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let error: Value = response.json().await.unwrap_or_default();
        let message = error["error"]["message"].as_str().unwrap_or("no message");
        bail!("{method} {path} was answered with {status}: {message}")
    }
}

//! The Anthropic Messages API, our native tongue: blocks go out and come back untouched.

mod assembly;
mod body;
mod cache_marks;
mod capabilities;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};

use crate::ChunkStream;
use crate::address;
use crate::answer::{self, Call};
use crate::api_key::{self, ApiKey, Auth};
use crate::client::{HttpClient, HttpOptions};
use crate::error::ModelError;
use crate::request::{ModelRequest, Speed};

pub(crate) use assembly::MessagesAnswer;
pub use cache_marks::PromptCache;
pub use capabilities::{FastMode, ModelCapabilities, ThinkingSupport};

const VERSION: &str = "2023-06-01";
/// Asked for together with `speed`; a request without the field does not carry it.
const FAST_MODE_BETA: &str = "fast-mode-2026-02-01";

#[derive(Debug, Clone)]
pub struct AnthropicOptions {
    /// Without `/v1/messages`.
    pub base_url: String,
    pub auth: Auth,
    /// Values of `anthropic-beta`, for every request.
    pub betas: Vec<String>,
    /// Further headers of every request, such as a gateway asks for. They win over our own
    /// and may hold credentials.
    pub headers: Vec<(String, ApiKey)>,
    /// By model id, before the built-in table. A model in neither is asked for nothing special.
    pub capabilities: BTreeMap<String, ModelCapabilities>,
    pub cache: PromptCache,
    pub http: HttpOptions,
}

impl AnthropicOptions {
    pub fn new(base_url: impl Into<String>, auth: Auth) -> Self {
        Self {
            base_url: base_url.into(),
            auth,
            betas: Vec::new(),
            headers: Vec::new(),
            capabilities: BTreeMap::new(),
            cache: PromptCache::FiveMinutes,
            http: HttpOptions::default(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Anthropic {
    client: HttpClient,
    url: Url,
    headers: HeaderMap,
    secrets: Arc<[ApiKey]>,
    options: Arc<AnthropicOptions>,
}

impl Anthropic {
    /// Fails with `NotConfigured` where the options cannot work.
    pub fn new(options: AnthropicOptions) -> Result<Self, ModelError> {
        let url = address::endpoint(&options.base_url, "v1/messages")?;
        let mut headers = HeaderMap::new();
        headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
        address::add_auth(&mut headers, "x-api-key", &options.auth)?;
        address::add_headers(&mut headers, &options.headers)?;
        let anthropic = Self {
            client: HttpClient::new(options.http.clone())?,
            url,
            headers,
            secrets: api_key::secrets(&options.auth, &options.headers),
            options: Arc::new(options),
        };
        anthropic.headers_for(Speed::Fast)?;
        Ok(anthropic)
    }

    pub(crate) fn stream(&self, request: &ModelRequest) -> ChunkStream {
        let known = self.options.capabilities.get(&request.model).cloned();
        let capabilities = known.unwrap_or_else(|| ModelCapabilities::built_in(&request.model));
        let body = match body::build(request, &capabilities, self.options.cache) {
            Ok(body) => body,
            Err(error) => return answer::failed(error),
        };
        let speed = capabilities.speed(request.speed);
        let headers = match self.headers_for(speed) {
            Ok(headers) => headers,
            Err(error) => return answer::failed(error),
        };
        let call = Call {
            client: self.client.clone(),
            url: self.url.clone(),
            headers,
            body,
            secrets: Arc::clone(&self.secrets),
        };
        answer::stream(call, MessagesAnswer::default())
    }

    fn headers_for(&self, speed: Speed) -> Result<HeaderMap, ModelError> {
        let mut betas: Vec<&str> = self.options.betas.iter().map(String::as_str).collect();
        if speed == Speed::Fast && !betas.contains(&FAST_MODE_BETA) {
            betas.push(FAST_MODE_BETA);
        }
        let mut headers = self.headers.clone();
        if !betas.is_empty() && !headers.contains_key("anthropic-beta") {
            headers.insert("anthropic-beta", address::header_value(&betas.join(","))?);
        }
        Ok(headers)
    }
}

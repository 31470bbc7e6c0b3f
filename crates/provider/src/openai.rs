//! Chat completions as OpenAI made them and vLLM, Ollama, llama.cpp and gateways speak them. The
//! canonical blocks are translated on the way out and on the way back.

mod assembly;
mod body;
mod messages;
mod quirks;
mod wire;

use std::sync::Arc;

use reqwest::Url;
use reqwest::header::HeaderMap;

use crate::ChunkStream;
use crate::address;
use crate::answer::{self, Call};
use crate::api_key::{self, ApiKey, Auth};
use crate::client::{HttpClient, HttpOptions};
use crate::error::ModelError;
use crate::request::ModelRequest;

pub(crate) use assembly::CompletionAnswer;
pub use quirks::{ContentForm, EffortField, MaxTokensField, Quirks, ReasoningBack, Vendor};

#[derive(Debug, Clone)]
pub struct OpenAiOptions {
    /// Without `/chat/completions`; for most servers it ends in `/v1`.
    pub base_url: String,
    pub auth: Auth,
    /// Further headers of every request. They win over our own
    /// and may hold credentials.
    pub headers: Vec<(String, ApiKey)>,
    pub quirks: Quirks,
    pub http: HttpOptions,
}

impl OpenAiOptions {
    pub fn new(base_url: impl Into<String>, auth: Auth, vendor: Vendor) -> Self {
        Self {
            base_url: base_url.into(),
            auth,
            headers: Vec::new(),
            quirks: vendor.quirks(),
            http: HttpOptions::default(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct OpenAi {
    client: HttpClient,
    url: Url,
    headers: HeaderMap,
    secrets: Arc<[ApiKey]>,
    options: Arc<OpenAiOptions>,
}

impl OpenAi {
    /// Fails with `NotConfigured` where the options cannot work.
    pub fn new(options: OpenAiOptions) -> Result<Self, ModelError> {
        let url = address::endpoint(&options.base_url, "chat/completions")?;
        let mut headers = HeaderMap::new();
        address::add_auth(&mut headers, "api-key", &options.auth)?;
        address::add_headers(&mut headers, &options.headers)?;
        let client = HttpClient::new(options.http.clone())?;
        Ok(Self {
            client,
            url,
            headers,
            secrets: api_key::secrets(&options.auth, &options.headers),
            options: Arc::new(options),
        })
    }

    pub(crate) fn stream(&self, request: &ModelRequest) -> ChunkStream {
        let body = match body::build(request, &self.options.quirks) {
            Ok(body) => body,
            Err(error) => return answer::failed(error),
        };
        let call = Call {
            client: self.client.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body,
            secrets: Arc::clone(&self.secrets),
        };
        answer::stream(call, CompletionAnswer::new(request.message_count()))
    }
}

//! Section `[providers.<name>]`: who answers model calls. `anthropic`, `openai` and `scripted` exist from
//! the start; any other name makes a further one.
//!
//! A key comes from the environment or from a file of its own, never from the configuration file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hostler_provider::Vendor;
use serde::{Deserialize, Serialize};

use super::quantity::Span;
use super::secret::Secret;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawProvider {
    /// What it speaks: `anthropic` (Messages), `openai` (chat completions, as do vLLM, Ollama, llama.cpp
    /// and most gateways), or `scripted` (a model that follows a script and needs no network).
    pub kind: Option<ProviderKind>,
    /// Where it is: for `anthropic` without `/v1/messages`, for `openai` without `/chat/completions`, so
    /// that most of these end in `/v1`. Not for `scripted`.
    pub base_url: Option<String>,
    /// The key. Refused in this file: set the environment variable `HOSTLER__PROVIDERS__<NAME>__API_KEY`,
    /// or name a file with `api_key_file`. A key from the environment wins.
    pub api_key: Option<Secret>,
    /// A file that holds the key and nothing else.
    /// Example: api_key_file = "/etc/hostler/anthropic.key"
    pub api_key_file: Option<PathBuf>,
    /// How the key is sent: `bearer` (`authorization: Bearer …`) or `header` (`x-api-key`, for `openai`
    /// `api-key`). Without it, `header` for `anthropic` and `bearer` for `openai`.
    /// Example: auth = "header"
    pub auth: Option<KeyHeader>,
    /// Whose dialect an `openai` provider speaks: `generic`, `openai`, `vllm`, `ollama`, `llama_cpp`,
    /// `openrouter` or `deepseek`. Without it, `openai` at api.openai.com and `generic` elsewhere.
    /// Example: vendor = "vllm"
    pub vendor: Option<Vendor>,
    /// Values of `anthropic-beta` that an `anthropic` provider gets with each request.
    pub betas: Vec<String>,
    /// The script of a `scripted` provider, as JSON; without it, the one of the demo.
    /// Example: script = "script.json"
    pub script: Option<PathBuf>,
    /// Give a call up when its answer has not begun after this long.
    pub first_byte_timeout: Span,
    /// Give a call up when not a single byte of its answer has come for this long.
    pub stall_timeout: Span,
    /// Give a connection up when it is not there after this long.
    pub connect_timeout: Span,
    /// Further headers of each request, for a gateway. Their values are treated as secrets.
    /// Example: headers = { "x-gateway-team" = "research" }
    pub headers: BTreeMap<String, Secret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    Anthropic,
    Openai,
    Scripted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyHeader {
    Bearer,
    Header,
}

impl ProviderKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Openai => "openai",
            Self::Scripted => "scripted",
        }
    }
}

impl Default for RawProvider {
    fn default() -> Self {
        Self {
            kind: None,
            base_url: None,
            api_key: None,
            api_key_file: None,
            auth: None,
            vendor: None,
            betas: Vec::new(),
            script: None,
            first_byte_timeout: Span(Duration::from_secs(300)),
            stall_timeout: Span(Duration::from_secs(180)),
            connect_timeout: Span(Duration::from_secs(10)),
            headers: BTreeMap::new(),
        }
    }
}

/// The providers that exist without being configured.
pub(super) fn built_in() -> BTreeMap<String, RawProvider> {
    let provider = |kind, base_url: Option<&str>| RawProvider {
        kind: Some(kind),
        base_url: base_url.map(str::to_owned),
        ..RawProvider::default()
    };
    BTreeMap::from([
        (
            "anthropic".to_owned(),
            provider(ProviderKind::Anthropic, Some("https://api.anthropic.com")),
        ),
        (
            "openai".to_owned(),
            provider(ProviderKind::Openai, Some("https://api.openai.com/v1")),
        ),
        (
            "scripted".to_owned(),
            provider(ProviderKind::Scripted, None),
        ),
    ])
}

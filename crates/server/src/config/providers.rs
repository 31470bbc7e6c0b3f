//! Section `[providers.<name>]`: who answers model calls. `anthropic`, `openai` and `scripted` exist from
//! the start; any other name makes a further one.
//!
//! A key comes from the environment or from a file of its own, never from the configuration file.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::problem::{Problem, nearest_name};
use super::quantity::Span;
use super::resolve::Resolving;
use super::secret::Secret;
use super::server::is_http_url;
use crate::limits::KEY_FILE_BYTES_MAX;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawProvider {
    /// What it speaks: `anthropic` (Messages), `openai` (chat completions, as do vLLM, Ollama, llama.cpp
    /// and most gateways), or `scripted` (a model that follows a script and needs no network).
    pub kind: Option<ProviderKind>,
    /// Where it is, up to and without `/v1`. Not for `scripted`.
    /// Example: base_url = "https://api.anthropic.com"
    pub base_url: Option<String>,
    /// The key. Refused in this file: set the environment variable `HOSTLER__PROVIDERS__<NAME>__API_KEY`,
    /// or name a file with `api_key_file`. A key from the environment wins.
    pub api_key: Option<Secret>,
    /// A file that holds the key and nothing else.
    /// Example: api_key_file = "/etc/hostler/anthropic.key"
    pub api_key_file: Option<PathBuf>,
    /// The script of a `scripted` provider, as JSON; without it, the one of the demo.
    /// Example: script = "script.json"
    pub script: Option<PathBuf>,
    /// Give a call up when not a single byte has come for this long.
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

impl Default for RawProvider {
    fn default() -> Self {
        Self {
            kind: None,
            base_url: None,
            api_key: None,
            api_key_file: None,
            script: None,
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
            provider(ProviderKind::Openai, Some("https://api.openai.com")),
        ),
        (
            "scripted".to_owned(),
            provider(ProviderKind::Scripted, None),
        ),
    ])
}

/// A resolved provider.
#[derive(Debug, Clone)]
pub struct ProviderOptions {
    pub name: String,
    pub api: ProviderApi,
}

/// What each kind needs, and nothing that it does not.
#[derive(Debug, Clone)]
pub enum ProviderApi {
    Anthropic(HttpApi),
    Openai(HttpApi),
    /// `None` is the script of the demo.
    Scripted(Option<PathBuf>),
}

#[derive(Debug, Clone)]
pub struct HttpApi {
    /// Without a slash at the end.
    pub base_url: String,
    /// A local server may need none.
    pub api_key: Option<Secret>,
    pub stall_timeout: Duration,
    pub connect_timeout: Duration,
    pub headers: Vec<(String, Secret)>,
}

impl RawProvider {
    pub(super) fn resolve(
        &self,
        name: &str,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<ProviderOptions> {
        if !name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c))
        {
            let message = "a provider's name is made of lower-case letters, digits, `-` and `_`";
            problems.push(at.problem(&["providers", name], message));
            return None;
        }
        let Some(kind) = self.kind else {
            let message = match nearest_name(name, &["anthropic", "openai", "scripted"]) {
                Some(near) => {
                    format!("unknown key, did you mean `{near}`? A new provider needs a `kind`")
                }
                None => "a new provider needs a `kind`: anthropic, openai or scripted".to_owned(),
            };
            problems.push(at.key_problem(&["providers", name], message));
            return None;
        };
        let api = match kind {
            ProviderKind::Scripted => {
                self.refuse_for_scripted(name, at, problems);
                let script = self.script.as_deref();
                ProviderApi::Scripted(script.map(|s| at.path(&["providers", name, "script"], s)))
            }
            ProviderKind::Anthropic => ProviderApi::Anthropic(self.http(name, at, problems)?),
            ProviderKind::Openai => ProviderApi::Openai(self.http(name, at, problems)?),
        };
        Some(ProviderOptions {
            name: name.to_owned(),
            api,
        })
    }

    fn refuse_for_scripted(&self, name: &str, at: &Resolving<'_>, problems: &mut Vec<Problem>) {
        for (key, is_set) in [
            ("base_url", self.base_url.is_some()),
            ("api_key", self.api_key.is_some()),
            ("api_key_file", self.api_key_file.is_some()),
            ("headers", !self.headers.is_empty()),
        ] {
            if is_set {
                let message = "a scripted provider makes no requests, so this has no meaning";
                problems.push(at.key_problem(&["providers", name, key], message));
            }
        }
    }

    fn http(&self, name: &str, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Option<HttpApi> {
        if self.script.is_some() {
            let message = "only a provider of kind \"scripted\" has a script";
            problems.push(at.key_problem(&["providers", name, "script"], message));
        }
        for (key, span) in [
            ("stall_timeout", self.stall_timeout),
            ("connect_timeout", self.connect_timeout),
        ] {
            if span.0.is_zero() {
                problems.push(at.problem(&["providers", name, key], "must be more than 0"));
            }
        }
        for header in self.headers.keys() {
            if reqwest::header::HeaderName::from_bytes(header.as_bytes()).is_err() {
                let path = ["providers", name, "headers", header];
                problems.push(at.key_problem(&path, "not a valid name of a header"));
            }
        }
        let api_key = self.key(name, at, problems);
        let Some(base_url) = &self.base_url else {
            let message = "`base_url` is missing; it is needed for this kind";
            problems.push(at.key_problem(&["providers", name], message));
            return None;
        };
        let base_url = base_url.trim_end_matches('/').to_owned();
        if !is_http_url(&base_url) {
            let message = format!("{base_url:?} is not a URL that begins with https:// or http://");
            problems.push(at.problem(&["providers", name, "base_url"], message));
        }
        Some(HttpApi {
            base_url,
            api_key,
            stall_timeout: self.stall_timeout.0,
            connect_timeout: self.connect_timeout.0,
            headers: self
                .headers
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        })
    }

    fn key(&self, name: &str, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Option<Secret> {
        if let Some(key) = &self.api_key {
            let key = Secret::new(key.expose().trim().to_owned());
            return (!key.expose().is_empty()).then_some(key);
        }
        let path = ["providers", name, "api_key_file"];
        let file = at.path(&path, self.api_key_file.as_deref()?);
        match read_key(&file) {
            Ok(key) => Some(key),
            Err(message) => {
                problems.push(at.problem(&path, format!("{}: {message}", file.display())));
                None
            }
        }
    }
}

fn read_key(path: &Path) -> Result<Secret, String> {
    let file = std::fs::File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    let mut text = zeroize::Zeroizing::new(String::new());
    file.take(KEY_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|e| format!("cannot be read: {e}"))?;
    match text.trim() {
        "" => Err("holds no key".to_owned()),
        key if key.contains(char::is_whitespace) => {
            Err("holds more than a key: it must be one word".to_owned())
        }
        key => Ok(Secret::new(key.to_owned())),
    }
}

//! From `[providers.<name>]` to what an adapter needs. A key that has no meaning for the provider's kind
//! is refused, so that nobody believes that it works.

use std::path::PathBuf;
use std::time::Duration;

use hostler_provider::Vendor;

use super::key_file::read_key;
use super::problem::{Problem, nearest_name};
use super::providers::{KeyHeader, ProviderKind, RawProvider};
use super::resolve::Resolving;
use super::secret::Secret;
use super::server::is_http_url;

/// A resolved provider.
#[derive(Debug, Clone)]
pub struct ProviderOptions {
    pub name: String,
    pub api: ProviderApi,
}

/// What each kind needs, and nothing that it does not.
#[derive(Debug, Clone)]
pub enum ProviderApi {
    Anthropic {
        http: HttpApi,
        betas: Vec<String>,
    },
    Openai {
        http: HttpApi,
        vendor: Vendor,
    },
    /// Without a script it is the one of the demo.
    Scripted {
        script: Option<PathBuf>,
    },
}

#[derive(Debug, Clone)]
pub struct HttpApi {
    /// Without a slash at the end.
    pub base_url: String,
    pub key: ProviderKey,
    pub connect_timeout: Duration,
    pub first_byte_timeout: Duration,
    pub stall_timeout: Duration,
    pub headers: Vec<(String, Secret)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderKey {
    /// A local server may need none.
    None,
    Bearer(Secret),
    Header(Secret),
}

impl ProviderApi {
    /// What a provider that is reached over HTTP needs.
    pub fn http(&self) -> Option<&HttpApi> {
        match self {
            Self::Anthropic { http, .. } | Self::Openai { http, .. } => Some(http),
            Self::Scripted { .. } => None,
        }
    }
}

impl HttpApi {
    /// Whether this is a service that answers nobody without a key.
    pub fn needs_key(&self) -> bool {
        ["api.anthropic.com", "api.openai.com"].contains(&host(&self.base_url).as_str())
    }
}

fn host(url: &str) -> String {
    let url = reqwest::Url::parse(url).ok();
    url.and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default()
}

impl RawProvider {
    pub(super) fn resolve(
        &self,
        name: &str,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<ProviderOptions> {
        let in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        if !name.chars().all(in_name) {
            let message = "a provider's name is made of lower-case letters, digits, `-` and `_`";
            problems.push(at.key_problem(&["providers", name], message));
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
        self.refuse_for_kind(kind, name, at, problems);
        let api = match kind {
            ProviderKind::Scripted => {
                let script = self.script.as_deref();
                let script = script.map(|path| at.path(&["providers", name, "script"], path));
                ProviderApi::Scripted { script }
            }
            ProviderKind::Anthropic => {
                let http = self.http(KeyHeader::Header, name, at, problems)?;
                ProviderApi::Anthropic {
                    http,
                    betas: self.betas.clone(),
                }
            }
            ProviderKind::Openai => {
                let http = self.http(KeyHeader::Bearer, name, at, problems)?;
                let vendor = self
                    .vendor
                    .unwrap_or_else(|| match host(&http.base_url).as_str() {
                        "api.openai.com" => Vendor::OpenAi,
                        _ => Vendor::Generic,
                    });
                ProviderApi::Openai { http, vendor }
            }
        };
        Some(ProviderOptions {
            name: name.to_owned(),
            api,
        })
    }

    fn refuse_for_kind(
        &self,
        kind: ProviderKind,
        name: &str,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) {
        use ProviderKind::{Anthropic, Openai, Scripted};
        let http = [Anthropic, Openai].as_slice();
        for (key, is_set, kinds) in [
            ("base_url", self.base_url.is_some(), http),
            ("api_key", self.api_key.is_some(), http),
            ("api_key_file", self.api_key_file.is_some(), http),
            ("auth", self.auth.is_some(), http),
            ("headers", !self.headers.is_empty(), http),
            ("betas", !self.betas.is_empty(), &[Anthropic]),
            ("vendor", self.vendor.is_some(), &[Openai]),
            ("script", self.script.is_some(), &[Scripted]),
        ] {
            if is_set && !kinds.contains(&kind) {
                let kind = kind.as_str();
                let message = format!("has no meaning for a provider of kind \"{kind}\"");
                problems.push(at.key_problem(&["providers", name, key], message));
            }
        }
    }

    fn http(
        &self,
        usual_auth: KeyHeader,
        name: &str,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<HttpApi> {
        for (key, span) in [
            ("connect_timeout", self.connect_timeout),
            ("first_byte_timeout", self.first_byte_timeout),
            ("stall_timeout", self.stall_timeout),
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
        let key = match (
            self.key(name, at, problems),
            self.auth.unwrap_or(usual_auth),
        ) {
            (None, _) => ProviderKey::None,
            (Some(key), KeyHeader::Bearer) => ProviderKey::Bearer(key),
            (Some(key), KeyHeader::Header) => ProviderKey::Header(key),
        };
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
            key,
            connect_timeout: self.connect_timeout.0,
            first_byte_timeout: self.first_byte_timeout.0,
            stall_timeout: self.stall_timeout.0,
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

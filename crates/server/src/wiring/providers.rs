//! The providers, each by the name of its section.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, bail};
use hostler_provider::{
    Anthropic, AnthropicOptions, ApiKey, Auth, FastMode, HttpOptions, ModelCapabilities, OpenAi,
    OpenAiOptions, Provider, Script, Scripted, ThinkingSupport,
};

use crate::config::{Config, HttpApi, Model, ProviderApi, ProviderKey, ProviderOptions, Secret};
use crate::limits::SCRIPT_FILE_BYTES_MAX;

pub(crate) fn providers(config: &Config) -> anyhow::Result<HashMap<String, Provider>> {
    // A service that answers nobody without a key is not asked without one: the session says what
    // is missing, instead of showing the service's refusal.
    let usable = config
        .providers
        .values()
        .filter(|options| !lacks_key(options));
    let made = usable.map(|options| {
        let provider = provider(options, config)
            .with_context(|| format!("the provider {:?}", options.name))?;
        Ok((options.name.clone(), provider))
    });
    made.collect()
}

fn lacks_key(options: &ProviderOptions) -> bool {
    options.api.http().is_some_and(|http| {
        http.needs_key() && http.key == ProviderKey::None && http.headers.is_empty()
    })
}

fn provider(options: &ProviderOptions, config: &Config) -> anyhow::Result<Provider> {
    Ok(match &options.api {
        ProviderApi::Anthropic { http, betas } => {
            let mut anthropic = AnthropicOptions::new(&http.base_url, auth(&http.key));
            anthropic.betas = betas.clone();
            anthropic.headers = headers(&http.headers);
            anthropic.capabilities = capabilities(&options.name, config);
            anthropic.http = timeouts(http);
            Provider::Anthropic(Anthropic::new(anthropic)?)
        }
        ProviderApi::Openai { http, vendor } => {
            let mut openai = OpenAiOptions::new(&http.base_url, auth(&http.key), *vendor);
            openai.headers = headers(&http.headers);
            openai.http = timeouts(http);
            Provider::OpenAi(OpenAi::new(openai)?)
        }
        ProviderApi::Scripted { script: None } => Provider::Scripted(Scripted::fibonacci()),
        ProviderApi::Scripted { script: Some(path) } => {
            let script = read_script(path)
                .with_context(|| format!("while reading the script {}", path.display()))?;
            Provider::Scripted(Scripted::new(script))
        }
    })
}

/// Reads and checks a script.
pub(crate) fn read_script(path: &Path) -> anyhow::Result<Script> {
    if std::fs::metadata(path)?.len() > SCRIPT_FILE_BYTES_MAX {
        bail!("it is longer than {SCRIPT_FILE_BYTES_MAX} bytes");
    }
    Ok(Script::parse(&std::fs::read_to_string(path)?)?)
}

fn auth(key: &ProviderKey) -> Auth {
    match key {
        ProviderKey::None => Auth::None,
        ProviderKey::Bearer(key) => Auth::Bearer(ApiKey::new(key.expose())),
        ProviderKey::Header(key) => Auth::Header(ApiKey::new(key.expose())),
    }
}

fn headers(headers: &[(String, Secret)]) -> Vec<(String, ApiKey)> {
    let keys = headers
        .iter()
        .map(|(name, value)| (name.clone(), ApiKey::new(value.expose())));
    keys.collect()
}

fn timeouts(http: &HttpApi) -> HttpOptions {
    HttpOptions {
        connect_timeout: http.connect_timeout,
        first_byte_timeout: http.first_byte_timeout,
        stall_timeout: http.stall_timeout,
        ..HttpOptions::default()
    }
}

/// What the configuration says about the models of one provider, by the id that the provider knows.
/// Wildcards say nothing: the provider's own table knows the models behind them better.
fn capabilities(provider: &str, config: &Config) -> BTreeMap<String, ModelCapabilities> {
    let of_provider = |model: &&Model| model.provider == provider;
    let entry = |model: &Model| (model.upstream(&model.id), capabilities_of(model));
    config
        .models
        .exact
        .values()
        .filter(of_provider)
        .map(entry)
        .collect()
}

fn capabilities_of(model: &Model) -> ModelCapabilities {
    ModelCapabilities {
        efforts: model.efforts.clone(),
        thinking: if model.adaptive_thinking {
            ThinkingSupport::Adaptive
        } else {
            ThinkingSupport::None
        },
        fast: if model.supports_fast {
            FastMode::Supported
        } else {
            FastMode::Unsupported
        },
    }
}

//! Section `[[models]]`: which model ids exist, who answers them, and what is known about each.
//!
//! A request is routed by the entry with its exact id, else by the longest wildcard that fits. An entry
//! without a `provider` only describes a model; its route is that of the longest wildcard.

use std::collections::BTreeMap;

use hostler_provider::Effort;
use serde::{Deserialize, Serialize};

use super::problem::{Problem, unknown_name};
use super::resolve::Resolving;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawModel {
    /// The id that agents name. A `*` at the end stands for anything: `claude-*`.
    pub id: String,
    /// The provider that answers, by its name in `[providers]`. Without it, that of the longest wildcard.
    pub provider: Option<String>,
    /// The id that the provider knows, where it is another one. A `*` at the end is replaced by what the
    /// `*` of `id` stands for: id `claude-*` with `anthropic/claude-*` turns `claude-x` into
    /// `anthropic/claude-x`.
    pub upstream_id: Option<String>,
    /// The name that the models list shows.
    pub display_name: Option<String>,
    /// Tokens that fit into one request and its answer.
    pub context_window: Option<u32>,
    /// Tokens that one answer may have.
    pub max_output_tokens: Option<u32>,
    /// The effort of agents that name none.
    pub default_effort: Option<Effort>,
    /// The levels of effort that the model takes. With an empty list none is sent to the provider.
    pub efforts: Option<Vec<Effort>>,
    /// US dollars per million tokens. Without a price the cost of the model is not counted. What is left
    /// out of the three cache prices costs as much as `input`.
    pub price: Option<RawPrice>,
    /// Whether requests ask for thinking whose amount the model chooses itself.
    pub adaptive_thinking: Option<bool>,
    /// Whether agents may ask for `speed: "fast"`.
    pub supports_fast: Option<bool>,
    /// Whether the model takes a `system.message` in the middle of a conversation.
    pub system_messages: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawPrice {
    pub input: Option<f64>,
    pub output: Option<f64>,
    pub cache_read: Option<f64>,
    pub cache_write_5m: Option<f64>,
    pub cache_write_1h: Option<f64>,
}

/// A resolved entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// As configured, with its `*` when it is a wildcard.
    pub id: String,
    pub provider: String,
    /// As configured; [`Model::upstream`] applies it.
    pub upstream_id: Option<String>,
    pub display_name: String,
    pub context_window: u32,
    pub max_output_tokens: u32,
    pub default_effort: Effort,
    pub efforts: Vec<Effort>,
    pub price: Option<Price>,
    pub adaptive_thinking: bool,
    pub supports_fast: bool,
    pub system_messages: bool,
}

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write_5m: f64,
    pub cache_write_1h: f64,
}

const CONTEXT_WINDOW: u32 = 200_000;
const MAX_OUTPUT_TOKENS: u32 = 32_000;

/// The routing table.
#[derive(Debug, Clone, Default)]
pub struct Models {
    /// By id.
    pub exact: BTreeMap<String, Model>,
    /// The longest first, so that the first that fits is the right one.
    pub wildcards: Vec<Model>,
}

impl Models {
    /// The entry that answers for `id`, if any does.
    pub fn route(&self, id: &str) -> Option<&Model> {
        self.exact
            .get(id)
            .or_else(|| self.wildcards.iter().find(|model| model.fits(id)))
    }
}

impl Model {
    fn fits(&self, id: &str) -> bool {
        self.id
            .strip_suffix('*')
            .is_some_and(|prefix| id.starts_with(prefix))
    }

    /// The id to ask the provider for when a request names `id`.
    pub fn upstream(&self, id: &str) -> String {
        upstream(&self.id, self.upstream_id.as_deref(), id)
    }
}

fn upstream(pattern: &str, upstream_id: Option<&str>, id: &str) -> String {
    let tail = pattern
        .strip_suffix('*')
        .and_then(|prefix| id.strip_prefix(prefix));
    match (
        upstream_id.map(|upstream| (upstream, upstream.strip_suffix('*'))),
        tail,
    ) {
        (Some((_, Some(prefix))), Some(tail)) => format!("{prefix}{tail}"),
        (Some((upstream, _)), _) => upstream.to_owned(),
        (None, _) => id.to_owned(),
    }
}

/// Resolves all entries; `provider_names` are those that exist.
pub(super) fn resolve(
    raw: &BTreeMap<String, RawModel>,
    provider_names: &[&str],
    at: &Resolving<'_>,
    problems: &mut Vec<Problem>,
) -> Models {
    let mut models = Models::default();
    let (wildcards, exact): (Vec<_>, Vec<_>) = raw.values().partition(|m| m.id.ends_with('*'));
    for entry in &wildcards {
        entry.check(provider_names, at, problems);
        let Some(provider) = entry.provider.clone() else {
            let message = "a wildcard needs a `provider`";
            problems.push(at.key_problem(&["models", &entry.id], message));
            continue;
        };
        models
            .wildcards
            .push(entry.resolved(provider, entry.upstream_id.clone()));
    }
    models
        .wildcards
        .sort_by_key(|model| std::cmp::Reverse(model.id.len()));
    for entry in exact {
        entry.check(provider_names, at, problems);
        let (provider, upstream_id) = match &entry.provider {
            Some(provider) => (provider.clone(), entry.upstream_id.clone()),
            None => match models.route(&entry.id) {
                Some(route) => {
                    let routed = route.upstream(&entry.id);
                    let upstream_id = entry.upstream_id.clone().unwrap_or(routed);
                    (
                        route.provider.clone(),
                        (upstream_id != entry.id).then_some(upstream_id),
                    )
                }
                None => {
                    let message = "`provider` is missing, and no wildcard fits this id";
                    problems.push(at.key_problem(&["models", &entry.id], message));
                    continue;
                }
            },
        };
        models
            .exact
            .insert(entry.id.clone(), entry.resolved(provider, upstream_id));
    }
    models
}

impl RawModel {
    fn check(&self, provider_names: &[&str], at: &Resolving<'_>, problems: &mut Vec<Problem>) {
        let id = self.id.as_str();
        let mut refuse = |key: &str, message: String| {
            problems.push(at.problem(&["models", id, key], message));
        };
        if id.trim_end_matches('*').contains('*') || id.ends_with("**") {
            refuse("id", "a `*` may only be the last character".to_owned());
        }
        if let Some(provider) = &self.provider
            && !provider_names.contains(&provider.as_str())
        {
            let unknown = unknown_name("provider", provider, provider_names);
            refuse("provider", format!("`{provider}`: {unknown}"));
        }
        if self
            .upstream_id
            .as_deref()
            .is_some_and(|u| u.ends_with('*'))
            && !id.ends_with('*')
        {
            refuse(
                "upstream_id",
                "a `*` needs one at the end of `id` too".to_owned(),
            );
        }
        for (key, count) in [
            ("context_window", self.context_window),
            ("max_output_tokens", self.max_output_tokens),
        ] {
            if count == Some(0) {
                refuse(key, "must be at least 1".to_owned());
            }
        }
        if self.context_window.unwrap_or(CONTEXT_WINDOW)
            <= self.max_output_tokens.unwrap_or(MAX_OUTPUT_TOKENS)
        {
            refuse(
                "max_output_tokens",
                "must be less than `context_window`".to_owned(),
            );
        }
        if let (Some(default), Some(efforts)) = (self.default_effort, &self.efforts)
            && !efforts.is_empty()
            && !efforts.contains(&default)
        {
            refuse("default_effort", "is not one of `efforts`".to_owned());
        }
        if let Some(price) = &self.price {
            price.check(&mut refuse);
        }
    }

    fn resolved(&self, provider: String, upstream_id: Option<String>) -> Model {
        let efforts = self.efforts.clone().unwrap_or_default();
        let default_effort = self.default_effort.unwrap_or_else(|| {
            if efforts.is_empty() || efforts.contains(&Effort::High) {
                Effort::High
            } else {
                efforts.iter().copied().max().unwrap_or(Effort::High)
            }
        });
        Model {
            id: self.id.clone(),
            provider,
            upstream_id,
            display_name: self.display_name.clone().unwrap_or_else(|| self.id.clone()),
            context_window: self.context_window.unwrap_or(CONTEXT_WINDOW),
            max_output_tokens: self.max_output_tokens.unwrap_or(MAX_OUTPUT_TOKENS),
            default_effort,
            efforts,
            price: self.price.and_then(RawPrice::resolved),
            adaptive_thinking: self.adaptive_thinking.unwrap_or(false),
            supports_fast: self.supports_fast.unwrap_or(false),
            system_messages: self.system_messages.unwrap_or(false),
        }
    }
}

impl RawPrice {
    fn check(&self, refuse: &mut impl FnMut(&str, String)) {
        let figures = [
            self.input,
            self.output,
            self.cache_read,
            self.cache_write_5m,
            self.cache_write_1h,
        ];
        if figures
            .iter()
            .flatten()
            .any(|usd| !usd.is_finite() || *usd < 0.0)
        {
            refuse(
                "price",
                "a price is a number of US dollars from 0".to_owned(),
            );
        }
        if self.input.is_none() || self.output.is_none() {
            refuse("price", "`input` and `output` are both needed".to_owned());
        }
    }

    fn resolved(self) -> Option<Price> {
        let input = self.input?;
        Some(Price {
            input,
            output: self.output?,
            cache_read: self.cache_read.unwrap_or(input),
            cache_write_5m: self.cache_write_5m.unwrap_or(input),
            cache_write_1h: self.cache_write_1h.unwrap_or(input),
        })
    }
}

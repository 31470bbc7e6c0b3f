//! The models that the configuration knows from the start: routes by wildcard, and a table of facts.
//!
//! What a model takes beside a plain request is in the provider's own table. Prices are public list
//! prices in US dollars. A model whose price we do not know has none, so its cost is not counted; write
//! one into the configuration to have it counted.

use std::collections::BTreeMap;

use hostler_provider::{FastMode, ModelCapabilities, ThinkingSupport};

use super::models::{RawModel, RawPrice};

/// Input and output price; the cache prices follow from the input price.
type Usd = Option<(f64, f64)>;

const OPUS: Usd = Some((5.0, 25.0));
const SONNET: Usd = Some((3.0, 15.0));
const HAIKU: Usd = Some((1.0, 5.0));

const K200: u32 = 200_000;
const M1: u32 = 1_000_000;

/// The built-in entries, by id.
pub(super) fn built_in() -> BTreeMap<String, RawModel> {
    let entries = [
        // Ids that the table does not name still have a provider.
        route("claude-*", "anthropic", "Claude"),
        route("gpt-*", "openai", "GPT"),
        route("scripted*", "scripted", "Scripted model"),
        model("claude-fable-5-2", "Claude Fable 5.2", K200, 64_000, None),
        model("claude-fable-5-1", "Claude Fable 5.1", K200, 64_000, None),
        model("claude-fable-5", "Claude Fable 5", K200, 64_000, None),
        model("claude-opus-5-5", "Claude Opus 5.5", K200, 64_000, None),
        model("claude-opus-5", "Claude Opus 5", K200, 64_000, None),
        model("claude-opus-4-8", "Claude Opus 4.8", K200, 64_000, None),
        model("claude-opus-4-7", "Claude Opus 4.7", M1, 128_000, OPUS),
        model("claude-opus-4-6", "Claude Opus 4.6", M1, 128_000, OPUS),
        model("claude-opus-4-5", "Claude Opus 4.5", K200, 64_000, OPUS),
        model(
            "claude-opus-4-5-20251101",
            "Claude Opus 4.5",
            K200,
            64_000,
            OPUS,
        ),
        model("claude-sonnet-5-5", "Claude Sonnet 5.5", K200, 64_000, None),
        model("claude-sonnet-5", "Claude Sonnet 5", K200, 64_000, None),
        model("claude-sonnet-4-6", "Claude Sonnet 4.6", M1, 64_000, SONNET),
        model(
            "claude-sonnet-4-5",
            "Claude Sonnet 4.5",
            K200,
            64_000,
            SONNET,
        ),
        model(
            "claude-sonnet-4-5-20250929",
            "Claude Sonnet 4.5",
            K200,
            64_000,
            SONNET,
        ),
        model("claude-haiku-5-5", "Claude Haiku 5.5", K200, 64_000, None),
        model("claude-haiku-4-5", "Claude Haiku 4.5", K200, 64_000, HAIKU),
        model(
            "claude-haiku-4-5-20251001",
            "Claude Haiku 4.5",
            K200,
            64_000,
            HAIKU,
        ),
        model("scripted", "Scripted model", K200, 32_000, None),
    ];
    entries
        .into_iter()
        .map(|entry| (entry.id.clone(), entry))
        .collect()
}

fn model(id: &str, name: &str, context_window: u32, max_output_tokens: u32, usd: Usd) -> RawModel {
    RawModel {
        display_name: Some(name.to_owned()),
        context_window: Some(context_window),
        max_output_tokens: Some(max_output_tokens),
        price: usd.map(|(input, output)| with_cache_prices(input, output)),
        ..capable(id)
    }
}

fn route(id: &str, provider: &str, name: &str) -> RawModel {
    RawModel {
        provider: Some(provider.to_owned()),
        display_name: Some(name.to_owned()),
        ..capable(id)
    }
}

/// What the provider's table says about an id; of an id that it does not know, nothing is asked.
fn capable(id: &str) -> RawModel {
    let known = ModelCapabilities::built_in(id);
    RawModel {
        id: id.to_owned(),
        efforts: Some(known.efforts),
        adaptive_thinking: Some(known.thinking == ThinkingSupport::Adaptive),
        supports_fast: Some(known.fast == FastMode::Supported),
        system_messages: Some(takes_system_messages(id)),
        ..RawModel::default()
    }
}

/// The chat dialect has such messages anyway. Of a model that is not known to take them, the answer
/// to the client's request is better than a refusal by the provider in mid-turn.
fn takes_system_messages(id: &str) -> bool {
    const FAMILIES: [&str; 8] = [
        "claude-opus-4-8",
        "claude-opus-5",
        "claude-fable-5",
        "claude-mythos-5",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        "gpt-",
        "scripted",
    ];
    FAMILIES.iter().any(|family| id.starts_with(family))
}

/// Reading from the cache costs a tenth of the input price, writing for five minutes a quarter more
/// than it, writing for an hour twice as much.
fn with_cache_prices(input: f64, output: f64) -> RawPrice {
    RawPrice {
        input: Some(input),
        output: Some(output),
        cache_read: Some(input / 10.0),
        cache_write_5m: Some(input * 1.25),
        cache_write_1h: Some(input * 2.0),
    }
}

//! The models that the configuration knows from the start: routes by wildcard, and a table of facts.
//!
//! Prices are public list prices in US dollars. A model whose price we do not know has none, so its cost
//! is not counted; write one into the configuration to have it counted.

use std::collections::BTreeMap;

use hostler_provider::Effort;

use super::models::{RawModel, RawPrice};

const NO_EFFORTS: &[Effort] = &[];
const TO_HIGH: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];
const TO_MAX: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::Max];
const ALL: &[Effort] = &Effort::ALL;

/// Input and output price; the cache prices follow from the input price.
type Usd = Option<(f64, f64)>;

const OPUS: Usd = Some((5.0, 25.0));
const SONNET: Usd = Some((3.0, 15.0));
const HAIKU: Usd = Some((1.0, 5.0));

const K200: u32 = 200_000;
const M1: u32 = 1_000_000;

/// id, name, context window, longest answer, efforts, price.
type Fact = (&'static str, &'static str, u32, u32, &'static [Effort], Usd);

const FACTS: [Fact; 19] = [
    (
        "claude-fable-5-2",
        "Claude Fable 5.2",
        K200,
        64_000,
        ALL,
        None,
    ),
    (
        "claude-fable-5-1",
        "Claude Fable 5.1",
        K200,
        64_000,
        ALL,
        None,
    ),
    ("claude-fable-5", "Claude Fable 5", K200, 64_000, ALL, None),
    (
        "claude-opus-5-5",
        "Claude Opus 5.5",
        K200,
        64_000,
        ALL,
        None,
    ),
    ("claude-opus-5", "Claude Opus 5", K200, 64_000, ALL, None),
    (
        "claude-opus-4-8",
        "Claude Opus 4.8",
        K200,
        64_000,
        ALL,
        None,
    ),
    ("claude-opus-4-7", "Claude Opus 4.7", M1, 128_000, ALL, OPUS),
    (
        "claude-opus-4-6",
        "Claude Opus 4.6",
        M1,
        128_000,
        TO_MAX,
        OPUS,
    ),
    (
        "claude-opus-4-5",
        "Claude Opus 4.5",
        K200,
        64_000,
        TO_HIGH,
        OPUS,
    ),
    (
        "claude-opus-4-5-20251101",
        "Claude Opus 4.5",
        K200,
        64_000,
        TO_HIGH,
        OPUS,
    ),
    (
        "claude-sonnet-5-5",
        "Claude Sonnet 5.5",
        K200,
        64_000,
        ALL,
        None,
    ),
    (
        "claude-sonnet-5",
        "Claude Sonnet 5",
        K200,
        64_000,
        ALL,
        None,
    ),
    (
        "claude-sonnet-4-6",
        "Claude Sonnet 4.6",
        M1,
        64_000,
        TO_MAX,
        SONNET,
    ),
    (
        "claude-sonnet-4-5",
        "Claude Sonnet 4.5",
        K200,
        64_000,
        NO_EFFORTS,
        SONNET,
    ),
    (
        "claude-sonnet-4-5-20250929",
        "Claude Sonnet 4.5",
        K200,
        64_000,
        NO_EFFORTS,
        SONNET,
    ),
    (
        "claude-haiku-5-5",
        "Claude Haiku 5.5",
        K200,
        64_000,
        ALL,
        None,
    ),
    (
        "claude-haiku-4-5",
        "Claude Haiku 4.5",
        K200,
        64_000,
        NO_EFFORTS,
        HAIKU,
    ),
    (
        "claude-haiku-4-5-20251001",
        "Claude Haiku 4.5",
        K200,
        64_000,
        NO_EFFORTS,
        HAIKU,
    ),
    ("scripted", "Scripted model", K200, 32_000, ALL, None),
];

/// Ids that this table does not name still have a provider.
const ROUTES: [(&str, &str, &str, &[Effort]); 3] = [
    ("claude-*", "anthropic", "Claude", ALL),
    ("gpt-*", "openai", "GPT", TO_HIGH),
    ("scripted*", "scripted", "Scripted model", ALL),
];

/// The built-in entries, by id.
pub(super) fn built_in() -> BTreeMap<String, RawModel> {
    let facts = FACTS.iter().map(
        |(id, name, context_window, max_output_tokens, efforts, price)| {
            RawModel {
                id: (*id).to_owned(),
                display_name: Some((*name).to_owned()),
                context_window: Some(*context_window),
                max_output_tokens: Some(*max_output_tokens),
                efforts: Some(efforts.to_vec()),
                price: price.map(|(input, output)| with_cache_prices(input, output)),
                // The one model whose fast mode is known to us; others are refused until configured.
                supports_fast: (*id == "claude-opus-4-6").then_some(true),
                ..RawModel::default()
            }
        },
    );
    let routes = ROUTES.iter().map(|(id, provider, name, efforts)| RawModel {
        id: (*id).to_owned(),
        provider: Some((*provider).to_owned()),
        display_name: Some((*name).to_owned()),
        efforts: Some(efforts.to_vec()),
        ..RawModel::default()
    });
    facts
        .chain(routes)
        .map(|model| (model.id.clone(), model))
        .collect()
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

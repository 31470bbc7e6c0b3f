//! The models that the configuration names: who serves them, what they can take, what they cost.

use hostler_protocol::Timestamp;
use hostler_protocol::agent::EffortLevel;
use hostler_protocol::event::TokenUsage;

/// Prices in US dollars for a million tokens, kept as nano-dollars for one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
}

impl Price {
    /// The cost of one request, in nano-dollars.
    pub fn cost(&self, usage: &TokenUsage) -> u64 {
        [
            (self.input, usage.input_tokens),
            (self.output, usage.output_tokens),
            (self.cache_read, usage.cache_read_input_tokens),
            (self.cache_write_5m, usage.cache_creation_5m_input_tokens),
            (self.cache_write_1h, usage.cache_creation_1h_input_tokens),
        ]
        .into_iter()
        .fold(0, |sum, (price, tokens)| {
            sum.saturating_add(price.saturating_mul(tokens))
        })
    }
}

/// One line of the table of models.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// As agents name it. A `*` at the end stands for any rest.
    pub id: String,
    /// The name of the provider's section in the configuration.
    pub provider: String,
    /// What the provider calls it; `None`: the same.
    pub upstream_id: Option<String>,
    pub display_name: Option<String>,
    pub created_at: Option<Timestamp>,
    /// Tokens of input and output together.
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u32>,
    /// The levels that the provider takes; empty: the model knows no effort.
    pub efforts: Vec<EffortLevel>,
    pub default_effort: EffortLevel,
    /// Whether requests ask for thinking that the model meters itself.
    pub adaptive_thinking: bool,
    pub supports_fast: bool,
    pub price: Option<Price>,
}

/// All of them. Cheap to share behind an `Arc`.
#[derive(Debug, Clone, Default)]
pub struct ModelCatalog {
    models: Vec<ModelSpec>,
}

impl ModelCatalog {
    pub fn new(models: Vec<ModelSpec>) -> Self {
        Self { models }
    }

    /// The line for a model: the exact id, else the longest pattern that fits.
    pub fn find(&self, id: &str) -> Option<&ModelSpec> {
        self.models.iter().find(|model| model.id == id).or_else(|| {
            let fits = |model: &&ModelSpec| {
                model
                    .id
                    .strip_suffix('*')
                    .is_some_and(|start| id.starts_with(start))
            };
            self.models
                .iter()
                .filter(fits)
                .max_by_key(|model| model.id.len())
        })
    }

    /// The models that have a name of their own, in the order of the configuration.
    pub fn listed(&self) -> impl Iterator<Item = &ModelSpec> {
        self.models.iter().filter(|model| !model.id.ends_with('*'))
    }
}

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
    /// What the provider calls it; `None`: the same. See [`ModelSpec::upstream`].
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
    /// Whether it takes words of the system in the middle of a conversation.
    pub system_messages: bool,
    pub price: Option<Price>,
}

impl ModelSpec {
    /// What the provider calls the model that an agent calls `id`. A `*` at the end of the
    /// upstream id stands for what the `*` of this line stood for.
    pub fn upstream(&self, id: &str) -> String {
        let Some(upstream) = &self.upstream_id else {
            return id.to_owned();
        };
        let rest = self
            .id
            .strip_suffix('*')
            .and_then(|start| id.strip_prefix(start));
        match (upstream.strip_suffix('*'), rest) {
            (Some(start), Some(rest)) => format!("{start}{rest}"),
            _ => upstream.clone(),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, upstream_id: Option<&str>) -> ModelSpec {
        ModelSpec {
            id: id.to_owned(),
            provider: "p".to_owned(),
            upstream_id: upstream_id.map(str::to_owned),
            display_name: None,
            created_at: None,
            context_window: None,
            max_output_tokens: None,
            efforts: Vec::new(),
            default_effort: EffortLevel::High,
            adaptive_thinking: false,
            supports_fast: false,
            system_messages: false,
            price: None,
        }
    }

    #[test]
    fn the_exact_line_wins_then_the_longest_pattern() {
        let ids = ["claude-*", "claude-opus-*", "claude-opus-5"];
        let catalog = ModelCatalog::new(ids.map(|id| line(id, None)).to_vec());
        let found = |id: &str| catalog.find(id).map(|model| model.id.clone());
        assert_eq!(found("claude-opus-5").as_deref(), Some("claude-opus-5"));
        assert_eq!(found("claude-opus-6").as_deref(), Some("claude-opus-*"));
        assert_eq!(found("claude-x").as_deref(), Some("claude-*"));
        assert_eq!(found("gpt"), None);
        assert_eq!(catalog.listed().count(), 1);
    }

    #[test]
    fn a_pattern_is_carried_over_to_the_provider() {
        assert_eq!(
            line("claude-*", Some("anthropic/claude-*")).upstream("claude-x"),
            "anthropic/claude-x"
        );
        assert_eq!(
            line("claude-*", Some("fixed")).upstream("claude-x"),
            "fixed"
        );
        assert_eq!(line("claude-*", None).upstream("claude-x"), "claude-x");
    }

    #[test]
    fn a_request_costs_what_its_tokens_cost() {
        let price = Price {
            input: 3_000,
            output: 15_000,
            cache_read: 300,
            cache_write_5m: 3_750,
            cache_write_1h: 6_000,
        };
        let usage = TokenUsage {
            input_tokens: 1_000,
            output_tokens: 10,
            cache_read_input_tokens: 100,
            ..TokenUsage::default()
        };
        assert_eq!(price.cost(&usage), 3_000_000 + 150_000 + 30_000);
    }
}

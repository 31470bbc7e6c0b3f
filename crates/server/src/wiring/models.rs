//! The table of models, as the domain wants it.

use hostler_domain::catalog::{ModelCatalog, ModelSpec, Price};
use hostler_protocol::agent::EffortLevel;
use hostler_provider::Effort;

use crate::config::{self, Model, Models};

pub(crate) fn catalog(models: &Models) -> ModelCatalog {
    ModelCatalog::new(
        models
            .exact
            .values()
            .chain(&models.wildcards)
            .map(spec)
            .collect(),
    )
}

fn spec(model: &Model) -> ModelSpec {
    ModelSpec {
        id: model.id.clone(),
        provider: model.provider.clone(),
        upstream_id: model.upstream_id.clone(),
        display_name: Some(model.display_name.clone()),
        created_at: None,
        context_window: Some(u64::from(model.context_window)),
        max_output_tokens: Some(model.max_output_tokens),
        efforts: model.efforts.iter().copied().map(effort).collect(),
        default_effort: effort(model.default_effort),
        adaptive_thinking: model.adaptive_thinking,
        supports_fast: model.supports_fast,
        system_messages: model.system_messages,
        price: model.price.map(price),
    }
}

fn effort(effort: Effort) -> EffortLevel {
    match effort {
        Effort::Low => EffortLevel::Low,
        Effort::Medium => EffortLevel::Medium,
        Effort::High => EffortLevel::High,
        Effort::Xhigh => EffortLevel::Xhigh,
        Effort::Max => EffortLevel::Max,
    }
}

/// Dollars for a million tokens are nano-dollars for one token, times a thousand.
fn price(price: config::Price) -> Price {
    Price {
        input: nano_dollars(price.input),
        output: nano_dollars(price.output),
        cache_read: nano_dollars(price.cache_read),
        cache_write_5m: nano_dollars(price.cache_write_5m),
        cache_write_1h: nano_dollars(price.cache_write_1h),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "prices are checked to be finite and not negative"
)]
#[expect(
    clippy::cast_sign_loss,
    reason = "prices are checked to be finite and not negative"
)]
fn nano_dollars(usd_per_million: f64) -> u64 {
    (usd_per_million * 1_000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        assert_eq!(nano_dollars(3.0), 3_000);
        assert_eq!(nano_dollars(0.3), 300);
        assert_eq!(nano_dollars(6.25), 6_250);
        assert_eq!(nano_dollars(0.0), 0);
    }
}

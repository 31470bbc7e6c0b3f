//! Tokens, time and money.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agent::Speed;

/// Tokens of one model request. `input_tokens` are those that no cache served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenUsage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_input_tokens: u64,
    pub cache_creation_5m_input_tokens: u64,
    pub cache_creation_1h_input_tokens: u64,
}

impl TokenUsage {
    pub fn add(&mut self, other: &Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cache_read_input_tokens += other.cache_read_input_tokens;
        self.cache_creation_5m_input_tokens += other.cache_creation_5m_input_tokens;
        self.cache_creation_1h_input_tokens += other.cache_creation_1h_input_tokens;
    }

    /// What the model had in its context at the end of the request.
    pub fn context_tokens(&self) -> u64 {
        self.input_tokens
            + self.output_tokens
            + self.cache_read_input_tokens
            + self.cache_creation_5m_input_tokens
            + self.cache_creation_1h_input_tokens
    }
}

/// `model_usage` of `span.model_request_end`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ModelUsage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_creation_input_tokens: u64,
    pub cache_read_input_tokens: u64,
    /// Only where the fast mode was on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
}

impl From<&TokenUsage> for ModelUsage {
    fn from(usage: &TokenUsage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cache_creation_input_tokens: usage.cache_creation_5m_input_tokens
                + usage.cache_creation_1h_input_tokens,
            cache_read_input_tokens: usage.cache_read_input_tokens,
            speed: None,
        }
    }
}

/// `usage` of a session, cumulative.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionUsage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_input_tokens: u64,
    pub cache_creation: CacheCreation,
    /// Seconds in which the session was running.
    pub active_seconds: f64,
    /// At the list prices of the configuration; models without a price count nothing.
    pub list_cost: Money,
    pub server_tool_use: ServerToolUse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct CacheCreation {
    pub ephemeral_5m_input_tokens: u64,
    pub ephemeral_1h_input_tokens: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ServerToolUse {
    pub web_search_requests: u64,
    pub web_fetch_requests: u64,
}

/// An amount in US dollars: `amount` is whole cents, as a decimal string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Money {
    pub amount: String,
    /// Always `USD`.
    pub currency: String,
}

impl Money {
    /// Rounded to the nearest cent; a nano-dollar is 10⁻⁹ dollars.
    pub fn from_nano_dollars(nano_dollars: u64) -> Self {
        const NANO_DOLLARS_PER_CENT: u64 = 10_000_000;
        let cents = nano_dollars.saturating_add(NANO_DOLLARS_PER_CENT / 2) / NANO_DOLLARS_PER_CENT;
        Self {
            amount: cents.to_string(),
            currency: "USD".to_owned(),
        }
    }
}

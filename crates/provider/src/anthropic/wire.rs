//! The events of a Messages stream as they come. One flat struct reads them all in one pass:
//! a tagged enum would have to buffer each event first and could not keep raw parts.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::assembly::tokens;
use crate::chunk::Usage;
use crate::raw_object::RawObject;
use crate::request::Speed;

#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(default)]
    pub(super) r#type: String,
    pub(super) index: Option<usize>,
    pub(super) content_block: Option<RawObject>,
    pub(super) delta: Option<Delta<'a>>,
    pub(super) message: Option<MessageStart>,
    pub(super) usage: Option<UsageCounts>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// A piece of a block, or the changes of `message_delta`.
#[derive(Debug, Deserialize)]
pub(super) struct Delta<'a> {
    pub(super) text: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) partial_json: Option<String>,
    #[serde(borrow)]
    pub(super) citation: Option<&'a RawValue>,
    pub(super) stop_reason: Option<String>,
    pub(super) stop_details: Option<StopDetails>,
}

#[derive(Debug, Deserialize)]
pub(super) struct StopDetails {
    pub(super) category: Option<String>,
    pub(super) explanation: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MessageStart {
    pub(super) model: Option<String>,
    pub(super) usage: Option<UsageCounts>,
}

/// Cumulative counts: a later one replaces an earlier one.
#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct UsageCounts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    speed: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

impl UsageCounts {
    pub(super) fn update(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_creation_input_tokens = later
            .cache_creation_input_tokens
            .or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later
            .cache_read_input_tokens
            .or(self.cache_read_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation.take());
        self.speed = later.speed.or(self.speed.take());
    }

    pub(super) fn usage(&self) -> Usage {
        let one_hour = tokens(
            self.cache_creation
                .as_ref()
                .and_then(|split| split.ephemeral_1h_input_tokens),
        );
        // Some gateways give the sum without the split.
        let five_minutes = match &self.cache_creation {
            Some(split) => tokens(split.ephemeral_5m_input_tokens),
            None => tokens(self.cache_creation_input_tokens),
        };
        Usage {
            input_tokens: tokens(self.input_tokens),
            output_tokens: tokens(self.output_tokens),
            cache_creation_5m: five_minutes,
            cache_creation_1h: one_hour,
            cache_read: tokens(self.cache_read_input_tokens),
        }
    }

    pub(super) fn speed(&self) -> Option<Speed> {
        match self.speed.as_deref() {
            Some("fast") => Some(Speed::Fast),
            Some("standard") => Some(Speed::Standard),
            Some(_) | None => None,
        }
    }
}

//! What a model takes beside a plain request. Asking a model for what it does not know is an
//! error at the provider, so an unknown model is asked for nothing.

use serde::{Deserialize, Serialize};

use crate::request::{Effort, Speed};

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelCapabilities {
    /// The levels that the model takes. A level between two of them becomes the lower one.
    pub efforts: Vec<Effort>,
    pub thinking: ThinkingSupport,
    pub fast: FastMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingSupport {
    #[default]
    None,
    /// The model decides how much it thinks, between tool calls too.
    Adaptive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FastMode {
    #[default]
    Unsupported,
    Supported,
}

const ALL: &[Effort] = &Effort::ALL;
const UP_TO_HIGH: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];
const WITHOUT_XHIGH: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High, Effort::Max];

/// Families of models, each with its own row even where it begins like another: the longest name
/// that a model id begins with counts.
const BUILT_IN: &[(&str, &[Effort], ThinkingSupport, FastMode)] = &[
    (
        "claude-opus-4-5",
        UP_TO_HIGH,
        ThinkingSupport::None,
        FastMode::Unsupported,
    ),
    (
        "claude-opus-4-6",
        WITHOUT_XHIGH,
        ThinkingSupport::Adaptive,
        FastMode::Unsupported,
    ),
    (
        "claude-opus-4-7",
        ALL,
        ThinkingSupport::Adaptive,
        FastMode::Unsupported,
    ),
    (
        "claude-opus-4-8",
        ALL,
        ThinkingSupport::Adaptive,
        FastMode::Supported,
    ),
    (
        "claude-opus-5",
        ALL,
        ThinkingSupport::Adaptive,
        FastMode::Supported,
    ),
    (
        "claude-opus-5-5",
        ALL,
        ThinkingSupport::Adaptive,
        FastMode::Supported,
    ),
    (
        "claude-sonnet-4-6",
        WITHOUT_XHIGH,
        ThinkingSupport::Adaptive,
        FastMode::Unsupported,
    ),
    (
        "claude-sonnet-5",
        ALL,
        ThinkingSupport::Adaptive,
        FastMode::Unsupported,
    ),
    (
        "claude-haiku-5-5",
        ALL,
        ThinkingSupport::Adaptive,
        FastMode::Unsupported,
    ),
    (
        "claude-fable-5",
        ALL,
        ThinkingSupport::Adaptive,
        FastMode::Unsupported,
    ),
    (
        "claude-fable-5-2",
        ALL,
        ThinkingSupport::Adaptive,
        FastMode::Supported,
    ),
    (
        "claude-mythos-5",
        ALL,
        ThinkingSupport::Adaptive,
        FastMode::Unsupported,
    ),
    (
        "claude-mythos-5-2",
        ALL,
        ThinkingSupport::Adaptive,
        FastMode::Supported,
    ),
];

impl ModelCapabilities {
    /// What we know of a model by its id. Prefixes of gateways and regions do not matter.
    pub fn built_in(model: &str) -> Self {
        let model = model.find("claude-").map_or(model, |start| &model[start..]);
        let family = BUILT_IN
            .iter()
            .filter(|(family, ..)| begins_with_family(model, family))
            .max_by_key(|(family, ..)| family.len());
        match family {
            None => Self::default(),
            Some((_, efforts, thinking, fast)) => Self {
                efforts: efforts.to_vec(),
                thinking: *thinking,
                fast: *fast,
            },
        }
    }

    /// The highest level that the model takes and that is not above the wanted one.
    pub(super) fn effort(&self, wanted: Effort) -> Option<Effort> {
        self.efforts
            .iter()
            .copied()
            .filter(|effort| *effort <= wanted)
            .max()
    }

    pub(super) fn speed(&self, wanted: Speed) -> Speed {
        match self.fast {
            FastMode::Supported => wanted,
            FastMode::Unsupported => Speed::Standard,
        }
    }
}

/// `claude-opus-5` fits `claude-opus-5` and `claude-opus-5-20260724`, never `claude-opus-50`.
fn begins_with_family(model: &str, family: &str) -> bool {
    model.strip_prefix(family).is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(|character: char| !character.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_families_and_leaves_the_rest_alone() {
        let dated = ModelCapabilities::built_in("us.anthropic.claude-opus-4-6-v1");
        assert_eq!(dated.thinking, ThinkingSupport::Adaptive);
        assert_eq!(dated.effort(Effort::Xhigh), Some(Effort::High));
        assert_eq!(dated.effort(Effort::Max), Some(Effort::Max));
        assert_eq!(dated.speed(Speed::Fast), Speed::Standard);
        let newest = ModelCapabilities::built_in("claude-opus-5-5");
        assert_eq!(newest.speed(Speed::Fast), Speed::Fast);
        for unknown in [
            "claude-opus-4-20250514",
            "claude-haiku-4-5",
            "claude-opus-50",
            "llama",
        ] {
            assert_eq!(
                ModelCapabilities::built_in(unknown),
                ModelCapabilities::default()
            );
        }
        assert_eq!(ModelCapabilities::default().effort(Effort::Max), None);
    }
}

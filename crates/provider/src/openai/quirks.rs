//! How servers of the OpenAI dialect differ. One row a vendor; what is not here is the same for
//! all of them.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// Any other server: nothing that a plain one could refuse.
    #[default]
    Generic,
    #[serde(rename = "openai")]
    OpenAi,
    Vllm,
    Ollama,
    LlamaCpp,
    #[serde(rename = "openrouter")]
    OpenRouter,
    #[serde(rename = "deepseek")]
    DeepSeek,
}

/// The answers to the questions in which servers differ. Start from a vendor's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quirks {
    pub max_tokens: MaxTokensField,
    pub effort: EffortField,
    pub reasoning_back: ReasoningBack,
    pub content: ContentForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokensField {
    MaxTokens,
    MaxCompletionTokens,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffortField {
    /// The effort is not sent.
    None,
    /// `reasoning_effort`, where levels above high become high.
    ReasoningEffort,
}

/// Where the server wants the reasoning of earlier answers back, if at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningBack {
    Never,
    ReasoningContent,
    Reasoning,
}

/// What the server takes as the content of a user's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentForm {
    Parts,
    /// No images: they are replaced by a sentence.
    TextOnly,
}

impl Vendor {
    pub fn quirks(self) -> Quirks {
        let (max_tokens, effort) = match self {
            Self::OpenAi => (
                MaxTokensField::MaxCompletionTokens,
                EffortField::ReasoningEffort,
            ),
            Self::OpenRouter => (MaxTokensField::MaxTokens, EffortField::ReasoningEffort),
            Self::Generic | Self::Vllm | Self::Ollama | Self::LlamaCpp | Self::DeepSeek => {
                (MaxTokensField::MaxTokens, EffortField::None)
            }
        };
        let content = match self {
            Self::DeepSeek => ContentForm::TextOnly,
            Self::Generic
            | Self::OpenAi
            | Self::Vllm
            | Self::Ollama
            | Self::LlamaCpp
            | Self::OpenRouter => ContentForm::Parts,
        };
        Quirks {
            max_tokens,
            effort,
            reasoning_back: ReasoningBack::Never,
            content,
        }
    }
}

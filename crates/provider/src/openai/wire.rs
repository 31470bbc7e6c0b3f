//! The chunks of a chat-completions stream as they come. Servers leave out what they like and
//! send `null` for it, so everything is optional.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::assembly::tokens;
use crate::chunk::Usage;

#[derive(Debug, Deserialize)]
pub(super) struct CompletionChunk<'a> {
    pub(super) model: Option<String>,
    pub(super) choices: Option<Vec<Choice>>,
    pub(super) usage: Option<UsageCounts>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    pub(super) delta: Option<Delta>,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Delta {
    pub(super) content: Option<String>,
    /// DeepSeek, vLLM and llama.cpp call it `reasoning_content`, Ollama and OpenRouter `reasoning`.
    pub(super) reasoning_content: Option<String>,
    pub(super) reasoning: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) tool_calls: Option<Vec<ToolCallDelta>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolCallDelta {
    pub(super) index: Option<usize>,
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionDelta>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct FunctionDelta {
    pub(super) name: Option<String>,
    pub(super) arguments: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct UsageCounts {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    /// DeepSeek's name for the cached part.
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

impl UsageCounts {
    pub(super) fn usage(&self) -> Usage {
        let details = self.prompt_tokens_details.as_ref();
        let cached = details.and_then(|details| details.cached_tokens);
        let prompt = tokens(self.prompt_tokens);
        let cached = tokens(cached.or(self.prompt_cache_hit_tokens)).min(prompt);
        Usage {
            input_tokens: prompt - cached,
            output_tokens: tokens(self.completion_tokens),
            cache_read: cached,
            ..Usage::default()
        }
    }
}

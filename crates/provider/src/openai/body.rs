//! The body of a chat-completions request.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{ModelError, ModelErrorKind};
use crate::request::{Effort, ModelRequest, ToolDefinition};

use super::messages::{self, ChatMessage};
use super::quirks::{EffortField, MaxTokensField, Quirks};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    messages: Vec<ChatMessage>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: &'a RawValue,
}

pub(super) fn build(request: &ModelRequest, quirks: &Quirks) -> Result<Vec<u8>, ModelError> {
    let limit = |field| (quirks.max_tokens == field).then_some(request.max_tokens);
    let body = Body {
        model: &request.model,
        stream: true,
        stream_options: StreamOptions {
            include_usage: true,
        },
        max_tokens: limit(MaxTokensField::MaxTokens),
        max_completion_tokens: limit(MaxTokensField::MaxCompletionTokens),
        reasoning_effort: match quirks.effort {
            EffortField::None => None,
            EffortField::ReasoningEffort => request.effort.map(reasoning_effort),
        },
        tools: request.tools.iter().map(tool).collect(),
        messages: messages::translate(request, quirks)?,
    };
    serde_json::to_vec(&body).map_err(|error| {
        ModelError::new(
            ModelErrorKind::InvalidRequest,
            format!("the request has no JSON: {error}"),
        )
    })
}

fn tool(definition: &ToolDefinition) -> Tool<'_> {
    Tool {
        r#type: "function",
        function: Function {
            name: &definition.name,
            description: &definition.description,
            parameters: &definition.input_schema,
        },
    }
}

fn reasoning_effort(effort: Effort) -> &'static str {
    match effort {
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Xhigh | Effort::Max => "high",
    }
}

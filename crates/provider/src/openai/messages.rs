//! Canonical blocks as chat messages. What the dialect cannot carry is replaced by a sentence,
//! never dropped in silence.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{ModelError, ModelErrorKind};
use crate::request::{Message, ModelRequest, Role};

use super::quirks::{ContentForm, Quirks, ReasoningBack};

#[derive(Debug, Serialize)]
pub(super) struct ChatMessage {
    role: &'static str,
    content: Option<Content>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
}

#[derive(Debug)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

impl Serialize for Content {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Parts(parts) => parts.serialize(serializer),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text { text: String },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Debug, Serialize)]
struct ImageUrl {
    url: String,
}

#[derive(Debug, Serialize)]
struct ToolCall {
    id: String,
    r#type: &'static str,
    function: FunctionCall,
}

#[derive(Debug, Serialize)]
struct FunctionCall {
    name: String,
    arguments: String,
}

/// A canonical block, as far as this dialect can use it.
#[derive(Debug, Deserialize)]
struct BlockFields<'a> {
    r#type: String,
    text: Option<String>,
    thinking: Option<String>,
    source: Option<Source>,
    title: Option<String>,
    id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    tool_use_id: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    is_error: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Source {
    r#type: String,
    media_type: Option<String>,
    data: Option<String>,
    url: Option<String>,
}

pub(super) fn translate(
    request: &ModelRequest,
    quirks: &Quirks,
) -> Result<Vec<ChatMessage>, ModelError> {
    let mut chat = Vec::new();
    if !request.system.is_empty() {
        chat.push(message(
            "system",
            Some(Content::Text(request.system.join("\n\n"))),
        ));
    }
    for message in &request.all_messages()? {
        match message.role {
            Role::User => add_user(message, quirks, &mut chat)?,
            Role::Assistant => add_assistant(message, quirks, &mut chat)?,
            Role::System => add_system(message, &mut chat)?,
        }
    }
    Ok(chat)
}

/// Results of tools go first, since they answer the calls of the message before. Images in them
/// follow as a message of the user: a result can only be text.
fn add_user(
    user: &Message,
    quirks: &Quirks,
    chat: &mut Vec<ChatMessage>,
) -> Result<(), ModelError> {
    let mut parts = Vec::new();
    let mut said = Vec::new();
    for block in &user.content {
        let block = read(block)?;
        if block.r#type == "tool_result" {
            let id = block.tool_use_id.clone().unwrap_or_default();
            let (text, images) = tool_result(&block)?;
            if !images.is_empty() {
                parts.push(Part::Text {
                    text: format!("Images in the result of call {id}:"),
                });
                parts.extend(images);
            }
            let mut result = message("tool", Some(Content::Text(text)));
            result.tool_call_id = Some(id);
            chat.push(result);
        } else {
            said.push(part(&block));
        }
    }
    parts.extend(said);
    if !parts.is_empty() {
        chat.push(message("user", Some(content(parts, quirks))));
    }
    Ok(())
}

fn add_system(system: &Message, chat: &mut Vec<ChatMessage>) -> Result<(), ModelError> {
    let mut texts = Vec::new();
    for block in &system.content {
        texts.extend(read(block)?.text);
    }
    chat.push(message("system", Some(Content::Text(texts.join("\n\n")))));
    Ok(())
}

fn add_assistant(
    assistant: &Message,
    quirks: &Quirks,
    chat: &mut Vec<ChatMessage>,
) -> Result<(), ModelError> {
    let mut text = String::new();
    let mut reasoning = String::new();
    let mut tool_calls = Vec::new();
    for block in &assistant.content {
        let block = read(block)?;
        match block.r#type.as_str() {
            "thinking" => reasoning.push_str(&block.thinking.unwrap_or_default()),
            // Nobody but the provider that made it can read it.
            "redacted_thinking" => {}
            "tool_use" => tool_calls.push(ToolCall {
                id: block.id.unwrap_or_default(),
                r#type: "function",
                function: FunctionCall {
                    name: block.name.unwrap_or_default(),
                    arguments: block.input.map_or("{}", RawValue::get).to_owned(),
                },
            }),
            _ => {
                if let Part::Text { text: more } = part(&block) {
                    text.push_str(&more);
                }
            }
        }
    }
    let content = (!text.is_empty()).then_some(Content::Text(text));
    if content.is_none() && tool_calls.is_empty() {
        // Nothing but thinking: the dialect has no such message.
        return Ok(());
    }
    let mut said = message("assistant", content);
    said.tool_calls = tool_calls;
    let reasoning = (!reasoning.is_empty()).then_some(reasoning);
    match quirks.reasoning_back {
        ReasoningBack::Never => {}
        ReasoningBack::ReasoningContent => said.reasoning_content = reasoning,
        ReasoningBack::Reasoning => said.reasoning = reasoning,
    }
    chat.push(said);
    Ok(())
}

fn message(role: &'static str, content: Option<Content>) -> ChatMessage {
    ChatMessage {
        role,
        content,
        tool_calls: Vec::new(),
        tool_call_id: None,
        reasoning_content: None,
        reasoning: None,
    }
}

fn read(block: &RawValue) -> Result<BlockFields<'_>, ModelError> {
    serde_json::from_str(block.get()).map_err(|error| {
        let message = format!("a content block of the conversation is not valid: {error}");
        ModelError::new(ModelErrorKind::InvalidRequest, message)
    })
}

/// The text of a result and its images.
fn tool_result(block: &BlockFields) -> Result<(String, Vec<Part>), ModelError> {
    let mut texts = Vec::new();
    let mut images = Vec::new();
    if let Some(content) = block.content {
        if let Ok(text) = serde_json::from_str::<String>(content.get()) {
            texts.push(text);
        } else {
            let blocks: Vec<&RawValue> = serde_json::from_str(content.get()).map_err(|error| {
                let message = format!("a tool result is not valid: {error}");
                ModelError::new(ModelErrorKind::InvalidRequest, message)
            })?;
            for block in blocks {
                match part(&read(block)?) {
                    Part::Text { text } => texts.push(text),
                    image @ Part::ImageUrl { .. } => images.push(image),
                }
            }
        }
    }
    let text = texts.join("\n");
    // The dialect has no mark for a failed call.
    let text = if block.is_error == Some(true) {
        format!("[error] {text}")
    } else {
        text
    };
    Ok((text, images))
}

fn part(block: &BlockFields) -> Part {
    if let Some(text) = &block.text {
        return Part::Text { text: text.clone() };
    }
    let source = block.source.as_ref();
    let url = source.and_then(
        |source| match (source.r#type.as_str(), block.r#type.as_str()) {
            ("url", "image") => source.url.clone(),
            ("base64", "image") => {
                let media_type = source.media_type.as_deref().unwrap_or("image/png");
                Some(format!(
                    "data:{media_type};base64,{}",
                    source.data.as_deref()?
                ))
            }
            _ => None,
        },
    );
    if let Some(url) = url {
        return Part::ImageUrl {
            image_url: ImageUrl { url },
        };
    }
    if let Some(Source {
        r#type,
        data: Some(text),
        ..
    }) = source
        && r#type == "text"
    {
        let title = block.title.as_deref().unwrap_or("document");
        return Part::Text {
            text: format!("[{title}]\n{text}"),
        };
    }
    let kind = &block.r#type;
    Part::Text {
        text: format!("[a block of type {kind} that this model cannot be shown]"),
    }
}

/// One text stays a plain text, since some servers take nothing else.
fn content(parts: Vec<Part>, quirks: &Quirks) -> Content {
    let only_text = parts.iter().all(|part| matches!(part, Part::Text { .. }));
    if !only_text && quirks.content == ContentForm::Parts {
        return Content::Parts(parts);
    }
    let texts: Vec<String> = parts
        .into_iter()
        .map(|part| match part {
            Part::Text { text } => text,
            Part::ImageUrl { .. } => "[an image that this model cannot be shown]".to_owned(),
        })
        .collect();
    Content::Text(texts.join("\n\n"))
}

//! The request to a model: the agent's configuration and the conversation, in a form whose
//! prefix is the same, byte for byte, from one request of a session to the next.

use std::sync::Arc;

use hostler_domain::catalog::ModelSpec;
use hostler_domain::session::{self, Block, Purpose, Role, State};
use hostler_domain::{compaction, tools};
use hostler_protocol::agent::{BuiltinTool, EffortLevel, SessionAgent, Speed};
use hostler_protocol::content::ContentBlock;
use hostler_provider::{Effort, Message, ModelRequest, Thinking, ToolDefinition};
use hostler_sandbox::tool_schemas;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::limits::{OUTPUT_TOKENS_DEFAULT, SUMMARY_TOKENS};
use crate::mcp::Offer;
use crate::sandbox_prompt::{self, Told};
use crate::skills;
use crate::web;

/// A block whose file can't be had any more.
const FILE_GONE: &str = "[The file that was attached here is no longer available.]";

/// The request for the next answer, or for a summary of the conversation. Blocks whose bytes are
/// in the file store are taken from `files`.
pub(crate) fn request(
    state: &State,
    model: &ModelSpec,
    purpose: Purpose,
    sandbox: &Told,
    offer: &Offer,
    files: &dyn Fn(&str) -> Option<Arc<RawValue>>,
) -> ModelRequest {
    let agent = state.agent();
    let (earlier, newest) = state.conversation();
    let mut earlier: Vec<_> = earlier.iter().map(|part| part_of(part, files)).collect();
    let mut messages: Vec<_> = newest.iter().map(|m| message_of(m, files)).collect();
    let output_max = model.max_output_tokens.unwrap_or(OUTPUT_TOKENS_DEFAULT);
    let speed = match agent.model.speed {
        Speed::Standard => hostler_provider::Speed::Standard,
        Speed::Fast => hostler_provider::Speed::Fast,
    };
    let mut request = ModelRequest {
        model: model.upstream(&agent.model.id),
        system: system(agent, sandbox),
        tools: definitions(agent, sandbox, offer),
        earlier: Vec::new(),
        messages: Vec::new(),
        max_tokens: output_max,
        effort: effort(agent, model),
        speed,
        thinking: Thinking::Adaptive,
    };
    if purpose == Purpose::Compact {
        // The same system prompt and tools as ever, so that the provider's cache still serves
        // the conversation.
        if state.context_overflowed() {
            earlier.clear();
            messages = state
                .messages()
                .iter()
                .map(|m| message_of(m, files))
                .collect();
            leave_out_long_results(&mut messages);
        }
        ask_for_summary(&mut messages);
        request.max_tokens = SUMMARY_TOKENS.min(output_max);
    }
    request.earlier = earlier;
    request.messages = messages;
    request
}

fn part_of(
    part: &session::Earlier,
    files: &dyn Fn(&str) -> Option<Arc<RawValue>>,
) -> hostler_provider::Earlier {
    match part {
        session::Earlier::Sealed(sealed) => {
            hostler_provider::Earlier::Sealed(hostler_provider::SealedMessages {
                json: Arc::clone(&sealed.json),
                count: sealed.count,
                has_unsigned_thoughts: sealed.has_unsigned_thoughts,
            })
        }
        session::Earlier::Message(message) => {
            hostler_provider::Earlier::Message(message_of(message, files))
        }
    }
}

fn message_of(
    message: &session::Message,
    files: &dyn Fn(&str) -> Option<Arc<RawValue>>,
) -> Message {
    Message {
        role: match message.role {
            Role::User => hostler_provider::Role::User,
            Role::Assistant => hostler_provider::Role::Assistant,
            Role::System => hostler_provider::Role::System,
        },
        content: message
            .blocks
            .iter()
            .map(|block| block_json(block, files))
            .collect(),
    }
}

fn system(agent: &SessionAgent, sandbox: &Told) -> Vec<String> {
    let own = agent
        .system
        .clone()
        .filter(|system| !system.trim().is_empty());
    if !tools::needs_sandbox(agent) {
        return own.into_iter().collect();
    }
    // Without it nobody could look into them.
    let skills = match tools::offered(agent).contains(&BuiltinTool::Read) {
        true => skills::text(&sandbox.skills, &sandbox.reach),
        false => None,
    };
    let sandbox = sandbox_prompt::text(sandbox);
    own.into_iter().chain([sandbox]).chain(skills).collect()
}

fn definitions(agent: &SessionAgent, sandbox: &Told, offer: &Offer) -> Vec<ToolDefinition> {
    let offered = tools::offered(agent);
    let schemas = tool_schemas(sandbox_prompt::network(&sandbox.reach));
    let built_in = schemas
        .iter()
        .filter(|schema| offered.iter().any(|tool| tool.name() == schema.name))
        .map(|schema| ToolDefinition {
            name: schema.name.to_owned(),
            description: schema.description.to_owned(),
            input_schema: raw(schema.input_schema.to_owned()),
        });
    let custom = tools::custom(agent).map(|tool| ToolDefinition {
        name: tool.name.clone(),
        description: tool.description.clone(),
        input_schema: raw(Value::Object(tool.shown_schema()).to_string()),
    });
    let of_servers = offer.tools.iter().map(|offered| ToolDefinition {
        name: offered.shown.clone(),
        description: offered.tool.description.clone(),
        input_schema: raw(Value::Object(offered.tool.input_schema.clone()).to_string()),
    });
    let web = web::definitions(agent, sandbox.web, sandbox.web_hosts.as_ref());
    built_in
        .chain(web)
        .chain(custom)
        .chain(of_servers)
        .collect()
}

fn effort(agent: &SessionAgent, model: &ModelSpec) -> Option<Effort> {
    let level = agent.model.effort.level;
    model.efforts.contains(&level).then_some(match level {
        EffortLevel::Low => Effort::Low,
        EffortLevel::Medium => Effort::Medium,
        EffortLevel::High => Effort::High,
        EffortLevel::Xhigh => Effort::Xhigh,
        EffortLevel::Max => Effort::Max,
    })
}

fn block_json(block: &Block, files: &dyn Fn(&str) -> Option<Arc<RawValue>>) -> Arc<RawValue> {
    match block {
        Block::Json(json) => Arc::clone(json),
        Block::WithFile { file_id, .. } => files(file_id).unwrap_or_else(|| text_block(FILE_GONE)),
        Block::Result(result) => {
            let mut shown = |block: &ContentBlock| match block.file_id() {
                None => serde_json::to_value(block).ok(),
                Some(id) => {
                    let json = files(id).unwrap_or_else(|| text_block(FILE_GONE));
                    serde_json::from_str(json.get()).ok()
                }
            };
            raw(result.json(&mut shown).to_string())
        }
    }
}

fn ask_for_summary(messages: &mut Vec<Message>) {
    let instruction = text_block(compaction::INSTRUCTION);
    match messages.last_mut() {
        Some(last) if last.role == hostler_provider::Role::User => last.content.push(instruction),
        _ => messages.push(Message {
            role: hostler_provider::Role::User,
            content: vec![instruction],
        }),
    }
}

fn leave_out_long_results(messages: &mut [Message]) {
    for block in messages
        .iter_mut()
        .flat_map(|message| message.content.iter_mut())
    {
        let json = block.get();
        if json.len() <= compaction::OMITTED_ABOVE_BYTES {
            continue;
        }
        let Ok(mut value) = serde_json::from_str::<Value>(json) else {
            continue;
        };
        match value["type"].as_str() {
            Some("tool_result") => value["content"] = json!(compaction::OMITTED),
            Some("image" | "document") => {
                value = json!({"type": "text", "text": compaction::OMITTED});
            }
            _ => continue,
        }
        *block = raw(value.to_string());
    }
}

pub(crate) fn text_block(text: &str) -> Arc<RawValue> {
    raw(json!({"type": "text", "text": text}).to_string())
}

/// JSON text that this crate made.
fn raw(json: String) -> Arc<RawValue> {
    Arc::from(RawValue::from_string(json).unwrap_or_default())
}

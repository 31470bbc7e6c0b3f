//! A model that follows a script: the demo without a key, and users' own tests. Its answer is a
//! pure function of the request, so a restart in mid-conversation changes nothing.

mod script;

use std::sync::Arc;

use futures::StreamExt;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ChunkStream;
use crate::chunk::{Block, BlockKind, Chunk, Finished, ToolUse, Usage};
use crate::error::ModelError;
use crate::request::{Earlier, Message, ModelRequest, Role, Speed};

pub use script::{Script, ScriptError};
use script::{ScriptBlock, ScriptTurn};

/// A provider that answers every model id from one script.
#[derive(Debug, Clone)]
pub struct Scripted {
    script: Arc<Script>,
}

impl Scripted {
    pub fn new(script: Script) -> Self {
        Self {
            script: Arc::new(script),
        }
    }

    /// The script behind the demo that needs no key.
    pub fn fibonacci() -> Self {
        Self::new(Script::fibonacci())
    }

    pub(crate) fn stream(&self, request: &ModelRequest) -> ChunkStream {
        futures::stream::iter(self.answer(request)).boxed()
    }

    fn answer(&self, request: &ModelRequest) -> Vec<Result<Chunk, ModelError>> {
        let place = match place_in_conversation(&request.messages) {
            // The last word of the user is older than the newest messages.
            place if place.user_text.is_empty() && !request.earlier.is_empty() => {
                match request.all_messages() {
                    Ok(messages) => place_in_conversation(&messages),
                    Err(error) => return vec![Err(error)],
                }
            }
            place => place,
        };
        let Some(turn) = self.script.turn(&place.user_text, place.step) else {
            return play(&ScriptTurn::past_the_end(), request);
        };
        play(turn, request)
    }
}

fn play(turn: &ScriptTurn, request: &ModelRequest) -> Vec<Result<Chunk, ModelError>> {
    let mut chunks = vec![Ok(Chunk::Started)];
    let mut output_bytes = 0;
    for (index, block) in turn.blocks.iter().enumerate() {
        let block = play_block(turn, request, index, block, &mut chunks);
        output_bytes += block.json.get().len();
        chunks.push(Ok(Chunk::Block(block)));
    }
    let usage = turn
        .usage
        .unwrap_or_else(|| estimated_usage(request, output_bytes));
    if let Some(error) = &turn.error {
        let error = ModelError {
            usage: Some(usage),
            ..error.to_model_error()
        };
        chunks.push(Err(error));
        return chunks;
    }
    chunks.push(Ok(Chunk::Finished(Finished {
        stop: turn.stop_reason(),
        usage,
        model: Some(request.model.clone()),
        speed: Some(Speed::Standard),
    })));
    chunks
}

fn play_block(
    turn: &ScriptTurn,
    request: &ModelRequest,
    index: usize,
    block: &ScriptBlock,
    chunks: &mut Vec<Result<Chunk, ModelError>>,
) -> Block {
    match block {
        ScriptBlock::Thinking { thinking } => {
            chunks.push(Ok(Chunk::ThinkingStart { index }));
            let json = canonical(&serde_json::json!({
                "type": "thinking", "thinking": thinking, "signature": ""
            }));
            Block {
                index,
                kind: BlockKind::Thinking,
                json,
            }
        }
        ScriptBlock::Text { text } => {
            chunks.push(Ok(Chunk::TextStart { index }));
            let characters: Vec<char> = text.chars().collect();
            for piece in characters.chunks(turn.chunk_size()) {
                let text = piece.iter().collect();
                chunks.push(Ok(Chunk::TextDelta { index, text }));
            }
            let json = canonical(&serde_json::json!({ "type": "text", "text": text }));
            Block {
                index,
                kind: BlockKind::Text { text: text.clone() },
                json,
            }
        }
        ScriptBlock::ToolUse { name, input } => {
            // The number of messages makes the id unique in the conversation without any state.
            let id = format!("toolu_scripted_{}_{index}", request.message_count());
            let json = canonical(&serde_json::json!({
                "type": "tool_use", "id": id, "name": name, "input": input
            }));
            let input = canonical(&serde_json::Value::Object(input.clone()));
            let call = ToolUse {
                id,
                name: name.clone(),
                input,
                invalid_input: None,
            };
            Block {
                index,
                kind: BlockKind::ToolUse(call),
                json,
            }
        }
    }
}

#[expect(clippy::expect_used, reason = "a JSON value always has a JSON text")]
fn canonical(value: &serde_json::Value) -> Arc<RawValue> {
    Arc::from(serde_json::value::to_raw_value(value).expect("a JSON value always has a JSON text"))
}

/// Four bytes a token: a plausible count, equal for equal requests.
fn estimated_usage(request: &ModelRequest, output_bytes: usize) -> Usage {
    let system: usize = request.system.iter().map(String::len).sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| tool.input_schema.get().len())
        .sum();
    let messages = request.messages.iter();
    let messages = messages.flat_map(|message| &message.content);
    let messages: usize = messages.map(|block| block.get().len()).sum();
    let earlier = request.earlier.iter().map(|earlier| match earlier {
        Earlier::Sealed(sealed) => sealed.json.len(),
        Earlier::Message(message) => message.content.iter().map(|block| block.get().len()).sum(),
    });
    let earlier: usize = earlier.sum();
    Usage {
        input_tokens: ((system + tools + earlier + messages) / 4) as u64,
        output_tokens: (output_bytes / 4) as u64,
        ..Usage::default()
    }
}

struct Place {
    /// The text of the last user message that has any.
    user_text: String,
    /// Assistant messages after it.
    step: usize,
}

fn place_in_conversation(messages: &[Message]) -> Place {
    let mut step = 0;
    for message in messages.iter().rev() {
        match message.role {
            Role::Assistant => step += 1,
            Role::System => {}
            Role::User => {
                let user_text = text_of(message);
                if !user_text.is_empty() {
                    return Place { user_text, step };
                }
            }
        }
    }
    Place {
        user_text: String::new(),
        step,
    }
}

fn text_of(message: &Message) -> String {
    #[derive(Deserialize)]
    struct MaybeText {
        r#type: String,
        text: Option<String>,
    }
    let texts: Vec<String> = message
        .content
        .iter()
        .filter_map(|block| serde_json::from_str::<MaybeText>(block.get()).ok())
        .filter(|block| block.r#type == "text")
        .filter_map(|block| block.text)
        .collect();
    texts.join("\n")
}

//! From chat-completion chunks to canonical chunks. The dialect marks no ends of blocks, so a
//! thought ends where text or a call begins, and calls end with the answer.

use std::collections::HashSet;
use std::sync::Arc;

use crate::answer::{Answer, ContentBudget, Progress, cut_short};
use crate::assembly::{GrowingText, foreign_name, foreign_word, tool_use};
use crate::chunk::{Block, BlockKind, Chunk, Finished, StopReason, Usage};
use crate::error::ModelError;
use crate::failure::Complaint;
use crate::raw_object::{RawObject, raw};

use super::wire::{Choice, CompletionChunk, Delta, ToolCallDelta};

#[derive(Debug)]
pub(crate) struct CompletionAnswer {
    /// Makes generated ids of calls unique in the conversation.
    messages_before: usize,
    started: bool,
    model: Option<String>,
    usage: Option<Usage>,
    stop: Option<String>,
    refusal: String,
    next_index: usize,
    open: Option<OpenBlock>,
    calls: Vec<OpenCall>,
    budget: ContentBudget,
}

#[derive(Debug)]
enum OpenBlock {
    Thinking { index: usize, thinking: String },
    Text { index: usize, text: GrowingText },
}

#[derive(Debug)]
struct OpenCall {
    index: usize,
    /// The number that the server gave it, if any.
    wire_index: Option<usize>,
    id: String,
    name: String,
    arguments: String,
}

impl Answer for CompletionAnswer {
    fn event(&mut self, data: &[u8], chunks: &mut Vec<Chunk>) -> Result<Progress, ModelError> {
        if data.trim_ascii() == b"[DONE]" {
            self.end(chunks)?;
            return Ok(Progress::Complete);
        }
        let chunk: CompletionChunk = serde_json::from_slice(data).map_err(|error| {
            ModelError::malformed(format!(
                "the model provider sent an unreadable event: {error}"
            ))
        })?;
        if chunk.error.is_some() {
            return Err(Complaint::from_body(data)
                .unwrap_or_default()
                .into_stream_error());
        }
        if !self.started {
            self.started = true;
            chunks.push(Chunk::Started);
        }
        self.model = self
            .model
            .take()
            .or_else(|| chunk.model.map(|model| foreign_word(&model)));
        self.usage = chunk.usage.map(|usage| usage.usage()).or(self.usage);
        // We ask for one choice.
        if let Some(choice) = chunk.choices.and_then(|choices| choices.into_iter().next()) {
            self.choice(choice, chunks)?;
        }
        Ok(Progress::More)
    }

    fn end(&mut self, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let Some(reason) = self.stop.take() else {
            return Err(cut_short());
        };
        self.close_block(chunks);
        let calls = std::mem::take(&mut self.calls);
        let called = !calls.is_empty();
        let mut ids = HashSet::new();
        for mut call in calls {
            if call.id.is_empty() || ids.contains(&call.id) {
                call.id = format!("call_{}_{}", self.messages_before, call.index);
            }
            ids.insert(call.id.clone());
            chunks.push(Chunk::Block(call.finish()?));
        }
        chunks.push(Chunk::Finished(Finished {
            stop: self.stop_reason(&reason, called),
            usage: self.usage.unwrap_or_default(),
            model: self.model.take(),
            speed: None,
        }));
        Ok(())
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }
}

impl CompletionAnswer {
    pub(crate) fn new(messages_before: usize) -> Self {
        Self {
            messages_before,
            started: false,
            model: None,
            usage: None,
            stop: None,
            refusal: String::new(),
            next_index: 0,
            open: None,
            calls: Vec::new(),
            budget: ContentBudget::default(),
        }
    }

    fn choice(&mut self, choice: Choice, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        if let Some(delta) = choice.delta {
            self.delta(delta, chunks)?;
        }
        self.stop = choice.finish_reason.or(self.stop.take());
        Ok(())
    }

    fn delta(&mut self, delta: Delta, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        // A server that sends both names sends the same text twice.
        let reasoning = delta
            .reasoning_content
            .or(delta.reasoning)
            .unwrap_or_default();
        let content = delta.content.unwrap_or_default();
        let refusal = delta.refusal.unwrap_or_default();
        self.budget
            .take_bytes(reasoning.len() + content.len() + refusal.len())?;
        self.refusal.push_str(&refusal);
        if !reasoning.is_empty() {
            self.think(&reasoning, chunks)?;
        }
        if !content.is_empty() {
            self.say(&content, chunks)?;
        }
        for call in delta.tool_calls.unwrap_or_default() {
            self.close_block(chunks);
            self.call(call)?;
        }
        Ok(())
    }

    fn think(&mut self, piece: &str, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        if let Some(OpenBlock::Thinking { thinking, .. }) = &mut self.open {
            thinking.push_str(piece);
            return Ok(());
        }
        self.close_block(chunks);
        let index = self.new_index()?;
        chunks.push(Chunk::ThinkingStart { index });
        self.open = Some(OpenBlock::Thinking {
            index,
            thinking: piece.to_owned(),
        });
        Ok(())
    }

    fn say(&mut self, piece: &str, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        if let Some(OpenBlock::Text { index, text }) = &mut self.open {
            text.push(*index, piece, chunks);
            return Ok(());
        }
        self.close_block(chunks);
        let index = self.new_index()?;
        let mut text = GrowingText::default();
        text.push(index, piece, chunks);
        self.open = Some(OpenBlock::Text { index, text });
        Ok(())
    }

    /// Finds the call that a piece belongs to. Servers number calls, or name them by an id, or
    /// give the number 0 to all of them: a new id with a name is always a new call.
    fn call(&mut self, piece: ToolCallDelta) -> Result<(), ModelError> {
        let function = piece.function.unwrap_or_default();
        let id = piece.id.unwrap_or_default();
        let name = function.name.unwrap_or_default();
        let arguments = function.arguments.unwrap_or_default();
        self.budget
            .take_bytes(id.len() + name.len() + arguments.len())?;
        let place = match piece.index {
            Some(number) => self
                .calls
                .iter()
                .rposition(|call| call.wire_index == Some(number)),
            None if id.is_empty() && name.is_empty() => self.calls.len().checked_sub(1),
            None => self
                .calls
                .iter()
                .rposition(|call| !id.is_empty() && call.id == id),
        };
        let place = place.filter(|place| {
            let known = &self.calls[*place].id;
            id.is_empty() || name.is_empty() || known.is_empty() || *known == id
        });
        let Some(place) = place else {
            let index = self.new_index()?;
            self.calls.push(OpenCall {
                index,
                wire_index: piece.index,
                id,
                name,
                arguments,
            });
            return Ok(());
        };
        let call = &mut self.calls[place];
        if call.id.is_empty() {
            call.id = id;
        }
        // Some servers repeat the name with every piece, so it is never appended.
        if call.name.is_empty() {
            call.name = name;
        }
        call.arguments.push_str(&arguments);
        Ok(())
    }

    fn close_block(&mut self, chunks: &mut Vec<Chunk>) {
        let block = match self.open.take() {
            None => return,
            Some(OpenBlock::Thinking { index, thinking }) => {
                let json = object(&[
                    ("type", "thinking"),
                    ("thinking", &thinking),
                    ("signature", ""),
                ]);
                Block {
                    index,
                    kind: BlockKind::Thinking,
                    json: json.to_json(),
                }
            }
            Some(OpenBlock::Text { index, text }) => {
                let Some(text) = text.finish() else { return };
                let json = object(&[("type", "text"), ("text", &text)]).to_json();
                Block {
                    index,
                    kind: BlockKind::Text { text },
                    json,
                }
            }
        };
        chunks.push(Chunk::Block(block));
    }

    fn new_index(&mut self) -> Result<usize, ModelError> {
        self.budget.take_block()?;
        self.next_index += 1;
        Ok(self.next_index - 1)
    }

    fn stop_reason(&self, reason: &str, called: bool) -> StopReason {
        if !self.refusal.is_empty() {
            let explanation = Some(foreign_word(&self.refusal));
            return StopReason::Refusal {
                category: None,
                explanation,
            };
        }
        match reason {
            "length" => StopReason::MaxTokens,
            "content_filter" => StopReason::Refusal {
                category: None,
                explanation: None,
            },
            // Servers say "stop" after calls and "tool_calls" without any: the calls decide.
            "stop" | "tool_calls" | "function_call" if called => StopReason::ToolUse,
            "stop" | "tool_calls" | "function_call" => StopReason::EndTurn,
            other => StopReason::Other(foreign_word(other)),
        }
    }
}

impl OpenCall {
    fn finish(self) -> Result<Block, ModelError> {
        let index = self.index;
        let id = foreign_name(self.id, "an id")?;
        let call = tool_use(id, foreign_name(self.name, "a name")?, &self.arguments);
        let mut json = object(&[("type", "tool_use"), ("id", &call.id), ("name", &call.name)]);
        json.set("input", raw(&Arc::clone(&call.input)));
        Ok(Block {
            index,
            kind: BlockKind::ToolUse(call),
            json: json.to_json(),
        })
    }
}

fn object(fields: &[(&str, &str)]) -> RawObject {
    let mut object = RawObject::default();
    for (name, value) in fields {
        object.set_text(name, value);
    }
    object
}

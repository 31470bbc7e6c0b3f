//! From the events of a Messages stream to chunks. What a block starts with is kept field by
//! field, and deltas replace only the field that they are about, so blocks of unknown types
//! survive whole. Unknown events are skipped.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::answer::{Answer, ContentBudget, Progress, cut_short};
use crate::assembly::{GrowingText, foreign_name, foreign_word, tool_use};
use crate::chunk::{Block, BlockKind, Chunk, Finished, StopReason, Usage};
use crate::error::ModelError;
use crate::failure::Complaint;
use crate::raw_object::{RawObject, raw};

use super::wire::{Delta, Event, StopDetails, UsageCounts};

#[derive(Debug, Default)]
pub(crate) struct MessagesAnswer {
    started: bool,
    model: Option<String>,
    usage: UsageCounts,
    stop: Option<StopReason>,
    open: Vec<OpenBlock>,
    /// Of all blocks so far, also of finished ones.
    indexes: HashSet<usize>,
    call_ids: HashSet<String>,
    budget: ContentBudget,
}

#[derive(Debug)]
struct OpenBlock {
    index: usize,
    block_type: String,
    start: RawObject,
    text: GrowingText,
    thinking: String,
    signature: String,
    input_json: String,
    citations: Vec<Box<RawValue>>,
}

impl Answer for MessagesAnswer {
    fn event(&mut self, data: &[u8], chunks: &mut Vec<Chunk>) -> Result<Progress, ModelError> {
        let event: Event = serde_json::from_slice(data).map_err(|error| {
            ModelError::malformed(format!(
                "the model provider sent an unreadable event: {error}"
            ))
        })?;
        match event.r#type.as_str() {
            "message_start" => self.start_message(event, chunks),
            "content_block_start" => {
                self.budget.take_bytes(data.len())?;
                self.start_block(event, chunks)?;
            }
            "content_block_delta" => self.extend_block(event, chunks)?,
            "content_block_stop" => self.stop_block(event.index, chunks)?,
            "message_delta" => self.change_message(event),
            "message_stop" => {
                self.finish(chunks)?;
                return Ok(Progress::Complete);
            }
            "error" => {
                let complaint = event.error.and_then(|error| {
                    Complaint::from_body(format!("{{\"error\":{error}}}").as_bytes())
                });
                return Err(complaint.unwrap_or_default().into_stream_error());
            }
            _ => {}
        }
        Ok(Progress::More)
    }

    fn end(&mut self, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        // Some gateways leave the last event out; the stop reason says that nothing is missing.
        if self.stop.is_none() || !self.open.is_empty() {
            return Err(cut_short());
        }
        self.finish(chunks)
    }

    fn usage(&self) -> Option<Usage> {
        self.started.then(|| self.usage.usage())
    }
}

impl MessagesAnswer {
    fn start_message(&mut self, event: Event, chunks: &mut Vec<Chunk>) {
        if let Some(message) = event.message {
            self.model = message
                .model
                .map(|model| foreign_word(&model))
                .or(self.model.take());
            self.usage.update(message.usage.unwrap_or_default());
        }
        if !self.started {
            self.started = true;
            chunks.push(Chunk::Started);
        }
    }

    fn start_block(&mut self, event: Event, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let (Some(index), Some(start)) = (event.index, event.content_block) else {
            return Err(ModelError::malformed(
                "a content block starts without index or content",
            ));
        };
        self.budget.take_block()?;
        if !self.indexes.insert(index) {
            let message = format!("content block {index} starts twice");
            return Err(ModelError::malformed(message));
        }
        let block_type = start.text("type").unwrap_or_default();
        let mut text = GrowingText::default();
        match block_type.as_str() {
            "text" => text.push(index, &start.text("text").unwrap_or_default(), chunks),
            "thinking" => chunks.push(Chunk::ThinkingStart { index }),
            _ => {}
        }
        self.open.push(OpenBlock {
            index,
            block_type,
            text,
            thinking: start.text("thinking").unwrap_or_default(),
            signature: start.text("signature").unwrap_or_default(),
            start,
            input_json: String::new(),
            citations: Vec::new(),
        });
        Ok(())
    }

    fn extend_block(&mut self, event: Event, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        let Some(delta) = event.delta else {
            return Ok(());
        };
        let Some(block) = self
            .open
            .iter_mut()
            .find(|block| Some(block.index) == event.index)
        else {
            return Err(ModelError::malformed(
                "a delta belongs to no open content block",
            ));
        };
        self.budget.take_bytes(block.extend(delta, chunks))
    }

    fn stop_block(
        &mut self,
        index: Option<usize>,
        chunks: &mut Vec<Chunk>,
    ) -> Result<(), ModelError> {
        let Some(place) = self
            .open
            .iter()
            .position(|block| Some(block.index) == index)
        else {
            return Err(ModelError::malformed(
                "a content block stops that is not open",
            ));
        };
        if let Some(block) = self.open.remove(place).finish()? {
            if let BlockKind::ToolUse(call) = &block.kind
                && !self.call_ids.insert(call.id.clone())
            {
                return Err(ModelError::malformed(
                    "two tool calls of one answer share an id",
                ));
            }
            chunks.push(Chunk::Block(block));
        }
        Ok(())
    }

    fn change_message(&mut self, event: Event) {
        if let Some(Delta {
            stop_reason: Some(reason),
            stop_details,
            ..
        }) = event.delta
        {
            self.stop = Some(stop_reason(&reason, stop_details));
        }
        self.usage.update(event.usage.unwrap_or_default());
    }

    fn finish(&mut self, chunks: &mut Vec<Chunk>) -> Result<(), ModelError> {
        if !self.open.is_empty() {
            return Err(ModelError::malformed(
                "the answer ended inside a content block",
            ));
        }
        let Some(stop) = self.stop.take() else {
            return Err(ModelError::malformed(
                "the answer ended without a stop reason",
            ));
        };
        chunks.push(Chunk::Finished(Finished {
            stop,
            usage: self.usage.usage(),
            model: self.model.take(),
            speed: self.usage.speed(),
        }));
        Ok(())
    }
}

impl OpenBlock {
    /// Adds one delta and says how many bytes it had.
    fn extend(&mut self, delta: Delta, chunks: &mut Vec<Chunk>) -> usize {
        let mut bytes = 0;
        if let Some(text) = delta.text {
            bytes += text.len();
            self.text.push(self.index, &text, chunks);
        }
        for (piece, whole) in [
            (delta.thinking, &mut self.thinking),
            (delta.signature, &mut self.signature),
            (delta.partial_json, &mut self.input_json),
        ] {
            let piece = piece.unwrap_or_default();
            bytes += piece.len();
            whole.push_str(&piece);
        }
        if let Some(citation) = delta.citation {
            bytes += citation.get().len();
            self.citations.push(citation.to_owned());
        }
        bytes
    }

    /// The finished block; nothing where it is a text without a visible character.
    fn finish(mut self) -> Result<Option<Block>, ModelError> {
        let kind = match self.block_type.as_str() {
            "text" => {
                let Some(text) = self.text.finish() else {
                    return Ok(None);
                };
                self.start.set_text("text", &text);
                BlockKind::Text { text }
            }
            "thinking" => {
                self.start.set_text("thinking", &self.thinking);
                self.start.set_text("signature", &self.signature);
                BlockKind::Thinking
            }
            "redacted_thinking" => BlockKind::RedactedThinking,
            "tool_use" => {
                let text = |name: &str| self.start.text(name).unwrap_or_default();
                let id = foreign_name(text("id"), "an id")?;
                let name = foreign_name(text("name"), "a name")?;
                let call = tool_use(id, name, &self.arguments());
                self.start.set("input", call.input.as_ref().to_owned());
                BlockKind::ToolUse(call)
            }
            _ => {
                self.keep_unknown();
                BlockKind::Other {
                    block_type: foreign_word(&self.block_type),
                }
            }
        };
        if !self.citations.is_empty() {
            self.start.set("citations", raw(&self.citations));
        }
        let json: Arc<RawValue> = self.start.to_json();
        Ok(Some(Block {
            index: self.index,
            kind,
            json,
        }))
    }

    /// The pieces, or what the block started with when there were none.
    fn arguments(&self) -> String {
        if !self.input_json.is_empty() {
            return self.input_json.clone();
        }
        self.start
            .get("input")
            .map(|input| input.get().to_owned())
            .unwrap_or_default()
    }

    /// Server tools stream their input as our own tools do.
    fn keep_unknown(&mut self) {
        if !self.input_json.is_empty() {
            let call = tool_use(String::new(), String::new(), &self.input_json);
            self.start.set("input", call.input.as_ref().to_owned());
        }
    }
}

fn stop_reason(reason: &str, details: Option<StopDetails>) -> StopReason {
    match reason {
        "end_turn" => StopReason::EndTurn,
        "tool_use" => StopReason::ToolUse,
        "max_tokens" => StopReason::MaxTokens,
        "stop_sequence" => StopReason::StopSequence,
        "pause_turn" => StopReason::PauseTurn,
        "model_context_window_exceeded" => StopReason::ContextWindowExceeded,
        "refusal" => {
            let word = |text: Option<String>| text.map(|text| foreign_word(&text));
            let (category, explanation) = details.map_or((None, None), |details| {
                (details.category, details.explanation)
            });
            StopReason::Refusal {
                category: word(category),
                explanation: word(explanation),
            }
        }
        other => StopReason::Other(foreign_word(other)),
    }
}

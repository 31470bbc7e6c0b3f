//! Replies as frames of the wire, in both dialects.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::Dialect;
use super::reply::{Gate, Reply, Step};

pub(super) enum Frame {
    Bytes(Bytes),
    Wait(Gate),
    Disconnect,
}

/// `tool_calls` counts the calls of this server, for ids that never repeat.
pub(super) fn frames(reply: &Reply, dialect: Dialect, tool_calls: &mut usize) -> Vec<Frame> {
    let mut wire = Wire {
        reply,
        tool_calls,
        frames: Vec::new(),
        index: 0,
        called: false,
        ended: false,
    };
    match dialect {
        Dialect::Anthropic => wire.anthropic(),
        Dialect::OpenAi => wire.openai(),
    }
    wire.frames
}

struct Wire<'a> {
    reply: &'a Reply,
    tool_calls: &'a mut usize,
    frames: Vec<Frame>,
    /// Of the next block, or of the next call in the OpenAI dialect.
    index: usize,
    called: bool,
    /// An error or a broken connection came: nothing follows.
    ended: bool,
}

impl Wire<'_> {
    fn anthropic(&mut self) {
        let mut usage = self.reply.usage.clone();
        usage["output_tokens"] = json!(1);
        self.named(&json!({ "type": "message_start", "message": {
            "id": "msg_script", "type": "message", "role": "assistant", "content": [],
            "model": self.reply.model, "stop_reason": null, "stop_sequence": null, "usage": usage,
        }}));
        self.named(&json!({ "type": "ping" }));
        for step in self.reply.steps.clone() {
            self.anthropic_step(step);
            if self.ended {
                return;
            }
        }
        let mut delta = json!({ "stop_reason": self.stop(), "stop_sequence": null });
        if let Some(details) = &self.reply.stop_details {
            delta["stop_details"] = details.clone();
        }
        let usage = &self.reply.usage;
        self.named(&json!({ "type": "message_delta", "delta": delta, "usage": usage }));
        self.named(&json!({ "type": "message_stop" }));
    }

    fn anthropic_step(&mut self, step: Step) {
        match step {
            Step::Text(text) => {
                let start = json!({ "type": "text", "text": "" });
                self.block(start, "text_delta", "text", &text, None);
            }
            Step::Thinking {
                thinking,
                signature,
            } => {
                let start = json!({ "type": "thinking", "thinking": "", "signature": "" });
                self.block(
                    start,
                    "thinking_delta",
                    "thinking",
                    &thinking,
                    Some(&signature),
                );
            }
            Step::ToolUse {
                id,
                name,
                input_json,
            } => {
                let id = self.call_id(id);
                let start = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
                self.block(start, "input_json_delta", "partial_json", &input_json, None);
            }
            Step::Block(block) => self.block(block, "", "", "", None),
            Step::Error {
                error_type,
                message,
            } => {
                let error = json!({ "type": error_type, "message": message });
                self.named(&json!({ "type": "error", "error": error }));
                self.ended = true;
            }
            Step::Event(_) | Step::Wait(_) | Step::Disconnect => self.plain_step(step),
        }
    }

    /// A block with one kind of deltas, and perhaps a signature at its end.
    fn block(
        &mut self,
        start: Value,
        delta: &str,
        field: &str,
        text: &str,
        signature: Option<&str>,
    ) {
        let index = self.index;
        self.index += 1;
        self.named(
            &json!({ "type": "content_block_start", "index": index, "content_block": start }),
        );
        for piece in self.pieces(text) {
            let delta = json!({ "type": delta, field: piece });
            self.named(&json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        }
        if let Some(signature) = signature {
            let delta = json!({ "type": "signature_delta", "signature": signature });
            self.named(&json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        }
        self.named(&json!({ "type": "content_block_stop", "index": index }));
    }

    fn openai(&mut self) {
        self.choice(json!({ "role": "assistant", "content": "" }), None);
        for step in self.reply.steps.clone() {
            self.openai_step(step);
            if self.ended {
                return;
            }
        }
        let reason = match self.stop().as_str() {
            "tool_use" => "tool_calls",
            "max_tokens" => "length",
            "refusal" => "content_filter",
            "end_turn" | "stop_sequence" => "stop",
            other => other,
        }
        .to_owned();
        self.choice(json!({}), Some(&reason));
        let usage = openai_usage(&self.reply.usage);
        self.data(&json!({ "model": self.reply.model, "choices": [], "usage": usage }).to_string());
        self.data("[DONE]");
    }

    fn openai_step(&mut self, step: Step) {
        match step {
            Step::Text(text) => {
                for piece in self.pieces(&text) {
                    self.choice(json!({ "content": piece }), None);
                }
            }
            Step::Thinking { thinking, .. } => {
                for piece in self.pieces(&thinking) {
                    self.choice(json!({ "reasoning_content": piece }), None);
                }
            }
            Step::ToolUse {
                id,
                name,
                input_json,
            } => {
                let id = self.call_id(id);
                let index = self.index;
                self.index += 1;
                let function = json!({ "name": name, "arguments": "" });
                let call =
                    json!({ "index": index, "id": id, "type": "function", "function": function });
                self.choice(json!({ "tool_calls": [call] }), None);
                for piece in self.pieces(&input_json) {
                    let call = json!({ "index": index, "function": { "arguments": piece } });
                    self.choice(json!({ "tool_calls": [call] }), None);
                }
            }
            Step::Error {
                error_type,
                message,
            } => {
                let error = json!({ "type": error_type, "message": message });
                self.data(&json!({ "error": error }).to_string());
                self.ended = true;
            }
            Step::Block(block) => panic!("the OpenAI dialect has no blocks such as {block}"),
            Step::Event(_) | Step::Wait(_) | Step::Disconnect => self.plain_step(step),
        }
    }

    /// The steps that are the same in both dialects.
    fn plain_step(&mut self, step: Step) {
        match step {
            Step::Event(data) => self.data(&data),
            Step::Wait(gate) => self.frames.push(Frame::Wait(gate)),
            Step::Disconnect => {
                self.frames.push(Frame::Disconnect);
                self.ended = true;
            }
            Step::Text(_)
            | Step::Thinking { .. }
            | Step::ToolUse { .. }
            | Step::Block(_)
            | Step::Error { .. } => unreachable!("each dialect writes these itself"),
        }
    }

    fn choice(&mut self, delta: Value, finish_reason: Option<&str>) {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish_reason });
        self.data(&json!({ "model": self.reply.model, "choices": [choice] }).to_string());
    }

    fn call_id(&mut self, id: Option<String>) -> String {
        self.called = true;
        id.unwrap_or_else(|| {
            *self.tool_calls += 1;
            format!("toolu_script_{}", self.tool_calls)
        })
    }

    fn stop(&self) -> String {
        let usual = if self.called { "tool_use" } else { "end_turn" };
        self.reply.stop.clone().unwrap_or_else(|| usual.to_owned())
    }

    fn pieces(&self, text: &str) -> Vec<String> {
        let characters: Vec<char> = text.chars().collect();
        characters
            .chunks(self.reply.chunk_size)
            .map(|piece| piece.iter().collect())
            .collect()
    }

    /// An event with a name, as the Messages API sends it.
    fn named(&mut self, data: &Value) {
        let name = data["type"].as_str().unwrap_or_default();
        self.frame(format!("event: {name}\ndata: {data}\n\n"));
    }

    fn data(&mut self, data: &str) {
        self.frame(format!("data: {data}\n\n"));
    }

    fn frame(&mut self, text: String) {
        if let Some(gate) = &self.reply.before_each_event {
            self.frames.push(Frame::Wait(gate.clone()));
        }
        self.frames.push(Frame::Bytes(Bytes::from(text)));
    }
}

fn openai_usage(usage: &Value) -> Value {
    let count = |name: &str| usage[name].as_u64().unwrap_or_default();
    let cached = count("cache_read_input_tokens");
    json!({
        "prompt_tokens": count("input_tokens") + cached,
        "completion_tokens": count("output_tokens"),
        "prompt_tokens_details": { "cached_tokens": cached },
    })
}

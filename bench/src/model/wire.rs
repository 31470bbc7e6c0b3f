//! The answers of the instant model as Anthropic's event stream: a call of `bash`, or two words.

use bytes::Bytes;
use serde_json::{Value, json};

use super::tasks::Call;

/// An answer in two pieces: the second begins behind the first sign of what the model says.
pub(super) type Pieces = [Bytes; 2];

/// A call of `bash`.
pub(super) fn bash(call: &Call) -> Pieces {
    let mut frames = begin();
    add_bash(&mut frames, 0, call);
    end(frames, 0, "tool_use")
}

/// The same behind a word to the user.
pub(super) fn text_and_bash(call: &Call) -> Pieces {
    let mut frames = begin();
    add_text(&mut frames, &["I'll ", "see."]);
    frames.push(json!({ "type": "content_block_stop", "index": 0 }));
    add_bash(&mut frames, 1, call);
    end(frames, 1, "tool_use")
}

pub(super) fn text() -> Pieces {
    let mut frames = begin();
    add_text(&mut frames, &["Well ", "done."]);
    end(frames, 0, "end_turn")
}

fn add_bash(frames: &mut Vec<Value>, index: usize, call: &Call) {
    let block = json!({ "type": "tool_use", "id": call.id, "name": "bash", "input": {} });
    frames.push(json!({ "type": "content_block_start", "index": index, "content_block": block }));
    let mut input = json!({ "command": call.command });
    if let Some(description) = call.description {
        input["description"] = description.into();
    }
    let input = input.to_string();
    let delta = json!({ "type": "input_json_delta", "partial_json": input });
    frames.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
}

fn add_text(frames: &mut Vec<Value>, pieces: &[&str]) {
    let block = json!({ "type": "text", "text": "" });
    frames.push(json!({ "type": "content_block_start", "index": 0, "content_block": block }));
    for piece in pieces {
        let delta = json!({ "type": "text_delta", "text": piece });
        frames.push(json!({ "type": "content_block_delta", "index": 0, "delta": delta }));
    }
}

fn begin() -> Vec<Value> {
    let usage = json!({ "input_tokens": 10, "output_tokens": 1,
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0 });
    let message = json!({ "id": "msg_bench", "type": "message", "role": "assistant", "content": [],
        "model": "claude-opus-4-8", "stop_reason": null, "stop_sequence": null, "usage": usage });
    vec![json!({ "type": "message_start", "message": message })]
}

fn end(mut frames: Vec<Value>, last_index: usize, stop_reason: &str) -> Pieces {
    frames.push(json!({ "type": "content_block_stop", "index": last_index }));
    let delta = json!({ "stop_reason": stop_reason, "stop_sequence": null });
    let usage = json!({ "output_tokens": 5 });
    frames.push(json!({ "type": "message_delta", "delta": delta, "usage": usage }));
    frames.push(json!({ "type": "message_stop" }));
    let first_delta = frames
        .iter()
        .position(|frame| frame["type"] == "content_block_delta");
    let (head, tail) = frames.split_at(first_delta.map_or(0, |position| position + 1));
    [written(head), written(tail)]
}

fn written(frames: &[Value]) -> Bytes {
    let text: String = frames
        .iter()
        .map(|frame| {
            let name = frame["type"].as_str().unwrap_or_default();
            format!("event: {name}\ndata: {frame}\n\n")
        })
        .collect();
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse::Frames;

    #[test]
    fn an_answer_is_a_stream_that_begins_and_ends_as_the_protocol_says() {
        let call = Call {
            id: "toolu_1".to_owned(),
            command: "true".to_owned(),
            description: None,
        };
        for (answer, stop) in [
            (bash(&call), "tool_use"),
            (text_and_bash(&call), "tool_use"),
            (text(), "end_turn"),
        ] {
            let mut frames = Frames::default();
            frames.push(&answer.concat()).unwrap();
            let all: Vec<Value> = std::iter::from_fn(|| frames.next())
                .map(|frame| serde_json::from_str(&frame.data).unwrap())
                .collect();
            assert_eq!(all.first().unwrap()["type"], "message_start");
            assert_eq!(all[all.len() - 2]["delta"]["stop_reason"], stop);
            assert_eq!(all.last().unwrap()["type"], "message_stop");
        }
    }
}

//! What the server was asked.
#![expect(
    clippy::expect_used,
    reason = "a test harness fails its test by panicking"
)]

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::Value;

use super::Dialect;

#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// Its place in the order of arrival, from 0.
    pub number: usize,
    pub dialect: Dialect,
    pub headers: HeaderMap,
    /// The bytes as they came.
    pub body: Bytes,
}

/// How the answer to a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Open,
    Answered,
    Abandoned,
}

impl RecordedRequest {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a request is UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a request is JSON")
    }

    /// A header, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The messages of the conversation, without prompt-cache marks.
    pub fn messages(&self) -> Vec<Value> {
        let mut body = self.json();
        let messages = body["messages"]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default();
        messages.into_iter().map(without_cache_marks).collect()
    }

    /// The content of the result of a tool call in this request, as it was sent.
    pub fn tool_result(&self, tool_use_id: &str) -> Option<Value> {
        self.messages().iter().rev().find_map(|message| {
            if message["tool_call_id"] == tool_use_id {
                return Some(message["content"].clone());
            }
            let blocks = message["content"].as_array()?;
            let block = blocks
                .iter()
                .find(|block| block["tool_use_id"] == tool_use_id)?;
            Some(block["content"].clone())
        })
    }
}

fn without_cache_marks(mut message: Value) -> Value {
    for block in message["content"].as_array_mut().into_iter().flatten() {
        if let Some(block) = block.as_object_mut() {
            block.shift_remove("cache_control");
        }
    }
    message
}

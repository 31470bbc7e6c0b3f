//! What the server answers. A reply is a list of steps, written in the order in which they happen:
//! `Reply::new().and_thinking("hm", "sig").and_text("hi").and_tool_use("bash", json!({}))`.
#![expect(
    clippy::expect_used,
    reason = "a test harness fails its test by panicking"
)]

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// One answer of the model.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) steps: Vec<Step>,
    /// `None`: `tool_use` where a tool is called, otherwise `end_turn`.
    pub(super) stop: Option<String>,
    pub(super) stop_details: Option<Value>,
    pub(super) usage: Value,
    pub(super) model: String,
    /// Characters in one delta.
    pub(super) chunk_size: usize,
    pub(super) before_each_event: Option<Gate>,
    pub(super) failure: Option<Failure>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Text(String),
    Thinking {
        thinking: String,
        signature: String,
    },
    ToolUse {
        id: Option<String>,
        name: String,
        input_json: String,
    },
    /// A block of any type, sent whole. Only the Anthropic dialect has such.
    Block(Value),
    /// The data of one event, sent as it is.
    Event(String),
    Error {
        error_type: String,
        message: String,
    },
    Wait(Gate),
    Disconnect,
}

#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// A closed door that the test opens, once for each `open`.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    #[expect(
        clippy::new_without_default,
        reason = "a gate is made to be shared, by name"
    )]
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets one step pass.
    pub fn open(&self) {
        self.0.add_permits(1);
    }

    /// Lets everything pass from now on.
    pub fn open_for_good(&self) {
        self.0.close();
    }

    pub(crate) async fn pass(&self) {
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}

impl Reply {
    /// An answer that says nothing yet.
    #[expect(clippy::new_without_default, reason = "steps are added to it by name")]
    pub fn new() -> Self {
        Self {
            steps: Vec::new(),
            stop: None,
            stop_details: None,
            usage: json!({ "input_tokens": 10, "output_tokens": 5 }),
            model: "scripted-model".to_owned(),
            chunk_size: 8,
            before_each_event: None,
            failure: None,
        }
    }

    pub fn text(text: &str) -> Self {
        Self::new().and_text(text)
    }

    pub fn tool_use(name: &str, input: Value) -> Self {
        Self::new().and_tool_use(name, input)
    }

    /// An HTTP error with a body that both dialects read.
    pub fn error(status: u16, error_type: &str, message: &str) -> Self {
        let error = json!({ "type": error_type, "message": message });
        Self::raw_error(
            status,
            &json!({ "type": "error", "error": error }).to_string(),
        )
    }

    /// An HTTP answer that is no stream, with any status and body.
    pub fn raw_error(status: u16, body: &str) -> Self {
        let failure = Failure {
            status,
            headers: HeaderMap::new(),
            body: body.to_owned(),
        };
        Self {
            failure: Some(failure),
            ..Self::new()
        }
    }

    /// Adds a header to an HTTP error.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let failure = self.failure.as_mut().expect("only an error takes headers");
        let name: HeaderName = name.parse().expect("is a header name");
        let value: HeaderValue = value.parse().expect("is a header value");
        failure.headers.insert(name, value);
        self
    }

    pub fn and_text(self, text: &str) -> Self {
        self.and(Step::Text(text.to_owned()))
    }

    pub fn and_thinking(self, thinking: &str, signature: &str) -> Self {
        self.and(Step::Thinking {
            thinking: thinking.to_owned(),
            signature: signature.to_owned(),
        })
    }

    /// A call with an id of the server's choice: `toolu_script_1`, `toolu_script_2`, …
    pub fn and_tool_use(self, name: &str, input: Value) -> Self {
        let input_json = input.to_string();
        self.and(Step::ToolUse {
            id: None,
            name: name.to_owned(),
            input_json,
        })
    }

    /// A call whose id and whose arguments, valid or not, the test chooses.
    pub fn and_tool_use_as(self, id: &str, name: &str, input_json: &str) -> Self {
        self.and(Step::ToolUse {
            id: Some(id.to_owned()),
            name: name.to_owned(),
            input_json: input_json.to_owned(),
        })
    }

    pub fn and_block(self, block: Value) -> Self {
        self.and(Step::Block(block))
    }

    pub fn and_event(self, data: &str) -> Self {
        self.and(Step::Event(data.to_owned()))
    }

    /// An error in the middle of the stream. Nothing follows it.
    pub fn and_error(self, error_type: &str, message: &str) -> Self {
        let (error_type, message) = (error_type.to_owned(), message.to_owned());
        self.and(Step::Error {
            error_type,
            message,
        })
    }

    /// The answer goes on when the gate lets it.
    pub fn and_wait(self, gate: &Gate) -> Self {
        self.and(Step::Wait(gate.clone()))
    }

    /// The connection breaks here.
    pub fn and_disconnect(self) -> Self {
        self.and(Step::Disconnect)
    }

    /// Each event waits at the gate.
    pub fn each_event_after(self, gate: &Gate) -> Self {
        Self {
            before_each_event: Some(gate.clone()),
            ..self
        }
    }

    pub fn stop_reason(self, stop: &str) -> Self {
        Self {
            stop: Some(stop.to_owned()),
            ..self
        }
    }

    pub fn stop_details(self, details: Value) -> Self {
        Self {
            stop_details: Some(details),
            ..self
        }
    }

    /// In the words of the Messages API, for both dialects.
    pub fn usage(self, usage: Value) -> Self {
        Self { usage, ..self }
    }

    pub fn model(self, model: &str) -> Self {
        Self {
            model: model.to_owned(),
            ..self
        }
    }

    /// Characters in one delta.
    pub fn chunk_size(self, chunk_size: usize) -> Self {
        Self { chunk_size, ..self }
    }

    fn and(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

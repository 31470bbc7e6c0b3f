//! The model: late, talkative, now and then out of order, and always with a number of tokens of its own
//! for each answer, by which the judge knows it again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use hostler_provider::{
    Block, BlockKind, Chunk, ChunkStream, Fake, Finished, ModelError, ModelErrorKind, Provider,
    Speed, StopReason, ToolUse, Usage,
};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::sleep;

use super::random::Random;

/// Of all servers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Model(Arc<Mutex<Speaker>>);

struct Speaker {
    random: Random,
    faults: u64,
    /// Output tokens of each answer that was given, whole or not.
    given: BTreeSet<u64>,
    calls: u64,
}

type Piece = (Duration, Result<Chunk, ModelError>);

impl Model {
    pub(super) fn new(random: Random, faults: u64) -> Self {
        Self(Arc::new(Mutex::new(Speaker {
            random,
            faults,
            given: BTreeSet::new(),
            calls: 0,
        })))
    }

    pub(super) fn provider(&self) -> Provider {
        let speaker = Arc::clone(&self.0);
        Provider::Fake(Fake::new(move |_| speak(speaker.lock().unwrap().answer())))
    }

    pub(super) fn given(&self) -> BTreeSet<u64> {
        self.0.lock().unwrap().given.clone()
    }

    pub(super) fn heal(&self) {
        self.0.lock().unwrap().faults = 0;
    }
}

fn speak(pieces: Vec<Piece>) -> ChunkStream {
    let pieces = futures::stream::iter(pieces);
    let late = pieces.then(|(pause, piece)| async move {
        sleep(pause).await;
        piece
    });
    late.boxed()
}

impl Speaker {
    fn answer(&mut self) -> Vec<Piece> {
        let usage = Usage {
            input_tokens: self.random.between(10, 9_000),
            output_tokens: self.given.len() as u64 + 1,
            ..Usage::default()
        };
        self.given.insert(usage.output_tokens);
        let first = self.random.millis(5, 900);
        let mut pieces = vec![(first, Ok(Chunk::Started))];
        if self.random.in_thousand(self.faults) {
            self.fail(usage, &mut pieces);
            return pieces;
        }
        self.text(0, &mut pieces);
        let calls = match self.random.below(5) {
            0 | 1 => 0,
            calls => self.random.between(1, calls),
        };
        for index in 0..usize::try_from(calls).unwrap() {
            let call = self.call(index + 1);
            pieces.push((self.random.millis(0, 40), Ok(Chunk::Block(call))));
        }
        let stop = match calls {
            0 => StopReason::EndTurn,
            _ => StopReason::ToolUse,
        };
        pieces.push((Duration::ZERO, Ok(finished(stop, usage))));
        pieces
    }

    fn fail(&mut self, usage: Usage, pieces: &mut Vec<Piece>) {
        let error = |kind, usage| ModelError {
            usage,
            ..ModelError::new(kind, "the model is out of order")
        };
        let failure = match self.random.below(8) {
            0 => ModelError {
                retry_after: Some(self.random.millis(0, 3_000)),
                ..error(ModelErrorKind::RateLimited, None)
            },
            1 => error(ModelErrorKind::Overloaded, None),
            2 => error(ModelErrorKind::InvalidRequest, None),
            3 => error(ModelErrorKind::ContextTooLong, Some(usage)),
            4 => {
                // A piece of text, and then silence until the provider's own limit.
                self.text(0, pieces);
                let silence = self.random.millis(5_000, 30_000);
                let stalled = error(ModelErrorKind::Stalled, Some(usage));
                pieces.push((silence, Err(stalled)));
                return;
            }
            5 => {
                self.text(0, pieces);
                error(ModelErrorKind::Connection, Some(usage))
            }
            6 => {
                // It breaks off without an end.
                self.text(0, pieces);
                return;
            }
            _ => {
                let refusal = StopReason::Refusal {
                    category: None,
                    explanation: None,
                };
                let call = self.call(1);
                pieces.push((Duration::ZERO, Ok(Chunk::Block(call))));
                pieces.push((Duration::ZERO, Ok(finished(refusal, usage))));
                return;
            }
        };
        pieces.push((self.random.millis(0, 100), Err(failure)));
    }

    fn text(&mut self, index: usize, pieces: &mut Vec<Piece>) {
        let text = format!("text {}", self.given.len());
        pieces.push((Duration::ZERO, Ok(Chunk::TextStart { index })));
        let delta = Chunk::TextDelta {
            index,
            text: text.clone(),
        };
        pieces.push((self.random.millis(0, 60), Ok(delta)));
        let json = raw(&json!({"type": "text", "text": text}));
        let block = Block {
            index,
            kind: BlockKind::Text { text },
            json,
        };
        pieces.push((self.random.millis(0, 60), Ok(Chunk::Block(block))));
    }

    fn call(&mut self, index: usize) -> Block {
        self.calls += 1;
        let id = format!("toolu_{}", self.calls);
        let input = match self.random.below(12) {
            0 => json!({"command": "hang", "timeout_ms": self.random.between(2_000, 15_000)}),
            1 => json!({"command": format!("take {} and fail", self.random.between(1, 900))}),
            2 => json!({"command": "no such thing"}),
            _ => json!({"command": format!("take {}", self.random.between(1, 2_500))}),
        };
        let name = match self.random.below(25) {
            0 => "no_such_tool",
            _ => "bash",
        };
        let json = raw(&json!({"type": "tool_use", "id": id, "name": name, "input": input}));
        let call = ToolUse {
            id,
            name: name.to_owned(),
            input: raw(&input),
            invalid_input: None,
        };
        Block {
            index,
            kind: BlockKind::ToolUse(call),
            json,
        }
    }
}

fn finished(stop: StopReason, usage: Usage) -> Chunk {
    Chunk::Finished(Finished {
        stop,
        usage,
        model: None,
        speed: Some(Speed::Standard),
    })
}

fn raw(value: &serde_json::Value) -> Arc<RawValue> {
    Arc::from(to_raw_value(value).unwrap())
}

//! From the bytes of an event stream to chunks: the part that all HTTP adapters share.

use std::sync::Arc;

use async_stream::try_stream;
use futures::StreamExt;
use reqwest::Url;
use reqwest::header::HeaderMap;

use crate::ChunkStream;
use crate::api_key::ApiKey;
use crate::chunk::{Chunk, Usage};
use crate::client::HttpClient;
use crate::error::{ModelError, ModelErrorKind};
use crate::limits;
use crate::sse::SseParser;

/// A request that is ready to be sent.
pub(crate) struct Call {
    pub(crate) client: HttpClient,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) secrets: Arc<[ApiKey]>,
}

/// What one dialect makes of the events of one answer.
pub(crate) trait Answer: Send + 'static {
    /// Reads the data of one event.
    fn event(&mut self, data: &[u8], chunks: &mut Vec<Chunk>) -> Result<Progress, ModelError>;

    /// The provider ended the stream. It fails where the answer is not complete.
    fn end(&mut self, chunks: &mut Vec<Chunk>) -> Result<(), ModelError>;

    /// What was counted so far.
    fn usage(&self) -> Option<Usage>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    More,
    /// `Finished` was given; the rest of the stream is of no interest.
    Complete,
}

/// Sends the call when it is polled first, and streams its answer.
pub(crate) fn stream(call: Call, mut answer: impl Answer) -> ChunkStream {
    let secrets = call.secrets;
    let chunks = try_stream! {
        let mut bytes = call.client.post(call.url, call.headers, call.body).await?;
        let mut parser = SseParser::new();
        let mut events = Vec::new();
        let mut chunks = Vec::new();
        let mut progress = Progress::More;
        while progress == Progress::More {
            let piece = bytes.next().await.map_err(|error| counted(error, &answer))?;
            let outcome = match &piece {
                Some(piece) => parser.feed(piece, &mut events),
                None => Ok(()),
            };
            for event in events.drain(..) {
                if progress == Progress::More && !event.is_empty() {
                    let outcome = answer.event(&event, &mut chunks);
                    for chunk in chunks.drain(..) {
                        yield chunk;
                    }
                    progress = outcome.map_err(|error| counted(error, &answer))?;
                }
            }
            outcome.map_err(|error| counted(error, &answer))?;
            if piece.is_none() && progress == Progress::More {
                let outcome = answer.end(&mut chunks);
                for chunk in chunks.drain(..) {
                    yield chunk;
                }
                outcome.map_err(|error| counted(error, &answer))?;
                progress = Progress::Complete;
            }
        }
    };
    let chunks = chunks.map(move |chunk: Result<Chunk, ModelError>| {
        chunk.map_err(|error| error.redacted(&secrets))
    });
    chunks.boxed()
}

pub(crate) fn failed(error: ModelError) -> ChunkStream {
    futures::stream::iter([Err(error)]).boxed()
}

fn counted(error: ModelError, answer: &impl Answer) -> ModelError {
    ModelError {
        usage: answer.usage(),
        ..error
    }
}

pub(crate) fn cut_short() -> ModelError {
    let message = "the model provider ended its answer before it was complete";
    ModelError::new(ModelErrorKind::Connection, message)
}

/// Bounds the content of one answer.
#[derive(Debug, Default)]
pub(crate) struct ContentBudget {
    bytes: usize,
    blocks: usize,
}

impl ContentBudget {
    pub(crate) fn take_bytes(&mut self, bytes: usize) -> Result<(), ModelError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > limits::ANSWER_BYTES_MAX {
            let limit = limits::ANSWER_BYTES_MAX;
            return Err(ModelError::malformed(format!(
                "the answer is longer than {limit} bytes"
            )));
        }
        Ok(())
    }

    pub(crate) fn take_block(&mut self) -> Result<(), ModelError> {
        self.blocks += 1;
        if self.blocks > limits::ANSWER_BLOCKS_MAX {
            let limit = limits::ANSWER_BLOCKS_MAX;
            return Err(ModelError::malformed(format!(
                "the answer has more than {limit} blocks"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::anthropic::MessagesAnswer;
    use crate::openai::CompletionAnswer;

    /// Plays events until the answer ends, and checks what every answer promises.
    fn play(mut answer: impl Answer, events: &[String]) -> Result<(), TestCaseError> {
        let mut chunks = Vec::new();
        let mut outcome = Ok(Progress::More);
        for event in events {
            outcome = answer.event(event.as_bytes(), &mut chunks);
            if !matches!(outcome, Ok(Progress::More)) {
                break;
            }
        }
        if matches!(outcome, Ok(Progress::More)) {
            outcome = answer.end(&mut chunks).map(|()| Progress::Complete);
        }
        let ends: Vec<usize> = (0..chunks.len())
            .filter(|place| matches!(chunks[*place], Chunk::Finished(_)))
            .collect();
        let expected = match outcome {
            Ok(_) => vec![chunks.len() - 1],
            Err(_) => Vec::new(),
        };
        prop_assert_eq!(ends, expected);
        let mut indexes = HashSet::new();
        for chunk in &chunks {
            if let Chunk::Block(block) = chunk {
                prop_assert!(
                    indexes.insert(block.index),
                    "block {} comes twice",
                    block.index
                );
                let object: Result<serde_json::Map<_, serde_json::Value>, _> =
                    serde_json::from_str(block.json.get());
                prop_assert!(object.is_ok(), "{}", block.json);
            }
        }
        Ok(())
    }

    fn messages_event() -> impl Strategy<Value = String> {
        let event = prop::sample::select(vec![
            r#"{"type":"message_start","message":{"usage":{"input_tokens":18446744073709551615}}}"#,
            r#"{"type":"content_block_start","index":@,"content_block":{"type":"text","text":"a"}}"#,
            r#"{"type":"content_block_start","index":@,"content_block":{"type":"thinking"}}"#,
            r#"{"type":"content_block_start","index":@,"content_block":{"type":"tool_use","id":"@","name":"n","input":7}}"#,
            r#"{"type":"content_block_start","index":@,"content_block":{"odd":[1]}}"#,
            r#"{"type":"content_block_delta","index":@,"delta":{"type":"text_delta","text":" b"}}"#,
            r#"{"type":"content_block_delta","index":@,"delta":{"type":"input_json_delta","partial_json":"{\"a\":@}"}}"#,
            r#"{"type":"content_block_delta","index":@,"delta":{"type":"signature_delta","signature":"s"}}"#,
            r#"{"type":"content_block_stop","index":@}"#,
            r#"{"type":"content_block_stop","index":@}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":1}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
            r#"{"type":"message_stop"}"#,
            r#"{"type":"odd"}"#,
            r#"{"delta":null}"#,
        ]);
        (event, 0..3_u8).prop_map(|(event, index)| event.replace('@', &index.to_string()))
    }

    fn completion_event() -> impl Strategy<Value = String> {
        let event = prop::sample::select(vec![
            r#"{"choices":[{"delta":{"content":"a "}}]}"#,
            r#"{"choices":[{"delta":{"content":" "}}]}"#,
            r#"{"choices":[{"delta":{"reasoning":"r"}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":@,"id":"@","function":{"name":"n","arguments":"{"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":@,"function":{"arguments":"}"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"m"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"}"}}]}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":@,"prompt_tokens_details":{"cached_tokens":9}}}"#,
            r#"{"choices":null}"#,
            "[DONE]",
        ]);
        (event, 0..3_u8).prop_map(|(event, index)| event.replace('@', &index.to_string()))
    }

    proptest! {
        #[test]
        fn no_order_of_messages_events_breaks_the_promises(
            events in prop::collection::vec(messages_event(), 0..24),
        ) {
            play(MessagesAnswer::default(), &events)?;
        }

        #[test]
        fn no_order_of_completion_events_breaks_the_promises(
            events in prop::collection::vec(completion_event(), 0..24),
        ) {
            play(CompletionAnswer::new(1), &events)?;
        }
    }
}

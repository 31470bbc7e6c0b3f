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

//! The transport of 2024: a stream of server-sent events that names the address to post to.
//!
//! The SDK has dropped it, and servers have not. What is posted is answered in the stream, so that an
//! answer to the POST itself is only looked at for its status.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use rmcp::service::{RoleClient, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use sse_stream::{Sse, SseStream};

use crate::client::Endpoint;
use crate::error::{ConnectError, words};
use crate::limits::EVENT_BYTES_MAX;

/// Why there is no stream.
pub(crate) enum OpenError {
    /// What is there is no event stream.
    NotSpoken,
    Failed(ConnectError),
}

/// An open stream and where to post.
pub(crate) struct LegacyTransport {
    poster: Arc<Poster>,
    events: BoxStream<'static, Result<Sse, sse_stream::Error>>,
}

struct Poster {
    http: reqwest::Client,
    url: Url,
    endpoint: Endpoint,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LegacyError {
    #[error("the message could not be sent: {0}")]
    Http(#[from] reqwest::Error),
    #[error("HTTP {0}")]
    Status(u16),
}

/// Opens the stream and waits for its first event, which names the address.
pub(crate) async fn open(
    http: &reqwest::Client,
    endpoint: &Endpoint,
) -> Result<LegacyTransport, OpenError> {
    let mut request = http.get(&endpoint.url).header(ACCEPT, "text/event-stream");
    if let Some(token) = &endpoint.token {
        request = request.bearer_auth(token.expose());
    }
    let response = request
        .send()
        .await
        .map_err(|error| failed(words(&error)))?;
    let status = response.status();
    if matches!(status.as_u16(), 401 | 403) {
        let message = format!("it answered with {}", status.as_u16());
        let challenge = None;
        let error = ConnectError::Unauthorized { message, challenge };
        return Err(OpenError::Failed(error));
    }
    let content_type = response.headers().get(CONTENT_TYPE);
    let is_stream =
        content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    if !status.is_success() || !is_stream {
        return Err(OpenError::NotSpoken);
    }
    let base = response.url().clone();
    let mut events = bounded(response);
    let named = loop {
        match events.next().await {
            Some(Ok(event)) if event.event.as_deref() == Some("endpoint") => {
                break event.data.unwrap_or_default();
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(failed(words(&error))),
            None => return Err(failed("its event stream ended at once".to_owned())),
        }
    };
    let url = base
        .join(named.trim())
        .map_err(|_| failed("the address that it wants messages at is none".to_owned()))?;
    // The token is for this server, so that it may not send us to another one.
    if url.origin() != base.origin() {
        return Err(failed("it wants messages at another server".to_owned()));
    }
    let poster = Poster {
        http: http.clone(),
        url,
        endpoint: endpoint.clone(),
    };
    let poster = Arc::new(poster);
    Ok(LegacyTransport { poster, events })
}

fn failed(message: String) -> OpenError {
    OpenError::Failed(ConnectError::Failed(message))
}

/// The events of a body. One that is larger than any result may be ends the stream.
fn bounded(response: reqwest::Response) -> BoxStream<'static, Result<Sse, sse_stream::Error>> {
    // An event ends with an empty line, which may come in pieces.
    let (mut since_the_last_event, mut is_line_empty) = (0_usize, true);
    let bytes = response.bytes_stream().map(move |chunk| {
        let chunk = chunk.map_err(std::io::Error::other)?;
        for byte in &chunk {
            since_the_last_event += 1;
            match byte {
                b'\n' if is_line_empty => since_the_last_event = 0,
                b'\n' => is_line_empty = true,
                b'\r' => {}
                _ => is_line_empty = false,
            }
        }
        if since_the_last_event > EVENT_BYTES_MAX {
            return Err(std::io::Error::other("an event is too large"));
        }
        Ok(chunk)
    });
    SseStream::from_bytes_stream(bytes).boxed()
}

impl Poster {
    async fn post(&self, message: TxJsonRpcMessage<RoleClient>) -> Result<(), LegacyError> {
        let mut request = self.http.post(self.url.clone()).json(&message);
        if let Some(token) = &self.endpoint.token {
            request = request.bearer_auth(token.expose());
        }
        let status = request.send().await?.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(LegacyError::Status(status.as_u16()))
        }
    }
}

impl Transport<RoleClient> for LegacyTransport {
    type Error = LegacyError;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), LegacyError>> + Send + 'static {
        let poster = Arc::clone(&self.poster);
        async move { poster.post(message).await }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let event = match self.events.next().await? {
                Ok(event) => event,
                Err(error) => {
                    tracing::debug!(%error, "the event stream of an MCP server broke");
                    return None;
                }
            };
            if !matches!(event.event.as_deref(), None | Some("message")) {
                continue;
            }
            match serde_json::from_str(&event.data.unwrap_or_default()) {
                Ok(message) => return Some(message),
                Err(error) => tracing::debug!(%error, "an MCP server sent what is no message"),
            }
        }
    }

    async fn close(&mut self) -> Result<(), LegacyError> {
        self.events = futures::stream::empty().boxed();
        Ok(())
    }
}

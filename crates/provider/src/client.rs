//! The HTTP client of all adapters: connect and stall time-outs, and a very generous one for the
//! whole answer (it may take long as long as bytes come), no redirects, and no second try.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, Url};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{ModelError, ModelErrorKind};
use crate::{failure, limits, retry_after::retry_after};

/// How long to wait for a provider.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    pub connect_timeout: Duration,
    /// From sending the request to the head of the answer.
    pub first_byte_timeout: Duration,
    /// The longest silence inside an answer. Any byte renews it, a ping too.
    pub stall_timeout: Duration,
    /// From sending the request to the end of the answer: pings alone must not keep it alive for
    /// ever.
    pub answer_timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect_timeout: limits::CONNECT_TIMEOUT,
            first_byte_timeout: limits::FIRST_BYTE_TIMEOUT,
            stall_timeout: limits::STALL_TIMEOUT,
            answer_timeout: limits::ANSWER_TIMEOUT,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    client: reqwest::Client,
    options: HttpOptions,
}

impl HttpClient {
    pub(crate) fn new(options: HttpOptions) -> Result<Self, ModelError> {
        let client = reqwest::Client::builder()
            .connect_timeout(options.connect_timeout)
            .http2_keep_alive_interval(limits::KEEP_ALIVE)
            .http2_keep_alive_timeout(limits::KEEP_ALIVE)
            .redirect(reqwest::redirect::Policy::none())
            // A compressed event stream is buffered by somebody; the tokens should not wait.
            .no_gzip()
            .user_agent(concat!("hostler/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                let message = format!("the HTTP client cannot be built: {}", causes(&error));
                ModelError::new(ModelErrorKind::NotConfigured, message)
            })?;
        Ok(Self { client, options })
    }

    /// Sends a request and gives the bytes of its event stream.
    pub(crate) async fn post(
        &self,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<EventBytes, ModelError> {
        let deadline = Instant::now() + self.options.answer_timeout;
        let sending = self.client.post(url).headers(headers).body(body).send();
        let response = match timeout(self.options.first_byte_timeout, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(connection_error("could not reach", error)),
            Err(_elapsed) => {
                let seconds = self.options.first_byte_timeout.as_secs_f64();
                let message = format!("the model provider did not answer within {seconds} s");
                return Err(ModelError::new(ModelErrorKind::Timeout, message));
            }
        };
        let mut bytes = EventBytes {
            response,
            stall_timeout: self.options.stall_timeout,
            answer_timeout: self.options.answer_timeout,
            deadline,
        };
        bytes.check_head().await?;
        Ok(bytes)
    }
}

/// The body of a successful answer, with the stall guard.
pub(crate) struct EventBytes {
    response: Response,
    stall_timeout: Duration,
    answer_timeout: Duration,
    /// When the whole answer has to be there.
    deadline: Instant,
}

impl EventBytes {
    /// The next bytes, or `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ModelError> {
        let stalled = Instant::now() + self.stall_timeout;
        match timeout_at(stalled.min(self.deadline), self.response.chunk()).await {
            // A timer never fires while there are always bytes to read.
            Ok(Ok(Some(_))) if Instant::now() >= self.deadline => Err(self.too_late()),
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(connection_error("lost the connection to", error)),
            Err(_elapsed) if self.deadline <= stalled => Err(self.too_late()),
            Err(_elapsed) => {
                let seconds = self.stall_timeout.as_secs_f64();
                let message = format!("the model provider was silent for {seconds} s");
                Err(ModelError::new(ModelErrorKind::Stalled, message))
            }
        }
    }

    fn too_late(&self) -> ModelError {
        let seconds = self.answer_timeout.as_secs_f64();
        let message = format!("the model provider did not finish its answer within {seconds} s");
        ModelError::new(ModelErrorKind::Timeout, message)
    }

    async fn check_head(&mut self) -> Result<(), ModelError> {
        let status = self.response.status();
        if !status.is_success() {
            let wait = retry_after(self.response.headers());
            let body = self.read_error_body().await;
            return Err(ModelError {
                retry_after: wait,
                ..failure::from_status(status, &body)
            });
        }
        // Servers that forget the header still stream; these two types never are a stream.
        let content_type = self.response.headers().get(CONTENT_TYPE);
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let not_a_stream = ["application/json", "text/html"];
        if let Some(found) = not_a_stream
            .iter()
            .find(|name| content_type.starts_with(*name))
        {
            let body = self.read_error_body().await;
            return Err(failure::from_unexpected_body(found, &body));
        }
        Ok(())
    }

    /// The beginning of an error's body. A failure to read it must not hide the error itself.
    async fn read_error_body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < limits::ERROR_BODY_BYTES_MAX {
            let Ok(Some(bytes)) = self.next().await else {
                break;
            };
            let room = limits::ERROR_BODY_BYTES_MAX - body.len();
            body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        body
    }
}

fn connection_error(what: &str, error: reqwest::Error) -> ModelError {
    // The address may hold credentials.
    let causes = causes(&error.without_url());
    let message = format!("{what} the model provider: {causes}");
    ModelError::new(ModelErrorKind::Connection, message)
}

fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

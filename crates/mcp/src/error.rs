//! Why a server could not be used, in the two kinds that make a difference to whoever reads it.

use std::error::Error;

use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, HttpStatusError, InsufficientScopeError, StreamableHttpError,
};

use crate::guard::Refused;
use crate::limits::ERROR_CHARS_MAX;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The server wants a token, another one, or one that may do more.
    #[error("the server wants other credentials: {message}")]
    Unauthorized {
        message: String,
        /// The server's own challenge (`WWW-Authenticate`), if it sent one.
        challenge: Option<String>,
    },
    #[error("{0}")]
    Failed(String),
}

/// Why a call has no result. What it may have done is unknown, unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("the server wants other credentials: {message}")]
    Unauthorized {
        message: String,
        challenge: Option<String>,
    },
    /// The server took the call and refused it, e.g. since it does not know the tool or the input is wrong.
    #[error("{0}")]
    Refused(String),
    #[error("no answer within {0} s")]
    TimedOut(u64),
    /// The connection is gone.
    #[error("the connection was lost: {0}")]
    Lost(String),
}

impl From<Refused> for ConnectError {
    fn from(refused: Refused) -> Self {
        Self::Failed(refused.0)
    }
}

impl From<CallError> for ConnectError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unauthorized { message, challenge } => {
                Self::Unauthorized { message, challenge }
            }
            CallError::Refused(_) | CallError::TimedOut(_) | CallError::Lost(_) => {
                Self::Failed(error.to_string())
            }
        }
    }
}

/// What an error of the SDK says about HTTP.
enum Http {
    Unauthorized {
        challenge: Option<String>,
    },
    /// A 4xx that is about neither credentials nor the rate.
    Refused,
    Other,
}

const UNAUTHORIZED: &str = "it answered with 401 or 403";

/// Whether the server's answer to streamable HTTP is one that calls for the older transport.
pub(crate) fn is_refusal(error: &ClientInitializeError) -> bool {
    matches!(error, ClientInitializeError::TransportError { error, .. }
        if matches!(http(error.error.as_ref()), Http::Refused))
}

/// Whether the server speaks, but knows no `initialize`, as those of newer versions.
pub(crate) fn knows_no_initialize(error: &ClientInitializeError) -> bool {
    matches!(error, ClientInitializeError::JsonRpcError(error)
        if error.code == rmcp::model::ErrorCode::METHOD_NOT_FOUND)
}

pub(crate) fn connect_error(error: &ClientInitializeError) -> ConnectError {
    if let ClientInitializeError::TransportError { error, .. } = error {
        let error = error.error.as_ref();
        return match http(error) {
            Http::Unauthorized { challenge } => {
                let message = UNAUTHORIZED.to_owned();
                ConnectError::Unauthorized { message, challenge }
            }
            Http::Refused | Http::Other => ConnectError::Failed(words(error)),
        };
    }
    ConnectError::Failed(words(error))
}

pub(crate) fn call_error(error: &ServiceError) -> CallError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the SDK's errors are non-exhaustive; what it invents is a lost call"
    )]
    match error {
        ServiceError::McpError(error) => CallError::Refused(shortened(&error.message)),
        ServiceError::TransportSend(error) => match http(error.error.as_ref()) {
            Http::Unauthorized { challenge } => CallError::Unauthorized {
                message: UNAUTHORIZED.to_owned(),
                challenge,
            },
            Http::Refused | Http::Other => CallError::Lost(words(error.error.as_ref())),
        },
        ServiceError::Timeout { timeout } => CallError::TimedOut(timeout.as_secs()),
        _ => CallError::Lost(words(error)),
    }
}

/// The SDK keeps the status of some refusals in a type and of others in a sentence only.
fn http(error: &(dyn Error + 'static)) -> Http {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<AuthRequiredError>() {
            let challenge = Some(error.www_authenticate_header.clone());
            return Http::Unauthorized { challenge };
        }
        if let Some(error) = error.downcast_ref::<InsufficientScopeError>() {
            let challenge = Some(error.www_authenticate_header.clone());
            return Http::Unauthorized { challenge };
        }
        if error.is::<HttpStatusError>() {
            return Http::Other;
        }
        if let Some(StreamableHttpError::UnexpectedServerResponse(sentence)) =
            error.downcast_ref::<StreamableHttpError<reqwest::Error>>()
        {
            return status_of(sentence);
        }
        cause = error.source();
    }
    Http::Other
}

fn status_of(sentence: &str) -> Http {
    let status = sentence.strip_prefix("HTTP ");
    let status = status.and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
    match status {
        Some(401 | 403) => Http::Unauthorized { challenge: None },
        Some(400..=499) => Http::Refused,
        Some(_) | None => Http::Other,
    }
}

/// An error with its causes, since an HTTP client says what happened in the last of them. Without
/// addresses of requests, which may hold credentials.
pub(crate) fn words(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        // This one repeats its cause, address and all, and does not call it one.
        if let Some(StreamableHttpError::Client(client)) =
            error.downcast_ref::<StreamableHttpError<reqwest::Error>>()
        {
            cause = Some(client);
            continue;
        }
        let said = match error.downcast_ref::<reqwest::Error>() {
            Some(error) if error.is_connect() => "could not connect".to_owned(),
            Some(error) if error.is_timeout() => "timed out".to_owned(),
            Some(_) => "the HTTP request failed".to_owned(),
            None => error.to_string(),
        };
        // Most errors repeat their cause.
        if !text.contains(&said) {
            let separator = if text.is_empty() { "" } else { ": " };
            text.push_str(separator);
            text.push_str(&said);
        }
        cause = error.source();
    }
    shortened(&text)
}

pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(ERROR_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

//! Why a model call failed, in words that may be shown to a user. Whether to try again is not
//! decided here: the engine decides and records it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api_key::{ApiKey, redact};
use crate::chunk::Usage;
use crate::limits;

#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    pub kind: ModelErrorKind,
    /// Safe to show: bounded, one line, without credentials.
    pub message: String,
    /// What the provider asked us to wait, bounded.
    pub retry_after: Option<Duration>,
    /// Tokens that the provider had counted before the failure.
    pub usage: Option<Usage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelErrorKind {
    Overloaded,
    RateLimited,
    Authentication,
    Billing,
    InvalidRequest,
    ContextTooLong,
    /// The provider does not know the model.
    NotFound,
    /// The provider did not begin to answer in time, or did not come to an end.
    Timeout,
    /// The answer began and then no byte came for too long.
    Stalled,
    Connection,
    Server,
    /// The answer was not what the protocol allows.
    Malformed,
    /// No provider is set up for this model, or its settings cannot work.
    NotConfigured,
}

impl ModelErrorKind {
    /// Whether the same request may succeed later without anybody changing anything.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Overloaded
            | Self::RateLimited
            | Self::Timeout
            | Self::Stalled
            | Self::Connection
            | Self::Server
            | Self::Malformed => true,
            Self::Authentication
            | Self::Billing
            | Self::InvalidRequest
            | Self::ContextTooLong
            | Self::NotFound
            | Self::NotConfigured => false,
        }
    }
}

impl ModelError {
    /// The message is cut to one bounded line, since parts of it often come from outside.
    pub fn new(kind: ModelErrorKind, message: impl AsRef<str>) -> Self {
        let message = one_line(message.as_ref(), limits::ERROR_MESSAGE_CHARS_MAX);
        Self {
            kind,
            message,
            retry_after: None,
            usage: None,
        }
    }

    /// An error in the words of a provider. It is shown only after `redacted`.
    pub(crate) fn foreign(kind: ModelErrorKind, message: &str) -> Self {
        let message = one_line(message, limits::FOREIGN_MESSAGE_CHARS_MAX);
        Self {
            kind,
            message,
            retry_after: None,
            usage: None,
        }
    }

    pub(crate) fn redacted(self, secrets: &[ApiKey]) -> Self {
        let message = redact(&self.message, secrets);
        Self {
            message: one_line(&message, limits::ERROR_MESSAGE_CHARS_MAX),
            ..self
        }
    }

    pub(crate) fn malformed(message: impl AsRef<str>) -> Self {
        Self::new(ModelErrorKind::Malformed, message)
    }
}

/// Cuts foreign text to a length and takes control characters out of it.
pub(crate) fn one_line(text: &str, chars_max: usize) -> String {
    let mut line: String = text
        .chars()
        .take(chars_max)
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    if text.chars().nth(chars_max).is_some() {
        line.push('…');
    }
    line.trim().to_owned()
}

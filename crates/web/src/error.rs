//! Why there is no page, or nothing was searched. Each is a word that models know, and a sentence.

use std::time::Duration;

/// Why an address gave no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Somebody's rules are against it: this hop's address is not permitted.
    #[error("{0}")]
    NotAllowed(String),
    #[error("{0}")]
    NotAccessible(String),
    #[error("a page of type {0} can't be shown as text")]
    UnsupportedContentType(String),
    /// It is the server's fault, and not the page's.
    #[error("{0}")]
    Unavailable(String),
}

impl FetchError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAllowed(_) => "url_not_allowed",
            Self::NotAccessible(_) => "url_not_accessible",
            Self::UnsupportedContentType(_) => "unsupported_content_type",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// Why a search gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    #[error("the query is longer than the {0} characters that the search service takes")]
    QueryTooLong(usize),
    #[error("the search service has had too many requests{}", retry(.retry_after))]
    TooManyRequests { retry_after: Option<Duration> },
    #[error("{0}")]
    Unavailable(String),
}

impl SearchError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::QueryTooLong(_) => "query_too_long",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

fn retry(after: &Option<Duration>) -> String {
    match after {
        Some(after) => format!("; it takes more in {} seconds", after.as_secs()),
        None => String::new(),
    }
}

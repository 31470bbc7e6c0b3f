//! The one error of this crate: what the caller is told, and the cause that only the log sees.
//!
//! A handler returns `Result<_, ApiError>`. The response carries the error as an extension, and
//! `frame.rs` writes the body, because only it knows the request's id. Each `From` is listed
//! here; a failure of the store never becomes the caller's fault.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hostler_protocol::decode::Invalid;
use hostler_protocol::error::{ErrorCode, ErrorDetail};
use hostler_protocol::id::{MalformedId, RequestId};
use hostler_protocol::{ApiErrorBody, ErrorKind};
use hostler_store::StoreError;

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// How long a caller should wait when the database is busy or the server full.
const OVERLOADED_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The same where somebody has to make room first.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Whether the same request can succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    /// The client decides by the status.
    ByStatus,
    /// It would fail again: SDKs repeat a 409 unless told not to.
    Never,
    After(Duration),
}

/// What there was too much of, as the metrics call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    Rate,
    Requests,
    Streams,
    Waiting,
    Memory,
}

impl Excess {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Requests => "requests",
            Self::Streams => "streams",
            Self::Waiting => "waiting",
            Self::Memory => "memory",
        }
    }
}

/// Why a request wasn't served.
#[derive(Debug)]
pub(crate) struct ApiError {
    kind: ErrorKind,
    status: StatusCode,
    message: String,
    code: Option<&'static str>,
    retry: Retry,
    excess: Option<Excess>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The status that goes with each kind, where an error doesn't name its own.
fn status_of(kind: ErrorKind) -> StatusCode {
    let code = match kind {
        ErrorKind::InvalidRequestError => 400,
        ErrorKind::AuthenticationError => 401,
        ErrorKind::BillingError => 402,
        ErrorKind::PermissionError => 403,
        ErrorKind::NotFoundError => 404,
        ErrorKind::ConflictError => 409,
        ErrorKind::RequestTooLarge => 413,
        ErrorKind::RateLimitError => 429,
        ErrorKind::ApiError => 500,
        ErrorKind::TimeoutError => 504,
        ErrorKind::OverloadedError => 529,
    };
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl ApiError {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: status_of(kind),
            message: message.into(),
            code: None,
            retry: Retry::ByStatus,
            excess: None,
            source: None,
        }
    }

    fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// A machine-readable reason, where the contract has one.
    pub(crate) fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The request is at fault. Start with the field's path where there is one.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequestError, message)
    }

    /// One message for a missing and for a wrong key, so that neither can be told from the other.
    pub(crate) fn authentication() -> Self {
        Self::new(ErrorKind::AuthenticationError, "Authentication failed")
    }

    pub(crate) fn permission(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::PermissionError, message)
    }

    /// Nothing with this id is in the caller's workspace.
    pub(crate) fn not_found(id: impl fmt::Display) -> Self {
        Self::new(ErrorKind::NotFoundError, format!("{id} was not found"))
    }

    pub(crate) fn no_such_route(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFoundError, message)
    }

    /// The state of the resource is against it, and will be when the request is repeated.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::ConflictError, message);
        error.retry = Retry::Never;
        error
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::invalid("this endpoint doesn't take this method")
            .with_status(StatusCode::METHOD_NOT_ALLOWED)
    }

    pub(crate) fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::invalid(message).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::RequestTooLarge, message)
    }

    pub(crate) fn rate_limited(retry_after: Duration) -> Self {
        let message = "the rate limit of this workspace is reached; try again later";
        let mut error = Self::new(ErrorKind::RateLimitError, message);
        error.retry = Retry::After(retry_after);
        error.excess = Some(Excess::Rate);
        error
    }

    pub(crate) fn overloaded(message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::OverloadedError, message);
        error.retry = Retry::After(OVERLOADED_RETRY_AFTER);
        error
    }

    /// There is too much of something already.
    pub(crate) fn too_much(excess: Excess) -> Self {
        let message = match excess {
            Excess::Rate => "too many requests in a minute",
            Excess::Requests => "too many requests are being worked on; try again",
            Excess::Streams => "too many event streams are open",
            Excess::Waiting => "the server has more to do than it can; try again later",
            Excess::Memory => "too many large requests and answers at once; try again later",
        };
        let mut error = Self::overloaded(message);
        error.excess = Some(excess);
        error
    }

    /// Nothing can be written until somebody makes room.
    pub(crate) fn no_room() -> Self {
        let mut error = Self::new(ErrorKind::ApiError, "the disk of the server is full");
        error.retry = Retry::After(FULL_RETRY_AFTER);
        error.with_status(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// For `/readyz`: no traffic, please.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ApiError, message).with_status(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The refusal of a part of the framework, of which only the status is known.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let kind = match status.as_u16() {
            404 => ErrorKind::NotFoundError,
            413 => ErrorKind::RequestTooLarge,
            504 => ErrorKind::TimeoutError,
            500.. => ErrorKind::ApiError,
            _ => ErrorKind::InvalidRequestError,
        };
        let reason = status
            .canonical_reason()
            .unwrap_or("the request was refused");
        Self::new(kind, reason).with_status(status)
    }

    /// Something of ours failed. The caller learns the request's id, the log the cause.
    pub(crate) fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::ApiError, "internal server error").with_source(source)
    }

    /// `feature` is a plural, as in "vaults", or "the …".
    pub(crate) fn feature_not_supported(feature: &str) -> Self {
        let verb = if feature.starts_with("the ") {
            "is"
        } else {
            "are"
        };
        let message = format!("{feature} {verb} not supported by this version of Hostler");
        Self::invalid(message).with_code("feature_not_supported")
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The cause with its own causes, for the log. Never for the caller.
    pub(crate) fn cause(&self) -> Option<String> {
        let mut cause: &dyn Error = self.source.as_deref()?;
        let mut text = cause.to_string();
        while let Some(next) = cause.source() {
            text.push_str(": ");
            text.push_str(&next.to_string());
            cause = next;
        }
        Some(text)
    }

    pub(crate) fn excess(&self) -> Option<Excess> {
        self.excess
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn body(&self, request_id: RequestId) -> ApiErrorBody {
        ApiErrorBody {
            kind: "error".to_owned(),
            error: ErrorDetail {
                kind: self.kind,
                message: self.message.clone(),
                details: self.code.map(|code| ErrorCode {
                    error_code: code.to_owned(),
                }),
            },
            request_id,
        }
    }

    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        match self.retry {
            Retry::ByStatus => {}
            Retry::Never => {
                headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
            Retry::After(wait) => {
                // Rounded up, so that a client that obeys isn't refused again.
                let seconds = wait.as_millis().div_ceil(1_000).max(1);
                if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                    headers.insert(header::RETRY_AFTER, value);
                }
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        let message = invalid.to_string();
        let mut error = match invalid.code {
            // Text that can't be an environment's id names none that exists.
            Some("environment_not_found") => Self::new(ErrorKind::NotFoundError, message),
            _ => Self::invalid(message),
        };
        error.code = invalid.code;
        error
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::too_much(Excess::Waiting),
            StoreError::Unreachable(_) => {
                Self::overloaded("the database can't be reached").with_source(error)
            }
            StoreError::BlobsUnreachable(_) => {
                Self::overloaded("the store of the files can't be reached").with_source(error)
            }
            StoreError::Full(_) => Self::no_room().with_source(error),
            StoreError::NotStorable(_) => Self::invalid(error.to_string()),
            // A uniqueness that a caller can violate is an outcome of the store's function.
            StoreError::Unique
            | StoreError::Corrupt { .. }
            | StoreError::Damaged { .. }
            | StoreError::TooNew { .. }
            | StoreError::NotMigrated { .. }
            | StoreError::Unusable { .. }
            | StoreError::Closed
            | StoreError::Db(_)
            | StoreError::Blob(_) => Self::internal(error),
        }
    }
}

/// An id in a path: what can't be an id doesn't exist.
impl From<MalformedId> for ApiError {
    fn from(error: MalformedId) -> Self {
        Self::new(ErrorKind::NotFoundError, error.to_string())
    }
}

//! What a provider's failure means: HTTP statuses, error bodies and errors in mid-stream, of all
//! dialects, mapped onto one closed list.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::error::{ModelError, ModelErrorKind};

/// What a provider says about a failure, in whichever dialect.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    error_type: String,
    code: String,
    message: String,
}

/// Phrases of the providers for a prompt that does not fit.
const CONTEXT_PHRASES: [&str; 8] = [
    "prompt is too long",
    "input is too long",
    "context length",
    "context_length",
    "context window",
    "maximum context",
    "context size",
    "exceeds the maximum number of tokens",
];

impl Complaint {
    /// Reads `{"error": {…}}`, `{"error": "…"}`, `{"message": "…"}` and `{"detail": …}`.
    pub(crate) fn from_body(body: &[u8]) -> Option<Self> {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        let error = body.get("error").unwrap_or(&body);
        let text = |name: &str| match error.get(name) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Number(number)) => number.to_string(),
            Some(_) | None => String::new(),
        };
        let detail = match error.get("detail") {
            Some(serde_json::Value::String(detail)) => detail.clone(),
            Some(detail) => detail.to_string(),
            None => String::new(),
        };
        let message = match error.as_str() {
            Some(message) => message.to_owned(),
            None => text("message"),
        };
        let complaint = Self {
            error_type: text("type"),
            code: text("code"),
            message: if message.is_empty() { detail } else { message },
        };
        (complaint != Self::default()).then_some(complaint)
    }

    /// A body that is no JSON, or that was too long to be read whole. A page says nothing to us.
    fn from_text(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let message = if text.trim_start().starts_with('<') {
            ""
        } else {
            text.trim()
        };
        Self {
            message: message.to_owned(),
            ..Self::default()
        }
    }

    /// An error event in the middle of an answer.
    pub(crate) fn into_stream_error(self) -> ModelError {
        let status = self
            .code
            .parse()
            .ok()
            .and_then(|code| StatusCode::from_u16(code).ok());
        let kind = self.kind(status);
        let said = self.said();
        ModelError::foreign(
            kind,
            &format!("the model provider reported an error: {said}"),
        )
    }

    fn said(&self) -> String {
        match (self.error_type.as_str(), self.message.as_str()) {
            ("", "") => "no reason given".to_owned(),
            (label, "") | ("", label) => label.to_owned(),
            (error_type, message) => format!("{error_type}: {message}"),
        }
    }

    fn kind(&self, status: Option<StatusCode>) -> ModelErrorKind {
        let message = self.message.to_lowercase();
        let named = |names: &[&str]| {
            names.contains(&self.error_type.as_str()) || names.contains(&self.code.as_str())
        };
        if message.contains("credit balance is too low")
            || named(&["billing_error", "insufficient_quota"])
        {
            return ModelErrorKind::Billing;
        }
        let may_be_context = match status {
            None => true,
            Some(status) => matches!(status.as_u16(), 400 | 413 | 422),
        };
        let says_context = named(&["context_length_exceeded", "exceed_context_size_error"])
            || CONTEXT_PHRASES
                .iter()
                .any(|phrase| message.contains(phrase));
        if may_be_context && says_context {
            return ModelErrorKind::ContextTooLong;
        }
        kind_of_name(&self.error_type)
            .or_else(|| kind_of_name(&self.code))
            .or_else(|| status.map(kind_of_status))
            .unwrap_or(ModelErrorKind::Server)
    }
}

fn kind_of_name(name: &str) -> Option<ModelErrorKind> {
    Some(match name {
        "overloaded_error" | "overloaded" => ModelErrorKind::Overloaded,
        "rate_limit_error" | "rate_limit_exceeded" => ModelErrorKind::RateLimited,
        "authentication_error" | "permission_error" | "invalid_api_key" => {
            ModelErrorKind::Authentication
        }
        "not_found_error" | "model_not_found" => ModelErrorKind::NotFound,
        "request_too_large" => ModelErrorKind::ContextTooLong,
        "timeout_error" => ModelErrorKind::Timeout,
        "api_error" | "server_error" => ModelErrorKind::Server,
        _ => return None,
    })
}

fn kind_of_status(status: StatusCode) -> ModelErrorKind {
    match status.as_u16() {
        // We follow no redirect: the address in the configuration is wrong.
        300..=399 => ModelErrorKind::NotConfigured,
        401 | 403 => ModelErrorKind::Authentication,
        402 => ModelErrorKind::Billing,
        404 => ModelErrorKind::NotFound,
        408 | 504 | 524 => ModelErrorKind::Timeout,
        413 => ModelErrorKind::ContextTooLong,
        429 => ModelErrorKind::RateLimited,
        503 | 529 => ModelErrorKind::Overloaded,
        400..=499 => ModelErrorKind::InvalidRequest,
        _ => ModelErrorKind::Server,
    }
}

/// The failure behind a status that is no success.
pub(crate) fn from_status(status: StatusCode, body: &[u8]) -> ModelError {
    let complaint = Complaint::from_body(body).unwrap_or_else(|| Complaint::from_text(body));
    let kind = complaint.kind(Some(status));
    let status = status.as_u16();
    if kind == ModelErrorKind::Authentication {
        // Providers quote the key, or half of it, in this very message.
        let message = format!("the model provider refused the credentials (HTTP {status})");
        return ModelError::new(kind, message);
    }
    let said = complaint.said();
    ModelError::foreign(
        kind,
        &format!("the model provider answered HTTP {status}: {said}"),
    )
}

/// An answer with a success status that is no event stream.
pub(crate) fn from_unexpected_body(content_type: &str, body: &[u8]) -> ModelError {
    #[derive(Deserialize)]
    struct HasError {
        #[serde(rename = "error")]
        _error: serde::de::IgnoredAny,
    }
    let is_error = serde_json::from_slice::<HasError>(body).is_ok();
    match Complaint::from_body(body) {
        Some(complaint) if is_error => complaint.into_stream_error(),
        Some(_) | None => ModelError::malformed(format!(
            "the model provider answered with {content_type} in place of an event stream"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> ModelErrorKind {
        from_status(
            StatusCode::from_u16(status).expect("is a status"),
            body.as_bytes(),
        )
        .kind
    }

    #[test]
    fn maps_what_providers_say() {
        let cases = [
            (
                401,
                r#"{"error":{"type":"authentication_error"}}"#,
                ModelErrorKind::Authentication,
            ),
            (403, "no JSON", ModelErrorKind::Authentication),
            (402, "", ModelErrorKind::Billing),
            (
                404,
                r#"{"error":{"type":"not_found_error","message":"model: x"}}"#,
                ModelErrorKind::NotFound,
            ),
            (
                400,
                r#"{"error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}"#,
                ModelErrorKind::ContextTooLong,
            ),
            (
                400,
                r#"{"error":{"code":"context_length_exceeded","message":"…"}}"#,
                ModelErrorKind::ContextTooLong,
            ),
            (
                400,
                r#"{"error":{"message":"Your credit balance is too low to access"}}"#,
                ModelErrorKind::Billing,
            ),
            (
                400,
                r#"{"error":{"type":"invalid_request_error","message":"max_tokens"}}"#,
                ModelErrorKind::InvalidRequest,
            ),
            (413, "", ModelErrorKind::ContextTooLong),
            (
                422,
                r#"{"detail":[{"msg":"field required"}]}"#,
                ModelErrorKind::InvalidRequest,
            ),
            (
                429,
                r#"{"error":{"type":"rate_limit_error","message":"long context window"}}"#,
                ModelErrorKind::RateLimited,
            ),
            (
                429,
                r#"{"error":{"code":"insufficient_quota"}}"#,
                ModelErrorKind::Billing,
            ),
            (
                400,
                "the prompt is too long",
                ModelErrorKind::ContextTooLong,
            ),
            (500, r#"{"error":"out of memory"}"#, ModelErrorKind::Server),
            (503, "", ModelErrorKind::Overloaded),
            (
                529,
                r#"{"error":{"type":"overloaded_error"}}"#,
                ModelErrorKind::Overloaded,
            ),
            (504, "", ModelErrorKind::Timeout),
            (302, "", ModelErrorKind::NotConfigured),
        ];
        for (status, body, expected) in cases {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }
}

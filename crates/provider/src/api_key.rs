//! Credentials of a provider. They are shown nowhere and wiped when the last copy goes.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::limits;

#[derive(Clone)]
pub struct ApiKey(Arc<Zeroizing<String>>);

impl ApiKey {
    pub fn new(key: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(key.into())))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// How a request proves who sends it.
#[derive(Debug, Clone)]
pub enum Auth {
    /// For local servers, and for gateways that add the credential themselves.
    None,
    /// `x-api-key`, or `api-key` for the OpenAI dialect (as Azure has it).
    Header(ApiKey),
    /// `authorization: Bearer …`
    Bearer(ApiKey),
}

/// What no message may show: the credential, and configured headers that may hold one.
pub(crate) fn secrets(auth: &Auth, headers: &[(String, ApiKey)]) -> Arc<[ApiKey]> {
    let auth = match auth {
        Auth::None => None,
        Auth::Header(key) | Auth::Bearer(key) => Some(key),
    };
    let auth = auth.filter(|key| !key.expose().is_empty());
    let headers = headers.iter().map(|(_, value)| value);
    let headers = headers.filter(|value| value.expose().len() >= limits::SECRET_HEADER_BYTES_MIN);
    auth.into_iter().chain(headers).cloned().collect()
}

/// Takes our own credentials, and what looks like anybody's, out of a message.
pub(crate) fn redact(message: &str, secrets: &[ApiKey]) -> String {
    let mut message = message.to_owned();
    for secret in secrets {
        message = message.replace(secret.expose(), "***");
    }
    let belongs_to_key =
        |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    let mut shown = String::with_capacity(message.len());
    let mut rest = message.as_str();
    while let Some(start) = rest.find("sk-") {
        let (before, key) = rest.split_at(start);
        let length = key
            .find(|character| !belongs_to_key(character))
            .unwrap_or(key.len());
        let inside_word = before.chars().next_back().is_some_and(belongs_to_key);
        shown.push_str(before);
        shown.push_str(if inside_word { &key[..length] } else { "***" });
        rest = &key[length..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_key() {
        let key = ApiKey::new("my-key");
        let shown = redact(
            "key my-key, 'sk-ant-abc_1' or sk- and sk-x; task-1",
            std::slice::from_ref(&key),
        );
        assert_eq!(shown, "key ***, '***' or *** and ***; task-1");
        assert_eq!(format!("{key:?}"), "***");
    }
}

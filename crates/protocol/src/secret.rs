//! A secret that a client has sent, or that is about to be used in its name.

use std::fmt;

use zeroize::Zeroizing;

use crate::decode::{At, Invalid};
use crate::limits::SECRET_CHARS;

/// Text that can't be printed, compared or serialised by accident. Its memory is wiped when it is dropped.
///
/// **Invariant:** the only way to the text is [`SecretText::expose`], so that `grep expose` finds every use.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one place that seals it or sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A secret in a request: not empty, and without what no header could carry.
    pub(crate) fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let text = Self::new(at.text(SECRET_CHARS)?);
        if text.expose().contains(['\r', '\n']) {
            return Err(at.invalid("String should not contain line breaks"));
        }
        Ok(text)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

//! The name of a sandbox: a directory name that needs no escaping anywhere.

use std::fmt;
use std::str::FromStr;

const LENGTH_MAX: usize = 64;

/// 1 to 64 of ASCII letters, digits and underscore.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SandboxName(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a sandbox name is 1 to 64 ASCII letters, digits or underscores")]
pub struct InvalidName;

impl SandboxName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SandboxName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if text.is_empty() || text.len() > LENGTH_MAX || !text.bytes().all(plain) {
            return Err(InvalidName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SandboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

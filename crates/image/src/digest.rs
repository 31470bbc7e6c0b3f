//! The SHA-256 of something, as images name what they are made of.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::error::ImageError;

const ALGORITHM: &str = "sha256:";
const HEX_LENGTH: usize = 64;

/// Always 64 hexadecimal digits, so that it can be a file's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    pub fn hex(&self) -> &str {
        &self.0
    }

    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Reads to the end.
    pub(crate) fn of_stream(mut stream: impl Read) -> io::Result<Self> {
        let mut hasher = Hasher::default();
        io::copy(&mut stream, &mut hasher)?;
        Ok(hasher.finish())
    }
}

pub(crate) struct Hasher(Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        let bytes = self.0.finish();
        let hex = bytes.as_ref().iter().map(|byte| format!("{byte:02x}"));
        Digest(hex.collect())
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FromStr for Digest {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        let hex = text.strip_prefix(ALGORITHM).ok_or_else(|| {
            let shown: String = text.chars().take(HEX_LENGTH * 2).collect();
            ImageError::refused(format!(
                "{shown:?} is not a digest that starts with sha256:"
            ))
        })?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() == HEX_LENGTH && hex.bytes().all(is_hex) {
            Ok(Self(hex.to_owned()))
        } else {
            Err(ImageError::refused(
                "a sha256 digest is not 64 hexadecimal digits".to_owned(),
            ))
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}{}", self.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = ImageError;

    fn try_from(text: String) -> Result<Self, ImageError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

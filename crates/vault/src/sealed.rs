//! A sealed text, as it is stored.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::KeyId;

/// A secret under a data key of its own, and that key under a master key. Safe to store and to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub(crate) key_id: KeyId,
    /// Nonce, ciphertext and tag.
    pub(crate) data_key: Vec<u8>,
    pub(crate) secret: Vec<u8>,
}

/// The text was not made by [`Sealed`]'s `Display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sealed text of this or an older version")]
pub struct NotSealed;

/// The stored form. A new version gets a new `v` and reads the old ones.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    v: u32,
    key: KeyId,
    data_key: String,
    secret: String,
}

impl Sealed {
    /// The master key that it takes to open it.
    pub fn key_id(&self) -> &KeyId {
        &self.key_id
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = Stored {
            v: 1,
            key: self.key_id.clone(),
            data_key: STANDARD.encode(&self.data_key),
            secret: STANDARD.encode(&self.secret),
        };
        let text = serde_json::to_string(&stored).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

impl FromStr for Sealed {
    type Err = NotSealed;

    fn from_str(text: &str) -> Result<Self, NotSealed> {
        let stored: Stored = serde_json::from_str(text).map_err(|_| NotSealed)?;
        if stored.v != 1 {
            return Err(NotSealed);
        }
        let bytes = |text: &str| STANDARD.decode(text).map_err(|_| NotSealed);
        Ok(Self {
            key_id: stored.key,
            data_key: bytes(&stored.data_key)?,
            secret: bytes(&stored.secret)?,
        })
    }
}

//! The key that an operator holds.

use std::fmt;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::SealError;

/// Bytes of a master key and of what is derived from it.
pub(crate) const KEY_BYTES: usize = 32;
/// Of the name of a key.
const ID_BYTES: usize = 8;

/// 256 random bits. It can't be printed, and its memory is wiped when it is dropped.
pub struct MasterKey {
    wrapping: Zeroizing<[u8; KEY_BYTES]>,
    naming: Zeroizing<[u8; KEY_BYTES]>,
    id: KeyId,
}

/// The name of a master key. It follows from the key and says nothing about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

/// The text is not a master key. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 random bytes in base64, as `openssl rand -base64 32` prints them")]
pub struct NotAMasterKey;

impl MasterKey {
    /// Reads what [`MasterKey::generate`] or `openssl rand -base64 32` has written.
    ///
    /// # Errors
    /// When it is anything but 32 bytes in base64.
    pub fn parse(text: &str) -> Result<Self, NotAMasterKey> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES + 2]);
        let decoded = STANDARD.decode_slice(text.trim(), bytes.as_mut_slice());
        match decoded {
            Ok(KEY_BYTES) => Self::derive(&bytes[..KEY_BYTES]),
            Ok(_) | Err(_) => Err(NotAMasterKey),
        }
    }

    /// The text of a new key.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Zeroizing<String>, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(bytes.as_mut_slice()).map_err(|_| SealError)?;
        Ok(Zeroizing::new(STANDARD.encode(bytes.as_slice())))
    }

    pub fn id(&self) -> &KeyId {
        &self.id
    }

    pub(crate) fn wrapping(&self) -> &[u8] {
        self.wrapping.as_slice()
    }

    pub(crate) fn naming(&self) -> &[u8] {
        self.naming.as_slice()
    }

    /// The key itself encrypts nothing: what does, and its name, are derived from it apart.
    fn derive(bytes: &[u8]) -> Result<Self, NotAMasterKey> {
        let secret = Salt::new(HKDF_SHA256, b"hostler vault").extract(bytes);
        let mut wrapping = Zeroizing::new([0; KEY_BYTES]);
        expand(&secret, b"wrap data keys", wrapping.as_mut_slice())?;
        let mut naming = Zeroizing::new([0; KEY_BYTES]);
        expand(&secret, b"names of secrets", naming.as_mut_slice())?;
        let mut id = [0; ID_BYTES];
        expand(&secret, b"name of the key", &mut id)?;
        let id = KeyId(id.iter().map(|byte| format!("{byte:02x}")).collect());
        Ok(Self {
            wrapping,
            naming,
            id,
        })
    }
}

fn expand(secret: &Prk, purpose: &[u8], into: &mut [u8]) -> Result<(), NotAMasterKey> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let purposes = [purpose];
    let derived = secret.expand(&purposes, Length(into.len()));
    derived
        .and_then(|derived| derived.fill(into))
        .map_err(|_| NotAMasterKey)
}

impl KeyId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MasterKey({})", self.id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_name_and_hides() {
        let text = MasterKey::generate().unwrap();
        let (one, same) = (
            MasterKey::parse(&text).unwrap(),
            MasterKey::parse(&format!("{}\n", *text)).unwrap(),
        );
        assert_eq!(one.id(), same.id());
        assert!(!format!("{one:?}").contains(text.as_str()));
        let other = MasterKey::parse(&MasterKey::generate().unwrap()).unwrap();
        assert_ne!(one.id(), other.id());
    }

    /// The names and keys of today open what was sealed today: neither may change.
    #[test]
    fn what_is_derived_never_changes() {
        let key = MasterKey::parse(&STANDARD.encode([7; KEY_BYTES])).unwrap();
        assert_eq!(key.id().to_string(), "e2ed984dd11d91be");
    }

    #[test]
    fn anything_else_is_refused_without_being_repeated() {
        for text in [
            "",
            "short",
            &STANDARD.encode([1; 31]),
            &STANDARD.encode([1; 33]),
            &"A".repeat(64),
        ] {
            assert_eq!(MasterKey::parse(text).unwrap_err(), NotAMasterKey);
        }
    }
}

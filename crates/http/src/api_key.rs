//! The form of an API key: how one is made, and how it is turned into what the database holds.

use std::fmt;

use aws_lc_rs::{digest, rand};

const PREFIX: &str = "sk-hostler-";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 43 digits of base 62 hold 256 bits.
const BODY_DIGITS: usize = 43;
const HINT_CHARS: usize = 4;

/// A key in clear text. It exists for as long as it takes to show it once.
pub struct ApiKeyText(String);

/// The generator of the operating system failed.
#[derive(Debug, thiserror::Error)]
#[error("the system's random numbers are not available")]
pub struct NoRandomness;

impl ApiKeyText {
    /// A new key of 256 random bits.
    ///
    /// # Errors
    /// When the system has no randomness to give: then no key is made.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = [0_u8; 32];
        rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        let mut digits = [b'0'; BODY_DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[divide(&mut bytes, 62)];
        }
        Ok(Self(digits.iter().fold(
            PREFIX.to_owned(),
            |mut text, digit| {
                text.push(char::from(*digit));
                text
            },
        )))
    }

    /// A key that the operator chose, as in `HOSTLER_API_KEY`.
    pub fn given(text: String) -> Self {
        Self(text)
    }

    /// The text, to be shown to its owner and nowhere else.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the database holds instead of the key.
    pub fn hash(&self) -> String {
        hash_of(&self.0)
    }

    /// The last characters, by which its owner tells it from others.
    pub fn hint(&self) -> String {
        let characters: Vec<char> = self.0.chars().collect();
        // A short key chosen by the operator would be given away by its end.
        if characters.len() < 4 * HINT_CHARS {
            return String::new();
        }
        characters[characters.len() - HINT_CHARS..].iter().collect()
    }
}

impl fmt::Debug for ApiKeyText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// Divides a big-endian number in place; answers the remainder.
fn divide(number: &mut [u8], divisor: usize) -> usize {
    let mut remainder = 0;
    for byte in number {
        let dividend = remainder * 256 + usize::from(*byte);
        *byte = u8::try_from(dividend / divisor).unwrap_or(u8::MAX);
        remainder = dividend % divisor;
    }
    remainder
}

/// SHA-256 in lower-case hexadecimal. Keys are random, so neither salt nor stretching is needed.
pub(crate) fn hash_of(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut hash = String::with_capacity(64);
    for byte in digest.as_ref() {
        for nibble in [byte >> 4, byte & 15] {
            hash.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_and_hide() {
        let (one, two) = (
            ApiKeyText::generate().unwrap(),
            ApiKeyText::generate().unwrap(),
        );
        assert_ne!(one.reveal(), two.reveal());
        assert_eq!(one.reveal().len(), PREFIX.len() + BODY_DIGITS);
        assert_eq!(format!("{one:?}"), "***");
        assert!(one.reveal().ends_with(&one.hint()));
        assert_eq!(ApiKeyText::given("short".into()).hint(), "");
    }

    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(
            hash_of("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn division_is_exact() {
        let mut number = [1, 0, 0];
        assert_eq!(divide(&mut number, 62), 65_536 % 62);
        assert_eq!(
            u32::from(number[1]) * 256 + u32::from(number[2]),
            65_536 / 62
        );
    }
}

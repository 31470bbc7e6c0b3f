//! Identifiers: a prefix that names the kind, `01`, and 22 base-58 digits of a sortable 128-bit
//! value, as in `sesn_01…`. Clients treat them as opaque text.
//!
//! `FromStr` is the only way in and `Display` the only way out, so that an id of one kind can't
//! be mistaken for another's and a malformed one never reaches SQL.

use std::fmt;
use std::str::FromStr;

const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BODY_DIGITS: usize = 22;
const FORMAT: &str = "01";

/// The text is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id")]
pub struct MalformedId {
    pub kind: &'static str,
}

/// As many digits as 64 bits hold: each event has a dozen ids written and read, and division of 128
/// bits is a function call.
const CHUNK_DIGITS: usize = 10;
const CHUNK: u128 = 58u128.pow(10);

/// The value of each byte as a digit.
const VALUES: [Option<u8>; 256] = values();

const fn values() -> [Option<u8>; 256] {
    let mut values = [None; 256];
    let mut digit = 0;
    while digit < 58 {
        values[DIGITS[digit as usize] as usize] = Some(digit);
        digit += 1;
    }
    values
}

fn encode(mut value: u128) -> [u8; BODY_DIGITS] {
    let mut digits = [b'1'; BODY_DIGITS];
    for chunk in digits.rchunks_mut(CHUNK_DIGITS) {
        let mut rest = u64::try_from(value % CHUNK).unwrap_or(0);
        value /= CHUNK;
        for digit in chunk.iter_mut().rev() {
            *digit = DIGITS[usize::try_from(rest % 58).unwrap_or(0)];
            rest /= 58;
        }
    }
    digits
}

fn decode(body: &str) -> Option<u128> {
    if body.len() != BODY_DIGITS {
        return None;
    }
    let (first, chunks) = body.as_bytes().as_rchunks::<CHUNK_DIGITS>();
    let first = u128::from(decode_chunk(first)?);
    chunks.iter().try_fold(first, |value, chunk| {
        let chunk = u128::from(decode_chunk(chunk)?);
        value.checked_mul(CHUNK)?.checked_add(chunk)
    })
}

/// Of no more digits than [`CHUNK_DIGITS`].
fn decode_chunk(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = VALUES[usize::from(*byte)]?;
        Some(value * 58 + u64::from(digit))
    })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $kind:literal $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// What every id of this kind starts with, the underscore included.
            pub const PREFIX: &'static str = $prefix;
        }

        impl From<uuid::Uuid> for $name {
            fn from(value: uuid::Uuid) -> Self {
                Self(value.as_u128())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let digits = encode(self.0);
                formatter.write_str($prefix)?;
                formatter.write_str(FORMAT)?;
                formatter.write_str(std::str::from_utf8(&digits).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            fn from_str(text: &str) -> Result<Self, MalformedId> {
                text.strip_prefix($prefix)
                    .and_then(|rest| rest.strip_prefix(FORMAT))
                    .and_then(decode)
                    .map(Self)
                    .ok_or(MalformedId { kind: $kind })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

ids! {
    AgentId "agent" "agent_";
    EnvironmentId "environment" "env_";
    SessionId "session" "sesn_";
    /// Also the id by which a tool call is answered: the model provider's own ids stay inside.
    EventId "event" "sevt_";
    ThreadId "session thread" "sthr_";
    FileId "file" "file_";
    ResourceId "session resource" "sesrsc_";
    VaultId "vault" "vlt_";
    CredentialId "credential" "vcrd_";
    SkillId "skill" "skill_";
    SkillVersionId "skill version" "skver_";
    WorkspaceId "workspace" "wrkspc_";
    ApiKeyId "API key" "apikey_";
    RequestId "request" "req_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for value in [0, 1, 57, 58, u128::MAX] {
            let id = SessionId(value);
            assert_eq!(id.to_string().len(), "sesn_01".len() + BODY_DIGITS);
            assert_eq!(id.to_string().parse::<SessionId>(), Ok(id));
        }
    }

    #[test]
    fn digits_are_those_of_a_division_by_58() {
        let plain = |mut value: u128| {
            let mut digits = [b'1'; BODY_DIGITS];
            for digit in digits.iter_mut().rev() {
                *digit = DIGITS[usize::try_from(value % 58).unwrap()];
                value /= 58;
            }
            digits
        };
        let mut value: u128 = 1;
        for step in 0..2_000 {
            value = value.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645) + 1;
            for value in [
                value,
                value >> (step % 128),
                CHUNK - 1,
                CHUNK,
                CHUNK * CHUNK,
            ] {
                assert_eq!(encode(value), plain(value));
                let text = String::from_utf8(plain(value).to_vec()).unwrap();
                assert_eq!(decode(&text), Some(value));
            }
        }
        assert_eq!(decode("YcVfxkQb6JRzqk5kF2tNLv"), Some(u128::MAX));
        assert_eq!(decode("YcVfxkQb6JRzqk5kF2tNLw"), None);
    }

    #[test]
    fn text_sorts_as_the_value_does() {
        let texts: Vec<String> = [0, 1, 60, 1 << 64, u128::MAX]
            .map(|value| EventId(value).to_string())
            .to_vec();
        assert!(texts.is_sorted());
    }

    #[test]
    fn another_kind_or_a_bad_digit_is_refused() {
        let event = EventId(7).to_string();
        assert_eq!(
            event.parse::<SessionId>(),
            Err(MalformedId { kind: "session" })
        );
        assert!("sesn_01".parse::<SessionId>().is_err());
        assert!(
            "sesn_010000000000000000000000"
                .parse::<SessionId>()
                .is_err()
        );
        assert!(
            "sesn_01zzzzzzzzzzzzzzzzzzzzzz"
                .parse::<SessionId>()
                .is_err(),
            "over 128 bits"
        );
    }
}

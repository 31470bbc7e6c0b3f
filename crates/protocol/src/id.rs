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

fn encode(mut value: u128) -> [u8; BODY_DIGITS] {
    let mut digits = [b'1'; BODY_DIGITS];
    for digit in digits.iter_mut().rev() {
        let rest = usize::try_from(value % 58).unwrap_or(0);
        *digit = DIGITS[rest];
        value /= 58;
    }
    digits
}

fn decode(body: &str) -> Option<u128> {
    if body.len() != BODY_DIGITS {
        return None;
    }
    body.bytes().try_fold(0u128, |value, byte| {
        let digit = DIGITS.iter().position(|digit| *digit == byte)?;
        value.checked_mul(58)?.checked_add(digit as u128)
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

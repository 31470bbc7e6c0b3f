//! The name of a host, parsed once and strictly; everything behind it compares for equality.
//!
//! Knows no policy and resolves nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX, SHOWN_CHARS_MAX};

/// Lower-case ASCII labels of letters, digits, hyphens and underscores, without a dot at the end.
///
/// **Invariant:** no resolver reads it as an address: spellings such as `127.1`, `0x7f.1` or
/// `2130706433`, whose last label is a number, aren't names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("a host name is not empty")]
    Empty,
    #[error("a host name has at most {NAME_BYTES_MAX} characters")]
    TooLong,
    #[error("a label of a host name has 1 to {LABEL_BYTES_MAX} characters")]
    LabelLength,
    #[error(
        "a host name consists of ASCII letters, digits, '-', '_' and '.'; write other scripts as xn--"
    )]
    Character,
    #[error("a label of a host name neither starts nor ends with '-'")]
    Hyphen,
    #[error("a host name doesn't end with a number: write addresses in their canonical form")]
    Number,
}

impl HostName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `localhost` and all below it: names that mean the asking machine wherever they are asked.
    pub(crate) fn is_local(&self) -> bool {
        self.0 == "localhost" || self.0.ends_with(".localhost")
    }
}

impl FromStr for HostName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(InvalidName::TooLong);
        }
        let name = text.to_ascii_lowercase();
        name.split('.').try_for_each(check_label)?;
        if name.rsplit('.').next().is_some_and(is_number) {
            return Err(InvalidName::Number);
        }
        Ok(Self(name))
    }
}

fn check_label(label: &str) -> Result<(), InvalidName> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    if !label.bytes().all(allowed) {
        return Err(InvalidName::Character);
    }
    if label.is_empty() || label.len() > LABEL_BYTES_MAX {
        return Err(InvalidName::LabelLength);
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(InvalidName::Hyphen);
    }
    Ok(())
}

/// What `inet_aton` would read as the last part of an address.
fn is_number(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_digit())
        || label
            .strip_prefix("0x")
            .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a client says that it wants to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Name(HostName),
    Address(IpAddr),
}

impl Host {
    /// A host as it stands in an authority: a name, a dotted address, or an IPv6 address in
    /// brackets. Zones, percent signs and other spellings of addresses are refused.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidName> {
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            let address = inner
                .parse::<Ipv6Addr>()
                .map_err(|_| InvalidName::Character)?;
            return Ok(Self::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        text.parse().map(Self::Name)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// Text of a client for an answer or a log line: short, and without characters that could end
/// a line, a header or steer a terminal.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .take(SHOWN_CHARS_MAX)
        .map(|c| if c.is_ascii_graphic() { c } else { '?' })
        .collect()
}

//! `allowed_domains` and `blocked_domains` of the web tools.
//!
//! An entry is a plain ASCII host name that somebody could register; it covers its subdomains.
//! There is no copy of the public suffix list here: under a country's code the usual second
//! levels (`co.uk`) count as suffixes, unusual ones (`github.io`) don't.

use std::collections::HashSet;

use crate::decode::{At, Fields, Invalid};
use crate::limits::{DOMAIN_ENTRY_CHARS, DOMAIN_LABEL_CHARS_MAX, DOMAIN_LIST_ENTRIES};

/// Whether entries may name a path below the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathSuffix {
    Allowed,
    Refused,
}

/// At most one of the two is set.
#[derive(Debug)]
pub(crate) struct DomainList {
    pub(crate) allowed: Option<Vec<String>>,
    pub(crate) blocked: Option<Vec<String>>,
}

/// Top levels that never leave a private network.
const LOCAL_SUFFIXES: [&str; 5] = ["localhost", "local", "internal", "localdomain", "invalid"];

/// Second levels under which countries register names for others.
const COUNTRY_SECOND_LEVELS: [&str; 18] = [
    "ac", "co", "com", "edu", "go", "gob", "gouv", "gov", "govt", "ltd", "mil", "ne", "net", "nom",
    "or", "org", "plc", "sch",
];

impl DomainList {
    pub(crate) fn take(fields: &mut Fields<'_>, suffix: PathSuffix) -> Result<Self, Invalid> {
        let read = |at: At<'_>| entries(&at, suffix);
        let allowed = fields.nullable("allowed_domains", read)?;
        let blocked = fields.nullable("blocked_domains", read)?;
        if allowed.is_some() && blocked.is_some() {
            return Err(fields
                .at()
                .invalid("Only one of allowed_domains or blocked_domains may be set."));
        }
        Ok(Self { allowed, blocked })
    }
}

fn entries(at: &At<'_>, suffix: PathSuffix) -> Result<Vec<String>, Invalid> {
    let entries = at.list(DOMAIN_LIST_ENTRIES, |at| entry(&at, suffix))?;
    let mut seen = HashSet::new();
    for (position, entry) in entries.iter().enumerate() {
        if !seen.insert(entry.as_str()) {
            let path = format!("{}.{position}", at.path);
            return Err(Invalid::new(path, "domain is listed twice"));
        }
    }
    Ok(entries)
}

/// The entry in lower case (a path keeps its case) without a slash at its end.
fn entry(at: &At<'_>, suffix: PathSuffix) -> Result<String, Invalid> {
    let text = at.text(DOMAIN_ENTRY_CHARS)?;
    if text.contains("://") {
        return Err(at.invalid("domain should not have a scheme"));
    }
    let text = text.strip_suffix('/').unwrap_or(&text);
    let (host, path) = match text.find('/') {
        Some(slash) => text.split_at(slash),
        None => (text, ""),
    };
    if !path.is_empty() && suffix == PathSuffix::Refused {
        return Err(at.invalid("domain should not have a path"));
    }
    let forbidden = |character: char| character.is_whitespace() || "?#$,|^!".contains(character);
    if path.contains(forbidden) || path.contains(char::is_control) {
        return Err(at.invalid("path should not contain whitespace or any of ? # $ , | ^ !"));
    }
    let host = host.to_ascii_lowercase();
    host_problem(&host).map_or(Ok(format!("{host}{path}")), |problem| {
        Err(at.invalid(problem))
    })
}

/// What keeps a lower-case text from being a host name that could be registered.
fn host_problem(host: &str) -> Option<&'static str> {
    if host.contains('*') {
        return Some("domain should not have a wildcard");
    }
    if host.contains('@') {
        return Some("domain should not have user information");
    }
    if host.starts_with('[') || is_address(host) {
        return Some("domain should not be an IP address");
    }
    if host.contains(':') {
        return Some("domain should not have a port");
    }
    if !host.split('.').all(is_label) {
        return Some("Input should be a plain ASCII host name (xn-- for international names)");
    }
    let labels: Vec<&str> = host.split('.').collect();
    let top = labels.last().copied().unwrap_or_default();
    if LOCAL_SUFFIXES.contains(&top) {
        return Some("domain should not be local");
    }
    let is_suffix = match labels.as_slice() {
        [_] => true,
        [second, top] => top.len() == 2 && COUNTRY_SECOND_LEVELS.contains(second),
        _ => false,
    };
    if is_suffix {
        return Some("domain should have a registrable suffix");
    }
    // A numeric top level doesn't exist, and resolvers read such names as addresses.
    top.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some("domain should not be an IP address")
}

/// Dotted, octal, hexadecimal and single-number spellings of an address.
fn is_address(host: &str) -> bool {
    let is_number = |part: &str| {
        let hexadecimal = part.strip_prefix("0x");
        match hexadecimal {
            Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
            None => !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()),
        }
    };
    let is_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    is_v6 || host.split('.').all(is_number)
}

pub(crate) fn is_label(label: &str) -> bool {
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=DOMAIN_LABEL_CHARS_MAX).contains(&label.len())
        && label.bytes().all(in_alphabet)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value, suffix: PathSuffix) -> Result<Vec<String>, String> {
        entries(&At::root(&value), suffix).map_err(|error| error.to_string())
    }

    #[test]
    fn plain_host_names_are_kept_in_lower_case() {
        assert_eq!(
            read(
                json!([
                    "Docs.Example.com/",
                    "bbc.co.uk",
                    "xn--bcher-kva.de",
                    "123.de"
                ]),
                PathSuffix::Refused
            ),
            Ok(vec![
                "docs.example.com".into(),
                "bbc.co.uk".into(),
                "xn--bcher-kva.de".into(),
                "123.de".into()
            ])
        );
        assert_eq!(
            read(json!(["example.com/Docs/"]), PathSuffix::Allowed),
            Ok(vec!["example.com/Docs".into()])
        );
    }

    #[test]
    fn everything_else_is_refused_with_its_position() {
        let not_a_name = "Input should be a plain ASCII host name (xn-- for international names)";
        for (entry, problem) in [
            ("https://example.com", "domain should not have a scheme"),
            ("example.com:80", "domain should not have a port"),
            ("me@example.com", "domain should not have user information"),
            ("*.example.com", "domain should not have a wildcard"),
            ("exa mple.com", not_a_name),
            ("bücher.de", not_a_name),
            ("example..com", not_a_name),
            ("-a.com", not_a_name),
            ("example.com.", not_a_name),
            ("127.0.0.1", "domain should not be an IP address"),
            ("2130706433", "domain should not be an IP address"),
            ("0x7f.1", "domain should not be an IP address"),
            ("[::1]", "domain should not be an IP address"),
            ("::1", "domain should not be an IP address"),
            ("a.b.1", "domain should not be an IP address"),
            ("com", "domain should have a registrable suffix"),
            ("co.uk", "domain should have a registrable suffix"),
            ("localhost", "domain should not be local"),
            ("a.localhost", "domain should not be local"),
            ("printer.local", "domain should not be local"),
            ("db.internal", "domain should not be local"),
            ("x.localdomain", "domain should not be local"),
            ("x.invalid", "domain should not be local"),
            ("example.com/path", "domain should not have a path"),
        ] {
            assert_eq!(
                read(json!(["a.com", entry]), PathSuffix::Refused),
                Err(format!("1: {problem}")),
                "{entry}"
            );
        }
        for entry in [
            "example.com/a b",
            "example.com/a?b",
            "example.com/a|b",
            "example.com/!",
        ] {
            assert!(
                read(json!([entry]), PathSuffix::Allowed).is_err(),
                "{entry}"
            );
        }
        assert_eq!(
            read(json!(["a.com", "A.com/"]), PathSuffix::Refused),
            Err(".1: domain is listed twice".into())
        );
        assert!(read(json!([]), PathSuffix::Refused).is_err());
        assert!(read(json!(vec!["a.com"; 65]), PathSuffix::Refused).is_err());
    }
}

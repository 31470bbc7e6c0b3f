//! `allowed_hosts`: a bare host name, or `*.` before one.

use crate::agent::is_host_label;
use crate::decode::{At, Invalid};
use crate::limits::HOST_CHARS;

/// The entry in lower case.
pub(crate) fn allowed_host(at: At<'_>) -> Result<String, Invalid> {
    let host = at.text(HOST_CHARS)?.to_ascii_lowercase();
    let name = host.strip_prefix("*.").unwrap_or(&host);
    if !name.split('.').all(is_host_label) {
        return Err(at.invalid(
            "Input should be a bare host name or '*.' and a suffix, without scheme, port or path",
        ));
    }
    Ok(host)
}

/// Whether a list of allowed hosts has this one: by its name, or by a suffix that it is below.
pub fn is_host_listed(allowed: &[String], host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    allowed.iter().any(|entry| match entry.strip_prefix("*.") {
        Some(suffix) => host
            .strip_suffix(suffix)
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|labels| !labels.is_empty()),
        None => *entry == host,
    })
}

#[cfg(test)]
mod tests {
    use super::is_host_listed;

    #[test]
    fn a_suffix_is_for_what_is_below_it() {
        let allowed = ["api.example.com".to_owned(), "*.x.org".to_owned()];
        for host in ["API.example.com", "a.x.org", "a.b.x.org"] {
            assert!(is_host_listed(&allowed, host), "{host}");
        }
        for host in [
            "example.com",
            "x.org",
            ".x.org",
            "ax.org",
            "b.api.example.com",
        ] {
            assert!(!is_host_listed(&allowed, host), "{host}");
        }
    }
}

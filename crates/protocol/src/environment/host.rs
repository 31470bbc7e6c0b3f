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

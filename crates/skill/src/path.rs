//! The path of a file in an upload: plain names, joined by slashes.
//!
//! What it says is not what keeps a file inside of a sandbox's directory: whoever places it has the
//! kernel resolve it. This refuses early, and by name.

use crate::Refused;
use crate::limits::{PATH_BYTES_MAX, PATH_NAME_BYTES_MAX, PATH_NAMES_MAX};

pub(crate) fn check(path: &str) -> Result<(), Refused> {
    let refuse = |what: &str| {
        let shown: String = path.chars().take(128).collect();
        Err(Refused::new(format!("the path {shown:?} {what}")))
    };
    if path.len() > PATH_BYTES_MAX {
        return refuse("is too long");
    }
    if path.split('/').count() > PATH_NAMES_MAX {
        return refuse("lies too deep");
    }
    if path.contains('\\') || path.chars().any(char::is_control) {
        return refuse("should have no backslash and no control character");
    }
    for name in path.split('/') {
        match name {
            "" => return refuse("should be relative, and have no empty name"),
            "." | ".." => return refuse("should not have '.' or '..' for a name"),
            name if name.len() > PATH_NAME_BYTES_MAX => {
                return refuse("has a name that is too long");
            }
            _ => {}
        }
    }
    Ok(())
}

/// What programs for Macs put into archives besides what was packed.
pub(crate) fn is_of_a_mac(path: &str) -> bool {
    path.split('/')
        .any(|name| name == "__MACOSX" || name == ".DS_Store")
}

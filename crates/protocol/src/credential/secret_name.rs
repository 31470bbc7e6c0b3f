//! The name of an environment variable that stands for a secret.

use crate::decode::{At, Invalid};
use crate::limits::SECRET_NAME_CHARS;

/// Names that change how programs run, or that the sandbox and its clients set themselves.
const RESERVED: &[&str] = &[
    "BASHOPTS",
    "BASH_ENV",
    "CDPATH",
    "ENV",
    "HOME",
    "HOSTNAME",
    "IFS",
    "LANG",
    "LOGNAME",
    "OLDPWD",
    "PATH",
    "PS4",
    "PWD",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "TERM",
    "TMPDIR",
    "USER",
    "_",
    // By these the sandbox tells programs whom to trust.
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "CURL_CA_BUNDLE",
    "DENO_CERT",
    "GIT_SSL_CAINFO",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "NPM_CONFIG_CAFILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
];
// Git's are how it gets the tokens of repositories.
const RESERVED_PREFIXES: &[&str] = &[
    "ANTHROPIC_",
    "BASH_FUNC_",
    "GIT_CONFIG_",
    "HOSTLER_",
    "LC_",
    "LD_",
];

pub(super) fn secret_name(at: At<'_>) -> Result<String, Invalid> {
    let name = at.text(SECRET_NAME_CHARS)?;
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(at.invalid(
            "Input should be the name of an environment variable: letters, digits and '_', not beginning with a digit",
        ));
    }
    let upper = name.to_ascii_uppercase();
    let is_proxy = upper.ends_with("_PROXY");
    if is_proxy
        || RESERVED.contains(&upper.as_str())
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| upper.starts_with(prefix))
    {
        return Err(at.invalid("Input should not be a name that the system uses itself"));
    }
    Ok(name)
}

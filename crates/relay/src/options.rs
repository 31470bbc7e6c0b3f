//! Where the servers of NATS are, and how this one says who it is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use async_nats::ServerAddr;
use zeroize::Zeroizing;

use crate::limits::{PREFIX_CHARS_MAX, SERVERS_MAX};

/// The text of a secret. **Invariant:** it can't be printed.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// What a connection begins with.
#[derive(Debug, Clone)]
pub enum Credential {
    None,
    Token(SecretText),
    Password {
        user: String,
        password: SecretText,
    },
    /// The text of a `.creds` file: a JWT, and the key that signs the server's challenge.
    Creds(SecretText),
}

/// The address of one server: `nats://host:4222`, or `tls://host:4222` where TLS is demanded.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerAddress(pub(crate) ServerAddr);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerAddressError {
    #[error("must be nats://HOST:PORT or tls://HOST:PORT, or several of them with commas between")]
    Form,
    #[error("must not hold a name, a password or a token: there are settings for these")]
    HoldsSecret,
    #[error("may name at most {SERVERS_MAX} servers")]
    TooMany,
}

impl fmt::Debug for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.0.host(), self.0.port());
        match host.contains(':') {
            true => write!(formatter, "{}://[{host}]:{port}", self.0.scheme()),
            false => write!(formatter, "{}://{host}:{port}", self.0.scheme()),
        }
    }
}

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, ServerAddressError> {
        let has_scheme = ["nats://", "tls://"].iter().any(|s| text.starts_with(s));
        let address = match has_scheme {
            true => text.parse::<ServerAddr>().ok(),
            false => None,
        };
        let address = address.ok_or(ServerAddressError::Form)?;
        if address.has_user_pass() || text.contains('@') {
            return Err(ServerAddressError::HoldsSecret);
        }
        let url = address.clone().into_inner();
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
        if address.host().is_empty() || !is_bare || url.fragment().is_some() {
            return Err(ServerAddressError::Form);
        }
        Ok(Self(address))
    }
}

impl ServerAddress {
    /// Several, with commas between.
    ///
    /// # Errors
    /// See [`ServerAddressError`].
    pub fn list(text: &str) -> Result<Vec<Self>, ServerAddressError> {
        let servers: Vec<Self> = text
            .split(',')
            .map(|one| one.trim().parse())
            .collect::<Result<_, _>>()?;
        match servers.len() {
            0..=SERVERS_MAX => Ok(servers),
            _ => Err(ServerAddressError::TooMany),
        }
    }

    /// Whether nothing that is said can be read on the way.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.tls_required()
    }
}

#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// Any of them will do; others that these may name are not asked.
    pub servers: Vec<ServerAddress>,
    pub credential: Credential,
    /// The authorities that sign servers' certificates, in place of those of this machine.
    pub ca_file: Option<PathBuf>,
    /// In front of every topic, so that several databases can share the servers.
    pub prefix: String,
    /// How the connection is called in the servers' own lists.
    pub name: String,
}

impl RelayOptions {
    /// Whether `prefix` can stand in front of topics.
    #[must_use]
    pub fn is_prefix(prefix: &str) -> bool {
        let is_word = |word: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            !word.is_empty() && word.chars().all(is_plain)
        };
        prefix.len() <= PREFIX_CHARS_MAX && prefix.split('.').all(is_word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_servers_and_hold_no_secret() {
        let servers = ServerAddress::list("nats://a:4222, tls://[::1]").unwrap();
        let shown: Vec<String> = servers.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["nats://a:4222", "tls://[::1]:4222"]);
        assert!(!servers[0].is_encrypted() && servers[1].is_encrypted());
        for wrong in [
            "",
            "a:4222",
            "http://a",
            "ws://a",
            "nats://",
            "nats://a/path",
            "nats://a?x=1",
            "nats://a,",
        ] {
            let refused = ServerAddress::list(wrong);
            assert_eq!(refused, Err(ServerAddressError::Form), "{wrong}");
        }
        for secret in ["nats://me:word@a", "nats://token@a", "tls://:word@a"] {
            let refused = ServerAddress::list(secret);
            assert_eq!(refused, Err(ServerAddressError::HoldsSecret), "{secret}");
        }
        let many = vec!["nats://a"; SERVERS_MAX + 1].join(",");
        let refused = ServerAddress::list(&many);
        assert_eq!(refused, Err(ServerAddressError::TooMany));
    }

    #[test]
    fn a_prefix_is_words_and_dots() {
        for good in ["hostler", "a.b-c.D_1"] {
            assert!(RelayOptions::is_prefix(good), "{good}");
        }
        let long = "x".repeat(PREFIX_CHARS_MAX + 1);
        for bad in ["", ".", "a.", "a b", "a.*", ">", "ä", long.as_str()] {
            assert!(!RelayOptions::is_prefix(bad), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let password = SecretText::new("hidden".to_owned());
        let user = "me".to_owned();
        let shown = format!("{:?}", Credential::Password { user, password });
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

//! The address of a repository, and the list of hosts that an operator permits.
//!
//! Only what every Git host uses is taken: a scheme of the web, a host by its name, and a path of
//! plain names. A URL with a user or a password in it would be a token in the wrong place.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::agent::is_host_label;
use crate::limits::{REPOSITORY_HOST_BYTES_MAX, REPOSITORY_URL_BYTES_MAX};

/// The one host whose paths are known to be an owner and a name.
const GITHUB: &str = "github.com";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Scheme {
    Https,
    Http,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

/// A scheme, a host and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryHost {
    scheme: Scheme,
    /// In lower case.
    name: String,
    port: u16,
}

/// Where a repository is cloned from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryUrl {
    /// As it was given.
    text: String,
    host: RepositoryHost,
    /// With its leading slash.
    path: String,
}

impl RepositoryUrl {
    /// # Errors
    /// A sentence for whoever sent it, which never repeats what was sent: there may be a password
    /// in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > REPOSITORY_URL_BYTES_MAX {
            return Err(format!(
                "URL should have at most {REPOSITORY_URL_BYTES_MAX} characters"
            ));
        }
        let (scheme, rest) = scheme_of(text).ok_or("URL scheme should be 'https'")?;
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err("URL should not contain a user or a password".to_owned());
        }
        let host = RepositoryHost::of_authority(scheme, authority)?;
        let names = path.strip_prefix('/').unwrap_or_default();
        if !names.split('/').all(is_path_name) {
            return Err(
                "URL should have a path of plain names, without a slash at its end, a query or a \
                 fragment"
                    .to_owned(),
            );
        }
        if host.name == GITHUB && (names.split('/').count() != 2 || names.ends_with(".git")) {
            return Err("URL should be https://github.com/<owner>/<repo>, without .git".to_owned());
        }
        Ok(Self {
            text: text.to_owned(),
            host,
            path: path.to_owned(),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn host(&self) -> &RepositoryHost {
        &self.host
    }

    /// With its leading slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same for all spellings of one address.
    pub fn canonical(&self) -> String {
        format!("{}{}", self.host, self.path)
    }

    /// The last name of the path, without `.git`.
    pub fn repository_name(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".git").unwrap_or(name)
    }
}

fn scheme_of(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.eq_ignore_ascii_case("https") {
        Some((Scheme::Https, rest))
    } else if scheme.eq_ignore_ascii_case("http") {
        Some((Scheme::Http, rest))
    } else {
        None
    }
}

fn is_path_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte);
    !matches!(name, "" | "." | ".." | ".git") && name.bytes().all(allowed)
}

impl RepositoryHost {
    fn of_authority(scheme: Scheme, authority: &str) -> Result<Self, String> {
        let no_name = "URL should have the name of a host, not an address";
        if authority.starts_with('[') {
            return Err(no_name.to_owned());
        }
        let (name, port) = match authority.split_once(':') {
            Some((name, port)) => {
                let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
                let port = is_number.then(|| port.parse().ok()).flatten();
                (
                    name,
                    port.filter(|port| *port > 0)
                        .ok_or("URL should have a valid port")?,
                )
            }
            None => (authority, scheme.port()),
        };
        let name = name.to_ascii_lowercase();
        let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
        if name.len() > REPOSITORY_HOST_BYTES_MAX
            || !name.split('.').all(is_host_label)
            || name.rsplit('.').next().is_none_or(is_number)
        {
            return Err(no_name.to_owned());
        }
        Ok(Self { scheme, name, port })
    }

    /// Without scheme and port.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether what is fetched can be read and changed on the way.
    pub fn is_plain_text(&self) -> bool {
        match self.scheme {
            Scheme::Http => true,
            Scheme::Https => false,
        }
    }
}

/// An entry of an operator's list: `host`, `host:port`, or either with `https://` or `http://`
/// before it. Without a scheme it is https.
impl FromStr for RepositoryHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, authority) = match text.contains("://") {
            true => scheme_of(text).ok_or("the scheme of a host is https or http")?,
            false => (Scheme::Https, text),
        };
        Self::of_authority(scheme, authority)
            .map_err(|_| format!("{text:?} is not `host`, `host:port` or `http://host:port`"))
    }
}

impl fmt::Display for RepositoryHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme.as_str(), self.name)?;
        match self.port == self.scheme.port() {
            true => Ok(()),
            false => write!(formatter, ":{}", self.port),
        }
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for RepositoryUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Reads what a [`RepositoryUrl`] was shown as.
impl FromStr for RepositoryUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

/// The hosts that an operator permits repositories of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryHosts(Vec<RepositoryHost>);

impl RepositoryHosts {
    pub fn new(hosts: Vec<RepositoryHost>) -> Self {
        Self(hosts)
    }

    /// # Errors
    /// A sentence for whoever asked.
    pub fn check(&self, url: &RepositoryUrl) -> Result<(), String> {
        if self.0.contains(&url.host) {
            return Ok(());
        }
        Err(format!(
            "repositories of {} are not permitted on this server; the operator lists those that \
             are in repositories.allowed_hosts",
            url.host
        ))
    }
}

/// What the protocol knows: GitHub.
impl Default for RepositoryHosts {
    fn default() -> Self {
        Self(vec![RepositoryHost {
            scheme: Scheme::Https,
            name: GITHUB.to_owned(),
            port: Scheme::Https.port(),
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_the_web_are_read() {
        for (given, canonical, name) in [
            ("https://github.com/a/b", "https://github.com/a/b", "b"),
            ("HTTPS://GitHub.com:443/a/B", "https://github.com/a/B", "B"),
            (
                "https://git.example.org:8443/group/sub/tool.git",
                "https://git.example.org:8443/group/sub/tool.git",
                "tool",
            ),
            ("http://git.test/a", "http://git.test/a", "a"),
            (
                "https://git.test/--upload-pack",
                "https://git.test/--upload-pack",
                "--upload-pack",
            ),
        ] {
            let url = RepositoryUrl::parse(given).unwrap();
            assert_eq!(url.as_str(), given);
            assert_eq!(url.canonical(), canonical);
            assert_eq!(url.repository_name(), name);
        }
    }

    #[test]
    fn everything_else_is_refused_without_being_repeated() {
        let long = format!("https://git.test/{}", "a".repeat(2_048));
        for given in [
            "",
            "github.com/a/b",
            "git@github.com:a/b",
            "ssh://git@github.com/a/b",
            "git://github.com/a/b",
            "file:///etc",
            "ext::sh -c touch% /tmp/x",
            "--upload-pack=touch",
            "https://",
            "https:///a/b",
            "https://user:secret@github.com/a/b",
            "https://secret@github.com/a/b",
            "https://github.com",
            "https://github.com/",
            "https://github.com/a",
            "https://github.com/a/b/c",
            "https://github.com/a/b.git",
            "https://github.com/a/b/",
            "https://git.test/a/../b",
            "https://git.test/a/.",
            "https://git.test/.git",
            "https://git.test//a",
            "https://git.test/a?secret",
            "https://git.test/a#secret",
            "https://git.test/%2e%2e/b",
            "https://git.test/a b",
            "https://git.test/a\n",
            "https://git.test:/a",
            "https://git.test:0/a",
            "https://git.test:+443/a",
            "https://git.test:99999/a",
            "https://127.0.0.1/a/b",
            "https://2130706433/a/b",
            "https://[::1]/a/b",
            "https://git..test/a",
            "https://-git.test/a",
            &long,
        ] {
            let refusal = RepositoryUrl::parse(given).unwrap_err();
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn a_list_permits_a_scheme_a_host_and_a_port() {
        let hosts = ["github.com", "git.test:8443", "http://Plain.test:3000"];
        let hosts = hosts.map(|host| host.parse().unwrap()).to_vec();
        let hosts = RepositoryHosts::new(hosts);
        let permits = |url: &str| hosts.check(&RepositoryUrl::parse(url).unwrap()).is_ok();
        assert!(permits("https://github.com/a/b"));
        assert!(permits("https://git.test:8443/a"));
        assert!(permits("http://plain.test:3000/a"));
        assert!(!permits("http://github.com/a/b"));
        assert!(!permits("https://git.test/a"));
        assert!(!permits("https://plain.test:3000/a"));
        assert!(!permits("https://sub.github.com/a/b"));
        for bad in ["", "ftp://git.test", "git.test/a", "10.0.0.1", "a:b"] {
            assert!(bad.parse::<RepositoryHost>().is_err(), "{bad}");
        }
    }
}

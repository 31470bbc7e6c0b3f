//! The address of a page in one spelling: what is compared is what is fetched.

use std::fmt;

use url::{Host, Url};

/// Characters of an address.
pub(super) const ADDRESS_CHARS_MAX: usize = 2_048;

/// An http or https address without user information and fragment, as the URL standard spells it: the host in lower
/// case, in punycode and without a dot at its end, addresses in their usual form, and no port that is the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebAddress(Url);

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    #[error("an address has at most {ADDRESS_CHARS_MAX} characters")]
    TooLong,
    #[error("that is not the address of a page")]
    NotOne,
    #[error("only http and https are fetched")]
    Scheme,
    #[error("an address with a user name or a password is not fetched")]
    UserInformation,
}

impl AddressProblem {
    /// The word for it in a result.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "url_too_long",
            Self::NotOne | Self::Scheme | Self::UserInformation => "invalid_tool_input",
        }
    }
}

impl WebAddress {
    /// # Errors
    /// See [`AddressProblem`].
    pub fn parse(text: &str) -> Result<Self, AddressProblem> {
        if text.len() > ADDRESS_CHARS_MAX {
            return Err(AddressProblem::TooLong);
        }
        let url = Url::parse(text.trim()).map_err(|_| AddressProblem::NotOne)?;
        Self::of(url)
    }

    /// # Errors
    /// See [`AddressProblem`].
    pub fn of(mut url: Url) -> Result<Self, AddressProblem> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressProblem::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressProblem::UserInformation);
        }
        url.set_fragment(None);
        let host = url.host_str().ok_or(AddressProblem::NotOne)?;
        if let Some(bare) = host.strip_suffix('.') {
            let bare = bare.to_owned();
            url.set_host(Some(&bare))
                .map_err(|_| AddressProblem::NotOne)?;
        }
        // Two dots, or a number behind the dot that is gone now.
        let is_sound = matches!(url.host(), Some(Host::Domain(name)) if !name.ends_with('.'));
        let is_address = matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
        if !is_sound && !is_address || url.port() == Some(0) {
            return Err(AddressProblem::NotOne);
        }
        Ok(Self(url))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn url(&self) -> &Url {
        &self.0
    }

    /// A name, or an address as it stands in a URL.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The name of the host, if it has one.
    pub(super) fn name(&self) -> Option<&str> {
        match self.0.host()? {
            Host::Domain(name) => Some(name),
            Host::Ipv4(_) | Host::Ipv6(_) => None,
        }
    }

    /// Where the same page would be without TLS, at its usual port.
    pub(super) fn without_tls(&self) -> Option<Self> {
        if self.0.scheme() != "https" || self.0.port().is_some() {
            return None;
        }
        let mut url = self.0.clone();
        url.set_scheme("http").ok()?;
        Some(Self(url))
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> Result<String, AddressProblem> {
        WebAddress::parse(text).map(|address| address.to_string())
    }

    #[test]
    fn every_spelling_of_an_address_is_one() {
        for (text, expected) in [
            ("HTTP://Example.COM", "http://example.com/"),
            ("https://example.com:443/a#part", "https://example.com/a"),
            ("https://example.com./a", "https://example.com/a"),
            ("https:\\\\example.com\\a", "https://example.com/a"),
            ("https://exa\tmple.com/a", "https://example.com/a"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            ("https://ＥＸＡＭＰＬＥ.com/", "https://example.com/"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://2130706433/", "http://127.0.0.1/"),
            ("http://0177.0.0.1/", "http://127.0.0.1/"),
            ("http://127.0.0.1./", "http://127.0.0.1/"),
            ("http://[::FFFF:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
            ("https://example.com/a/../b/./c", "https://example.com/b/c"),
            (
                "https://example.com/%7Ea%2Fb",
                "https://example.com/%7Ea%2Fb",
            ),
        ] {
            assert_eq!(spelled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_page_has_none() {
        for (text, problem) in [
            ("ftp://example.com/", AddressProblem::Scheme),
            ("file:///etc/passwd", AddressProblem::Scheme),
            ("javascript:alert(1)", AddressProblem::Scheme),
            ("https://user@example.com/", AddressProblem::UserInformation),
            ("https://:pw@example.com/", AddressProblem::UserInformation),
            (
                "https://good.example@evil.example/",
                AddressProblem::UserInformation,
            ),
            ("example.com", AddressProblem::NotOne),
            ("https://", AddressProblem::NotOne),
            ("https://example.com:0/", AddressProblem::NotOne),
            ("https://example.com../", AddressProblem::NotOne),
            ("", AddressProblem::NotOne),
        ] {
            assert_eq!(spelled(text), Err(problem), "{text}");
        }
        let long = format!("https://example.com/{}", "a".repeat(2_048));
        assert_eq!(spelled(&long), Err(AddressProblem::TooLong));
    }
}

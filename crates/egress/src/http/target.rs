//! Which host a request is for: by its target, and by its Host header, which have to agree.

use hyper::header::HOST;
use hyper::{Method, Request, Uri, Version};

use crate::denial::Denial;
use crate::host_name::{Host, InvalidName, shown};

/// What a request is sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    /// TLS, which ends here and begins anew.
    Https,
}

impl Scheme {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub(super) fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Where one request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Host,
    pub(super) port: u16,
    pub(super) scheme: Scheme,
}

/// A host and a port, of which the port may be left to the scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) host: Host,
    pub(super) port: Option<u16>,
}

impl Authority {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`; there is no user in it.
    pub(super) fn parse(text: &str) -> Result<Self, Denial> {
        if text.contains('@') {
            return Err(Denial::InvalidName(shown(text), InvalidName::Character));
        }
        let (host, port) = match text.find(']') {
            Some(end) if text.starts_with('[') => {
                let (host, rest) = text.split_at(end + 1);
                match rest.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if rest.is_empty() => (host, None),
                    None => {
                        return Err(Denial::InvalidName(shown(text), InvalidName::Character));
                    }
                }
            }
            _ => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let host = Host::parse(host).map_err(|why| Denial::InvalidName(shown(host), why))?;
        let port = port.map(port_number).transpose()?;
        Ok(Self { host, port })
    }

    /// Whether this names that host; a port that isn't named is not wrong.
    fn agrees(&self, host: &Host, port: u16) -> bool {
        self.host == *host && self.port.is_none_or(|own| own == port)
    }
}

fn port_number(text: &str) -> Result<u16, Denial> {
    let digits = !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        Ok(_) | Err(_) => Err(Denial::InvalidPort(shown(text))),
    }
}

/// The host of a request in absolute form, as a client sends it to a proxy.
pub(super) fn of_proxy_request<B>(request: &Request<B>) -> Result<(Host, u16), Denial> {
    let Some(authority) = authority(request.uri(), Scheme::Http)? else {
        return Err(Denial::Malformed(
            "a request to a proxy names its host in full, as in http://host/path",
        ));
    };
    Ok((authority.host, authority.port.unwrap_or(80)))
}

/// The host of a CONNECT, which always names the port.
pub(super) fn of_connect<B>(request: &Request<B>) -> Result<(Host, u16), Denial> {
    let uri = request.uri();
    if uri.scheme().is_some() || uri.path_and_query().is_some() {
        return Err(Denial::Malformed("a CONNECT names a host and a port only"));
    }
    let authority = uri.authority().map_or("", |a| a.as_str());
    let authority = Authority::parse(authority)?;
    let Some(port) = authority.port else {
        return Err(Denial::InvalidPort(String::new()));
    };
    Ok((authority.host, port))
}

/// Holds a request against the host that its connection leads to.
pub(super) fn check_origin_request<B>(
    request: &Request<B>,
    host: &Host,
    port: u16,
    scheme: Scheme,
) -> Result<(), Denial> {
    if request.method() == Method::CONNECT {
        return Err(Denial::Method("CONNECT".to_owned()));
    }
    if let Some(authority) = authority(request.uri(), scheme)?
        && !authority.agrees(host, port)
    {
        return Err(other(&authority.host, host));
    }
    check_host_header(request, host, port)
}

/// The host that a request names, for the words of a refusal.
pub(super) fn named<B>(request: &Request<B>) -> Option<Host> {
    let header = request.headers().get(HOST)?.to_str().ok()?;
    Authority::parse(header)
        .ok()
        .map(|authority| authority.host)
}

fn authority(uri: &Uri, scheme: Scheme) -> Result<Option<Authority>, Denial> {
    let Some(authority) = uri.authority() else {
        return Ok(None);
    };
    if uri.scheme_str() != Some(scheme.as_str()) {
        return Err(Denial::Malformed(match scheme {
            Scheme::Http => "a request in the clear is for an http:// address",
            Scheme::Https => "a request inside of TLS is for an https:// address",
        }));
    }
    Authority::parse(authority.as_str()).map(Some)
}

/// Holds the Host header against the host that a request goes to.
pub(super) fn check_host_header<B>(
    request: &Request<B>,
    host: &Host,
    port: u16,
) -> Result<(), Denial> {
    let mut values = request.headers().get_all(HOST).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value,
        (None, _) if request.version() == Version::HTTP_10 => return Ok(()),
        // There the target names it, and was held against the host.
        (None, _)
            if request.version() == Version::HTTP_2 && request.uri().authority().is_some() =>
        {
            return Ok(());
        }
        (None, _) => return Err(Denial::Malformed("it has no Host header")),
        (Some(_), Some(_)) => return Err(Denial::Malformed("it has more than one Host header")),
    };
    let Ok(text) = value.to_str() else {
        return Err(Denial::InvalidName(
            shown(&String::from_utf8_lossy(value.as_bytes())),
            InvalidName::Character,
        ));
    };
    let authority = Authority::parse(text)?;
    if authority.agrees(host, port) {
        Ok(())
    } else {
        Err(other(&authority.host, host))
    }
}

fn other(named: &Host, leads_to: &Host) -> Denial {
    Denial::OtherHost {
        named: named.to_string(),
        leads_to: leads_to.to_string(),
    }
}

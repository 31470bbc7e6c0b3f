//! What takes the place of placeholders in the requests of one sandbox, and for which hosts.
//!
//! The sandbox knows placeholders only. Which value belongs to one is asked anew for each request, so that
//! what was changed or taken away elsewhere counts from the next request on.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures::future::BoxFuture;
use rustls::crypto::aws_lc_rs;
use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::denial::Denial;
use crate::host_name::Host;
use crate::limits::{SECRET_FOUND_BYTES_MIN, SECRET_FOUND_ENCODED_BYTES_MIN};
use crate::policy::AllowedHosts;
use crate::replace::Pair;

/// The secrets of one sandbox.
pub struct Secrets {
    /// Vouches for the hosts inside whose TLS placeholders are replaced. The sandbox has to trust it.
    pub authority: Authority,
    pub source: Arc<SecretSource>,
}

/// Says what is to be replaced at this moment. After an error nothing is sent.
pub type SecretSource = dyn Fn() -> BoxFuture<'static, io::Result<Substitutions>> + Send + Sync;

pub type Substitutions = Arc<[Arc<Substitution>]>;

/// One secret, what stands for it inside, and where it may go.
pub struct Substitution {
    pub placeholder: String,
    pub value: Zeroizing<String>,
    pub hosts: SecretHosts,
    /// The only part of these hosts that it is for. `None`: all of them.
    pub place: Option<Place>,
    pub locations: Locations,
}

/// A part of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub transport: Transport,
    pub port: u16,
    /// This path, with or without `.git` at its end, and all below it.
    pub path: String,
}

/// What a request is sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Clear,
    Tls,
}

impl Place {
    /// A path that a server may read in another way is none of its own.
    fn has(&self, asked: &Asked<'_>) -> bool {
        let odd = ["..", "//", "%", "\\", "/./"];
        let own = self.path.strip_suffix(".git").unwrap_or(&self.path);
        let rest = asked.path.strip_prefix(own);
        let rest = rest.map(|rest| rest.strip_prefix(".git").unwrap_or(rest));
        self.transport == asked.transport
            && !odd.iter().any(|part| asked.path.contains(part))
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// What one request asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) transport: Transport,
    pub(crate) path: &'a str,
}

/// Where in a request a placeholder is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locations {
    pub header: bool,
    pub body: bool,
}

/// The hosts that a secret may be sent to, among those that the policy permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretHosts {
    Any,
    These {
        names: AllowedHosts,
        addresses: BTreeSet<IpAddr>,
    },
}

impl SecretHosts {
    /// Names, `*.suffix` for all names below a suffix, and addresses.
    pub fn these<T: AsRef<str>>(entries: impl IntoIterator<Item = T>) -> Self {
        let names = AllowedHosts::new(entries);
        let addresses = names
            .ignored()
            .iter()
            .filter_map(|entry| entry.parse().ok());
        Self::These {
            addresses: addresses.collect(),
            names,
        }
    }

    fn has(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::These { names, .. }, Host::Name(name)) => names.matches(name),
            (Self::These { addresses, .. }, Host::Address(address)) => {
                addresses.contains(&address.to_canonical())
            }
        }
    }
}

/// What is replaced in one request to a host, and hidden in its answer.
pub(crate) struct Injection(Vec<Arc<Substitution>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    Header,
    Body,
}

impl Secrets {
    pub(crate) async fn injection(&self, host: &Host, port: u16) -> Result<Injection, Denial> {
        let all = (self.source)().await.map_err(|error| {
            tracing::warn!(%error, "the secrets of a sandbox can't be had");
            Denial::NoSecrets
        })?;
        let leads_there = |place: &Option<Place>| place.as_ref().is_none_or(|at| at.port == port);
        let good = all
            .iter()
            .filter(|one| one.hosts.has(host) && leads_there(&one.place));
        Ok(Injection(good.map(Arc::clone).collect()))
    }
}

impl Injection {
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// From placeholders to what they stand for.
    pub(crate) fn outward(&self, location: Location, asked: &Asked<'_>) -> Vec<Pair> {
        let is_wanted = |one: &&Arc<Substitution>| {
            let is_for_it = one.place.as_ref().is_none_or(|place| place.has(asked));
            is_for_it
                && match location {
                    Location::Header => one.locations.header,
                    Location::Body => one.locations.body,
                }
        };
        let pairs = self.0.iter().filter(is_wanted).map(|one| Pair {
            from: bytes(&one.placeholder),
            to: bytes(&one.value),
        });
        pairs.collect()
    }

    /// From the forms in which a host may send a secret back to what is shown instead: as many stars, so
    /// that no length changes.
    pub(crate) fn hidden(&self) -> Vec<Pair> {
        let forms = self.0.iter().flat_map(|one| forms(&one.value));
        let pairs = forms.map(|form| Pair {
            to: Zeroizing::new(vec![b'*'; form.len()]),
            from: form,
        });
        pairs.collect()
    }
}

/// A text that stands for a secret inside a sandbox and is worth nothing elsewhere: 128 random bits that have
/// nothing to do with the secret, in characters that need no quoting anywhere.
///
/// # Errors
/// When the system has no randomness to give.
pub fn new_placeholder() -> io::Result<String> {
    let mut bytes = [0; 16];
    let random = aws_lc_rs::default_provider().secure_random;
    let filled = random.fill(&mut bytes);
    filled.map_err(|_| io::Error::other("the system's random numbers are not available"))?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("hostler_placeholder_{digits}"))
}

fn bytes(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

/// A value as it is, as in JSON, as in a URL, and inside of base64 at each of its three offsets.
fn forms(value: &str) -> Vec<Zeroizing<Vec<u8>>> {
    if value.len() < SECRET_FOUND_BYTES_MIN {
        return Vec::new();
    }
    let mut forms = vec![bytes(value)];
    for other in [in_json(value), in_url(value)] {
        if *other != *forms[0] {
            forms.push(other);
        }
    }
    if value.len() >= SECRET_FOUND_ENCODED_BYTES_MIN {
        forms.extend((0..3).map(|offset| in_base64(value, offset)));
    }
    forms
}

fn in_json(value: &str) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 2));
    for byte in value.bytes() {
        if matches!(byte, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text
}

fn in_url(value: &str) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 3));
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte);
        } else {
            text.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    text
}

/// The characters that are the same whatever is before and behind the value.
fn in_base64(value: &str, offset: usize) -> Zeroizing<Vec<u8>> {
    let mut shifted = Zeroizing::new(vec![0; offset]);
    shifted.extend_from_slice(value.as_bytes());
    let text = Zeroizing::new(STANDARD_NO_PAD.encode(&shifted));
    let first = [0, 2, 3][offset];
    let last = shifted.len() / 3 * 4;
    Zeroizing::new(text.as_bytes()[first..last.max(first)].to_vec())
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

/// Without the value.
impl fmt::Debug for Substitution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Substitution")
            .field("placeholder", &self.placeholder)
            .field("hosts", &self.hosts)
            .field("locations", &self.locations)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replace::Replacer;

    #[test]
    fn a_value_is_found_in_base64_wherever_it_stands() {
        let value = "a secret of some length";
        for before in ["", "u:", "user:", "admin: "] {
            for behind in ["", "?", "!!"] {
                let sent = STANDARD_NO_PAD.encode(format!("{before}{value}{behind}"));
                let found = forms(value).into_iter().map(|from| Pair {
                    to: bytes("*"),
                    from,
                });
                let hidden = Replacer::new(found.collect()).replaced(sent.as_bytes());
                let hidden = String::from_utf8(hidden.unwrap()).unwrap();
                assert!(hidden.contains('*'), "{before:?} {behind:?}");
            }
        }
    }

    #[test]
    fn a_place_is_a_path_and_what_is_below_it() {
        let place = Place {
            transport: Transport::Tls,
            port: 443,
            path: "/owner/tool".to_owned(),
        };
        let has = |path: &str| {
            let transport = Transport::Tls;
            place.has(&Asked { transport, path })
        };
        for good in [
            "/owner/tool",
            "/owner/tool/info/refs",
            "/owner/tool.git/git-upload-pack",
        ] {
            assert!(has(good), "{good}");
        }
        for bad in [
            "/owner/tools",
            "/owner/tool.gitx",
            "/owner",
            "/owner/tool/../other/info/refs",
            "/owner/tool/%2e%2e/other",
            "/owner/tool//x",
            "/Owner/tool",
            "/",
        ] {
            assert!(!has(bad), "{bad}");
        }
        let (transport, path) = (Transport::Clear, "/owner/tool");
        assert!(!place.has(&Asked { transport, path }));
    }

    #[test]
    fn hosts_are_names_suffixes_and_addresses() {
        let hosts = SecretHosts::these(["a.example", "*.b.example", "192.0.2.7"]);
        let has = |host: &str| hosts.has(&Host::parse(host).unwrap());
        assert!(has("A.example") && has("x.b.example") && has("192.0.2.7"));
        assert!(!has("b.example") && !has("x.a.example") && !has("192.0.2.8"));
        assert!(SecretHosts::Any.has(&Host::parse("[::1]").unwrap()));
    }
}

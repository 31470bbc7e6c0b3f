//! What a server says on stdout when it is ready: the lines that point an SDK at it.
//!
//! Scripts read `export ANTHROPIC_BASE_URL=` and `export ANTHROPIC_API_KEY=` from it, so these two keep
//! their form.

use std::net::SocketAddr;

use crate::first_start::FirstKey;

/// The whole banner, with an empty line around it.
pub fn banner(base_url: &str, key: &FirstKey) -> String {
    let key = match key {
        FirstKey::JustMade(key) => format!(
            "  export ANTHROPIC_API_KEY={}

The key is shown this once; `hostler keys create` makes another.
",
            key.reveal()
        ),
        FirstKey::Known => "
Use a key that you have; `hostler keys create` makes one.
"
        .to_owned(),
    };
    format!(
        "
Hostler is ready.

  export ANTHROPIC_BASE_URL={base_url}
{key}
Try it:

  curl -s $ANTHROPIC_BASE_URL/v1/models \\
    -H \"x-api-key: $ANTHROPIC_API_KEY\" -H 'anthropic-version: 2023-06-01'

or run any program that is written with an official Anthropic SDK.

"
    )
}

/// The address under which this machine reaches the server: what is configured, else the socket's, where
/// "any address" becomes the loopback one.
pub fn base_url(public_url: Option<&str>, listening: SocketAddr) -> String {
    if let Some(url) = public_url {
        return url.to_owned();
    }
    let mut address = listening;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

//! The way out of a sandbox: a gateway that decides where its connections may go.
//!
//! [`Gateway::attach`] takes the sockets that live in a sandbox's network namespace and serves
//! them by a [`Policy`] until the [`Attachment`] is dropped. The rules:
//!
//! - **Names** are answered by the gateway alone; no question is passed on. A permitted name gets
//!   an address that only stands for it, a denied name one that all denied names share, so that
//!   the connection that follows can be refused in words. `localhost` is the sandbox itself.
//! - **A connection to such an address** leads to the name. TLS has to name it in its hello (under
//!   [`Policy::Limited`] it has to name a server at all), each HTTP request in its Host header.
//!   What is neither is passed as bytes, under `Limited` not to the ports 80 and 443. HTTP/2
//!   without TLS is refused; an upgrade other than WebSocket is not passed on.
//! - **A connection to another address** needs [`Policy::Unrestricted`] and a public address.
//! - **The explicit proxy** takes `http://` requests in absolute form, and CONNECT, which is
//!   answered when the host is connected; what follows is held to the rules above.
//! - **Addresses** of a name are looked up once, at the moment of connecting. One that isn't
//!   public refuses the name whole; the one that was checked is the one connected to.
//! - **A refusal** is a `403 Forbidden by network policy` with a sentence where HTTP is spoken, a
//!   fatal alert where TLS is, else a reset: never silence. A request that can be read in two ways
//!   gets a 400, a host that doesn't answer a 502 or 504.
//! - **A policy** that is replaced judges each later request, and ends the tunnels it doesn't permit.
//!
//! - **A secret** ([`Secrets`]) takes the place of its placeholder in requests to its hosts, and stars take
//!   the secret's in their answers. TLS to such a host ends here, by the sandbox's own [`Authority`], and a
//!   TLS of the gateway's begins, to a host that has proved who it is. Else nothing is sent.
//!
//! HTTP requests are read and written anew, so that a host is sent what was judged. TLS to all other hosts
//! isn't opened: what is requested inside it, of a server that serves many names, the gateway can't
//! see; `route.rs` has the one place where that is decided.
//!
//! [`Outward`] gives what connects for a sandbox and is not in it the same rules about addresses.
//!
//! It knows listeners, names, addresses and placeholders; what a sandbox, an environment or an agent is, it
//! doesn't know. It logs decisions, never content, paths or headers.

mod acceptor;
mod address;
mod attached;
mod authority;
mod budget;
mod client;
mod connection;
mod denial;
mod dial;
mod dns;
mod gateway;
mod host_name;
mod http;
mod inside;
mod limits;
mod names;
mod network;
mod opening;
mod options;
mod outward;
mod policy;
mod registries;
mod replace;
mod route;
mod secrets;
mod transparent;
mod trust;
mod tunnel;
mod upstream;
mod usage;

pub use authority::{Authority, AuthorityError};
pub use gateway::{Attachment, Gateway, Listeners};
pub use host_name::{HostName, InvalidName};
pub use network::{InvalidNetwork, Network};
pub use options::{Authorities, GatewayOptions, Lookup, Resolver, Times};
pub use outward::{Outward, Refused};
pub use policy::{AllowedHosts, Policy};
pub use registries::package_manager_hosts;
pub use secrets::{
    Locations, Place, SecretHosts, SecretSource, Secrets, Substitution, Substitutions, Transport,
    new_placeholder,
};
pub use usage::Usage;

//! The way out of a sandbox: a gateway that decides where its connections may go.
//!
//! [`Gateway::attach`] takes the sockets that live in a sandbox's network namespace and serves
//! them by a [`Policy`] until the [`Attachment`] is dropped.
//!
//! It knows listeners, names and addresses; what a sandbox, an environment or an agent is, it
//! doesn't know.

#![expect(
    dead_code,
    reason = "connections are refused until the protocols are read"
)]

mod attached;
mod gateway;
mod host_name;
mod limits;
mod network;
mod options;
mod policy;
mod registries;
mod usage;

pub use gateway::{Attachment, Gateway, Listeners};
pub use host_name::{HostName, InvalidName};
pub use network::{InvalidNetwork, Network};
pub use options::{GatewayOptions, Lookup, Resolver, Times};
pub use policy::{AllowedHosts, Policy};
pub use registries::package_manager_hosts;
pub use usage::Usage;

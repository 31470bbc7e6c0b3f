//! What the operator decides for all sandboxes of a server.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;

use crate::host_name::HostName;
use crate::limits::{CONNECTIONS_MAX_DEFAULT, CONNECTIONS_TOTAL_MAX_DEFAULT};
use crate::network::Network;

/// The default is safe: public addresses only.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Networks that names may lead to although they aren't public. An address of this machine in
    /// one stays refused, unless it is loopback or the network is exactly that address.
    pub allowed_private: Vec<Network>,
    /// Addresses of names that are not looked up. Such an address needs no other permission, for
    /// that name only. Whether a sandbox may use the name is still its policy's decision.
    pub hosts: BTreeMap<HostName, IpAddr>,
    /// The server's own listening addresses; an unspecified address stands for every one of the
    /// machine. They stay refused inside `allowed_private`; only `hosts` permits one.
    pub forbidden: Vec<SocketAddr>,
    /// Connections that one sandbox may have at once, and all of them together.
    pub connections_max: usize,
    pub connections_total_max: usize,
    /// Where the addresses lie that stand for names inside a sandbox, at least a /24 of IPv4. No
    /// packet ever goes to one, so it only has to be a network that nothing inside needs.
    pub names_network: Network,
    pub times: Times,
    pub resolver: Resolver,
    /// Whom a host has to be vouched for by, where TLS is opened for a secret.
    pub authorities: Authorities,
}

#[derive(Debug, Clone, Default)]
pub enum Authorities {
    /// Those that the machine trusts; read when they are needed first.
    #[default]
    Host,
    These(Arc<RootCertStore>),
}

/// How long the gateway waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// For the addresses of a name.
    pub lookup: Duration,
    /// For one address to answer, and for all of a name's together.
    pub connect: Duration,
    pub connect_total: Duration,
    /// For a client's TLS hello, or for the complete head of each HTTP request.
    pub head: Duration,
    /// For a client's first byte, before a server that may speak first is connected to.
    pub silence: Duration,
    /// Without a byte in either direction, before a connection is closed.
    pub idle: Duration,
}

/// Who answers for the addresses of a name.
#[derive(Clone, Default)]
pub enum Resolver {
    /// The machine's own resolver, with its hosts file and its name servers.
    #[default]
    Host,
    /// A function, called on a thread that it may block.
    Function(Arc<Lookup>),
}

/// The addresses of a name, as a resolver gives them.
pub type Lookup = dyn Fn(&HostName) -> io::Result<Vec<IpAddr>> + Send + Sync;

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "Host",
            Self::Function(_) => "Function",
        })
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            lookup: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            connect_total: Duration::from_secs(30),
            head: Duration::from_secs(30),
            silence: Duration::from_millis(200),
            idle: Duration::from_secs(15 * 60),
        }
    }
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            allowed_private: Vec::new(),
            hosts: BTreeMap::new(),
            forbidden: Vec::new(),
            connections_max: CONNECTIONS_MAX_DEFAULT,
            connections_total_max: CONNECTIONS_TOTAL_MAX_DEFAULT,
            names_network: Network::v4(198, 18, 0, 0, 15),
            times: Times::default(),
            resolver: Resolver::default(),
            authorities: Authorities::default(),
        }
    }
}

//! Which addresses a server's name may lead to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Decides which addresses may be connected to for a host.
///
/// Asked before anything is sent, and again for each connection, without the port: what it answers then is what
/// is connected to, so that no other look-up can lead elsewhere.
pub trait Guard: Send + Sync + 'static {
    /// All addresses of a host. It is a name, or an address without brackets.
    ///
    /// # Errors
    /// When it may not be reached, or is not there; in words for whoever named the server.
    fn addresses(
        &self,
        host: String,
        port: Option<u16>,
    ) -> BoxFuture<'static, Result<Vec<IpAddr>, Refused>>;
}

/// Why a host is not connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The guard in the form that the HTTP client asks.
pub(crate) struct GuardedNames(pub(crate) Arc<dyn Guard>);

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let asked = self.0.addresses(name.as_str().to_owned(), None);
        Box::pin(async move {
            let addresses = asked.await?;
            // The client puts the port in.
            let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

impl fmt::Debug for GuardedNames {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GuardedNames")
    }
}

//! Connecting to the outside: every address of a name is checked, and one that was checked is
//! the one connected to. There is no second look-up between the two.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::address::{is_own, not_public};
use crate::attached::Attached;
use crate::connection::Connection;
use crate::denial::Denial;
use crate::host_name::{Host, HostName};
use crate::limits::ADDRESSES_TRIED_MAX;
use crate::options::{GatewayOptions, Resolver};
use crate::upstream::Upstream;

/// A connection to a host that the policy permits, if its addresses are permitted too.
pub(crate) async fn dial(
    connection: &Arc<Connection>,
    host: &Host,
    port: u16,
) -> Result<Upstream, Denial> {
    let attached = &connection.attached;
    attached.judge(host)?;
    let addresses = addresses(attached, host, port).await?;
    let times = attached.options().times;
    let deadline = Instant::now() + times.connect_total;
    let mut timed_out = false;
    for address in addresses.into_iter().take(ADDRESSES_TRIED_MAX) {
        let until = deadline.min(Instant::now() + times.connect);
        match timeout_at(until, TcpStream::connect((address, port))).await {
            Ok(Ok(stream)) => {
                attached.meter.connected();
                return Ok(Upstream::new(stream, Arc::clone(connection)));
            }
            Ok(Err(_)) => timed_out = false,
            Err(_) => timed_out = true,
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    let host = host.to_string();
    Err(if timed_out {
        Denial::TimedOut(host, port)
    } else {
        Denial::Unreachable(host, port)
    })
}

/// What may be connected to for a host: all of its addresses, or none of them.
async fn addresses(attached: &Attached, host: &Host, port: u16) -> Result<Vec<IpAddr>, Denial> {
    if port == 0 {
        return Err(Denial::InvalidPort("0".to_owned()));
    }
    let options = attached.options();
    let name = match host {
        Host::Name(name) => name,
        Host::Address(address) => {
            check(options, host, *address, port)?;
            return Ok(vec![address.to_canonical()]);
        }
    };
    if let Some(address) = options.hosts.get(name) {
        return Ok(vec![address.to_canonical()]);
    }
    if name.is_local() {
        return Err(Denial::OwnMachine(name.to_string()));
    }
    let found = timeout(options.times.lookup, look_up(attached, name, port))
        .await
        .map_err(|_| Denial::TimedOut(name.to_string(), port))?;
    let mut addresses = found.unwrap_or_default();
    if addresses.is_empty() {
        return Err(Denial::Unresolved(name.to_string()));
    }
    for address in &mut addresses {
        // The checked form is the one that is used.
        *address = address.to_canonical();
        check(options, host, *address, port)?;
    }
    Ok(addresses)
}

/// Whether an address may be connected to, apart from names that the operator mapped himself.
pub(crate) fn check(
    options: &GatewayOptions,
    host: &Host,
    address: IpAddr,
    port: u16,
) -> Result<(), Denial> {
    let address = address.to_canonical();
    let shown = || host.to_string();
    if options.forbidden.iter().any(|f| is_same(*f, address, port)) {
        return Err(Denial::OwnMachine(shown()));
    }
    let permitted = options.allowed_private.iter();
    let mut permitted = permitted.filter(|network| network.contains(address));
    if let Some(first) = permitted.next() {
        let exactly = first.size() == 1 || permitted.any(|network| network.size() == 1);
        // An office's network has the server in it too, and all else that listens there.
        return if exactly || address.is_loopback() || !is_own(address) {
            Ok(())
        } else {
            Err(Denial::OwnMachine(shown()))
        };
    }
    if let Some(class) = not_public(address) {
        return Err(Denial::NotPublic(shown(), class));
    }
    if options.names_network.contains(address) || is_own(address) {
        return Err(Denial::OwnMachine(shown()));
    }
    Ok(())
}

fn is_same(forbidden: SocketAddr, address: IpAddr, port: u16) -> bool {
    let own = forbidden.ip().to_canonical();
    let covers = own == address
        || own.is_unspecified()
            && (address.is_loopback() || address.is_unspecified() || is_own(address));
    forbidden.port() == port && covers
}

/// Asks the resolver once. The permits stay with the thread that asks, because a resolver that
/// takes longer than anybody waits still takes its thread.
async fn look_up(attached: &Attached, name: &HostName, port: u16) -> io::Result<Vec<IpAddr>> {
    let closed = |_| io::Error::other("the gateway is closed");
    let own = Arc::clone(&attached.lookups)
        .acquire_owned()
        .await
        .map_err(closed)?;
    let shared = Arc::clone(&attached.shared.lookups)
        .acquire_owned()
        .await
        .map_err(closed)?;
    let resolver = attached.options().resolver.clone();
    ask(resolver, name.clone(), port, (own, shared)).await
}

/// `permits` are kept until the resolver has answered.
pub(crate) async fn ask(
    resolver: Resolver,
    name: HostName,
    port: u16,
    permits: impl Send + 'static,
) -> io::Result<Vec<IpAddr>> {
    tokio::task::spawn_blocking(move || {
        let _permits = permits;
        match resolver {
            Resolver::Host => {
                let found = (name.as_str(), port).to_socket_addrs()?;
                Ok(found.map(|address| address.ip()).collect())
            }
            Resolver::Function(lookup) => lookup(&name),
        }
    })
    .await
    .map_err(io::Error::other)?
}

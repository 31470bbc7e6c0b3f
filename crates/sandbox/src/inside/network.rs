//! The network of a sandbox: a loopback interface of its own and, for one with a gateway, routes
//! that make every address of the world local, with the gateway's sockets to meet what is sent
//! there. No interface leads out. What nobody listens to is refused at once.
//!
//! All of it takes capabilities that the sandbox's processes never have.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::Protocol;
use socket2::{Domain, Socket, Type};

use super::intercept::intercept;
use super::netlink::{CREATE, Messages, Netlink};
use crate::agent::GatewaySockets;
use crate::isolation::{GatewayPorts, Network};
use crate::launcher::order::{At, Refused};
use crate::limits::{GATEWAY_BACKLOG, KNOWN_PORTS};
use crate::spec::NetworkAccess;

/// Where programs that know of proxies find the gateway.
pub(crate) const PROXY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3128);
/// The only server of names that there is.
const NAME_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)), 53);
pub(crate) const NAME_SERVER_LINE: &str = "nameserver 127.0.0.53\n";
/// Where intercepted connections are taken. Below 1024, where nothing inside can listen.
const INTERCEPTED_PORT: u16 = 1;

/// Set aside for machines that reach the world through a translator, and never routed.
const OWN_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);

/// The kernel counts it as 0, which is how the default is written.
const ROUTE: Option<Protocol> = None;
/// In a new network namespace there is one interface.
const LOOPBACK: u32 = 1;
const NEW_LINK: u16 = libc::RTM_NEWLINK;
const NEW_ADDRESS: u16 = libc::RTM_NEWADDR;
const NEW_ROUTE: u16 = libc::RTM_NEWROUTE;

/// Leaves nothing but loopback, or puts the gateway's sockets behind all other addresses.
pub(super) fn set_up(access: NetworkAccess) -> Result<(Network, GatewaySockets), Refused> {
    let netlink = Netlink::open(ROUTE).at("open a netlink socket")?;
    netlink.exchange(&loopback_up()).at("bring loopback up")?;
    match access {
        NetworkAccess::None => Ok((Network::None, GatewaySockets::default())),
        NetworkAccess::Gateway => {
            netlink.exchange(&own_address()).at("add an address")?;
            let any = Ipv4Addr::LOCALHOST.octets();
            let route = default_route(libc::AF_INET, &any);
            netlink
                .exchange(&route)
                .at("route addresses to the gateway")?;
            let any = Ipv6Addr::LOCALHOST.octets();
            // Without IPv6 in the kernel, or with it turned off, such addresses are unreachable.
            let has_v6 = netlink
                .exchange(&default_route(libc::AF_INET6, &any))
                .is_ok();
            let (ports, intercepting) =
                open_for_connections(has_v6).at("listen for the gateway")?;
            let sockets = GatewaySockets {
                intercepting,
                proxy: Some(listen(PROXY, Transparency::No).at("listen as a proxy")?),
                names: Some(bind(NAME_SERVER).at("listen as a name server")?),
            };
            Ok((Network::Gateway { ports }, sockets))
        }
    }
}

fn loopback_up() -> Messages {
    let mut header = Vec::new();
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&LOOPBACK.to_ne_bytes());
    let up = libc::IFF_UP as u32;
    // The flags, and which of them are to change.
    header.extend_from_slice(&up.to_ne_bytes());
    header.extend_from_slice(&up.to_ne_bytes());
    let mut messages = Messages::default();
    messages.add(NEW_LINK, 0, &header, |_| {});
    messages
}

/// With nothing but loopback addresses the C library does not even ask for those of a name.
fn own_address() -> Messages {
    let whole = Ipv4Addr::BITS as u8;
    let mut header = vec![libc::AF_INET as u8, whole, 0, libc::RT_SCOPE_UNIVERSE];
    header.extend_from_slice(&LOOPBACK.to_ne_bytes());
    let mut messages = Messages::default();
    messages.add(NEW_ADDRESS, CREATE, &header, |address| {
        address.put(libc::IFA_LOCAL, &OWN_ADDRESS.octets());
    });
    messages
}

/// `local default dev lo`. Replies come from where they were sent, not from the stranger.
fn default_route(family: i32, own_address: &[u8]) -> Messages {
    let whole_world = 0;
    let header = [
        family as u8,
        whole_world,
        0,
        0,
        libc::RT_TABLE_LOCAL,
        libc::RTPROT_STATIC,
        libc::RT_SCOPE_HOST,
        libc::RTN_LOCAL,
        0,
        0,
        0,
        0,
    ];
    let mut messages = Messages::default();
    messages.add(NEW_ROUTE, CREATE, &header, |route| {
        route.put(libc::RTA_OIF, &LOOPBACK.to_ne_bytes());
        route.put(libc::RTA_PREFSRC, own_address);
    });
    messages
}

/// One socket for every port where the kernel can hand connections over, else one for each of
/// the ports that are known.
fn open_for_connections(has_v6: bool) -> io::Result<(GatewayPorts, Vec<Socket>)> {
    if intercept(INTERCEPTED_PORT).is_ok() {
        let addresses = loopback(has_v6);
        let listen = |ip| listen(SocketAddr::new(ip, INTERCEPTED_PORT), Transparency::Yes);
        let sockets = addresses.into_iter().map(listen);
        return Ok((GatewayPorts::All, sockets.collect::<io::Result<_>>()?));
    }
    let mut sockets = Vec::new();
    for port in KNOWN_PORTS {
        for ip in everywhere(has_v6) {
            sockets.push(listen(SocketAddr::new(ip, port), Transparency::No)?);
        }
    }
    Ok((GatewayPorts::Known, sockets))
}

fn loopback(has_v6: bool) -> Vec<IpAddr> {
    let v6 = has_v6.then_some(IpAddr::V6(Ipv6Addr::LOCALHOST));
    [IpAddr::V4(Ipv4Addr::LOCALHOST)]
        .into_iter()
        .chain(v6)
        .collect()
}

fn everywhere(has_v6: bool) -> Vec<IpAddr> {
    let v6 = has_v6.then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    [IpAddr::V4(Ipv4Addr::UNSPECIFIED)]
        .into_iter()
        .chain(v6)
        .collect()
}

/// Whether a socket may stand for addresses that are not its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transparency {
    Yes,
    No,
}

fn listen(address: SocketAddr, transparency: Transparency) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if transparency == Transparency::Yes {
        if address.is_ipv6() {
            socket.set_ip_transparent_v6(true)?;
        } else {
            socket.set_ip_transparent_v4(true)?;
        }
    }
    socket.bind(&address.into())?;
    socket.listen(GATEWAY_BACKLOG)?;
    Ok(socket)
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

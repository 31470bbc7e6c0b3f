//! Which addresses nobody may be led to, whatever name leads there.
//!
//! Knows no exceptions: what an operator permits is decided in `dial.rs`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::network::Network;

/// Why an address isn't one of the public internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotPublic {
    Unspecified,
    Private,
    CarrierGrade,
    Loopback,
    LinkLocal,
    Documentation,
    Benchmarking,
    Multicast,
    Reserved,
    /// An IPv6 form that carries an IPv4 address which some router would unwrap.
    Embedding,
}

const V4: &[(Network, NotPublic)] = &[
    (Network::v4(0, 0, 0, 0, 8), NotPublic::Unspecified),
    (Network::v4(10, 0, 0, 0, 8), NotPublic::Private),
    (Network::v4(100, 64, 0, 0, 10), NotPublic::CarrierGrade),
    (Network::v4(127, 0, 0, 0, 8), NotPublic::Loopback),
    (Network::v4(169, 254, 0, 0, 16), NotPublic::LinkLocal),
    (Network::v4(172, 16, 0, 0, 12), NotPublic::Private),
    (Network::v4(192, 0, 0, 0, 24), NotPublic::Reserved),
    (Network::v4(192, 0, 2, 0, 24), NotPublic::Documentation),
    (Network::v4(192, 88, 99, 0, 24), NotPublic::Embedding),
    (Network::v4(192, 168, 0, 0, 16), NotPublic::Private),
    (Network::v4(198, 18, 0, 0, 15), NotPublic::Benchmarking),
    (Network::v4(198, 51, 100, 0, 24), NotPublic::Documentation),
    (Network::v4(203, 0, 113, 0, 24), NotPublic::Documentation),
    (Network::v4(224, 0, 0, 0, 4), NotPublic::Multicast),
    (Network::v4(240, 0, 0, 0, 4), NotPublic::Reserved),
];

pub(crate) fn not_public(address: IpAddr) -> Option<NotPublic> {
    match address.to_canonical() {
        IpAddr::V4(_) => V4
            .iter()
            .find(|(network, _)| network.contains(address))
            .map(|(_, class)| *class),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

/// IPv6 is refused unless it lies in the one block that is handed out, so that forms which are
/// invented later are refused too.
fn not_public_v6(address: Ipv6Addr) -> Option<NotPublic> {
    let s = address.segments();
    if address.is_unspecified() {
        return Some(NotPublic::Unspecified);
    }
    if address.is_loopback() {
        return Some(NotPublic::Loopback);
    }
    let isatap = matches!(s[4], 0 | 0x200) && s[5] == 0x5efe;
    match s[0] {
        // Compatible and translated addresses, and NAT64.
        0 | 0x64 => Some(NotPublic::Embedding),
        // Teredo is 2001::/32; what else is below 2001:200:: is for protocols, not for hosts.
        0x2001 if s[1] == 0 => Some(NotPublic::Embedding),
        0x2001 if s[1] == 2 && s[2] == 0 => Some(NotPublic::Benchmarking),
        0x2001 if s[1] < 0x200 => Some(NotPublic::Reserved),
        0x2001 if s[1] == 0xdb8 => Some(NotPublic::Documentation),
        0x2002 => Some(NotPublic::Embedding),
        0x3fff if s[1] < 0x1000 => Some(NotPublic::Documentation),
        0x2000..0x4000 if isatap => Some(NotPublic::Embedding),
        0x2000..0x4000 => None,
        0xfc00..0xfe00 | 0xfec0..0xff00 => Some(NotPublic::Private),
        0xfe80..0xfec0 => Some(NotPublic::LinkLocal),
        0xff00.. => Some(NotPublic::Multicast),
        _ => Some(NotPublic::Reserved),
    }
}

/// Whether an address belongs to this machine, though it may be a public one: the kernel would
/// send to it from itself. Nothing is sent to find out.
pub(crate) fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Any port: a datagram socket's connect only chooses a source address.
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    source.is_ok_and(|source: SocketAddr| source.ip() == address)
}

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "an unspecified",
            Self::Private => "a private",
            Self::CarrierGrade => "a carrier's private",
            Self::Loopback => "a loopback",
            Self::LinkLocal => "a link-local",
            Self::Documentation => "a documentation",
            Self::Benchmarking => "a benchmarking",
            Self::Multicast => "a multicast",
            Self::Reserved => "a reserved",
            Self::Embedding => "an embedding",
        })
    }
}

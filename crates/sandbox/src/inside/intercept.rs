//! One rule for each version of IP, in the sandbox's own network: a connection to anywhere but
//! this machine's loopback is handed to the gateway's socket, whatever its port.
//!
//! The rule does not rewrite anything: the accepted socket's own address is the one that the
//! program asked for. It keeps no state, so a flood of connections fills no table.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use rustix::net::netlink::NETFILTER;

use super::netlink::{APPEND, Attributes, CREATE, Messages, Netlink};

const TABLE: &str = "gateway";
const CHAIN: &str = "connections";

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NFTABLES: u16 = 10;
const NEW_TABLE: u16 = NFTABLES << 8;
const NEW_CHAIN: u16 = (NFTABLES << 8) | 3;
const NEW_RULE: u16 = (NFTABLES << 8) | 6;

/// Both versions of IP in one table.
const FAMILY_INET: u8 = 1;
const HOOK_BEFORE_ROUTING: u32 = 0;
/// Where packets are usually marked and diverted.
const PRIORITY: i32 = -150;
const REGISTER: u32 = 1;
const PORT_REGISTER: u32 = 2;
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const META_IP_VERSION: u32 = 15;
const META_TRANSPORT: u32 = 16;
const NETWORK_HEADER: u32 = 1;
const TCP: u8 = 6;

/// What differs between the two versions of IP.
struct Version {
    family: u8,
    /// Where the destination begins in the packet.
    offset: u32,
    /// What a destination on the loopback begins with.
    loopback: Vec<u8>,
    /// Where the gateway's socket is.
    gateway: Vec<u8>,
}

/// Hands connections to the socket that listens at `port` of the loopback addresses. Fails where
/// the kernel has no nf_tables or not enough of it.
pub(super) fn intercept(port: u16) -> io::Result<()> {
    let versions = [
        Version {
            family: libc::NFPROTO_IPV4 as u8,
            offset: 16,
            loopback: vec![127],
            gateway: Ipv4Addr::LOCALHOST.octets().to_vec(),
        },
        Version {
            family: libc::NFPROTO_IPV6 as u8,
            offset: 24,
            loopback: Ipv6Addr::LOCALHOST.octets().to_vec(),
            gateway: Ipv6Addr::LOCALHOST.octets().to_vec(),
        },
    ];
    let mut messages = Messages::default();
    messages.mark(BATCH_BEGIN, &header(0, NFTABLES));
    messages.add(NEW_TABLE, CREATE, &header(FAMILY_INET, 0), |table| {
        table.text(1, TABLE);
    });
    messages.add(NEW_CHAIN, CREATE, &header(FAMILY_INET, 0), write_chain);
    for version in &versions {
        let write = |rule: &mut Attributes<'_>| write_rule(rule, version, port);
        messages.add(NEW_RULE, CREATE | APPEND, &header(FAMILY_INET, 0), write);
    }
    messages.mark(BATCH_END, &header(0, NFTABLES));
    Netlink::open(Some(NETFILTER))?.exchange(&messages)
}

fn header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

fn write_chain(chain: &mut Attributes<'_>) {
    chain.text(1, TABLE);
    chain.text(3, CHAIN);
    chain.nest(4, |hook| {
        hook.number(1, HOOK_BEFORE_ROUTING);
        hook.put(2, &PRIORITY.to_be_bytes());
    });
    chain.text(7, "filter");
}

/// `meta nfproto … meta l4proto tcp, destination not loopback: tproxy to gateway:port`.
fn write_rule(rule: &mut Attributes<'_>, version: &Version, port: u16) {
    rule.text(1, TABLE);
    rule.text(2, CHAIN);
    rule.nest(4, |expressions| {
        meta(expressions, META_IP_VERSION);
        compare(expressions, EQUAL, &[version.family]);
        meta(expressions, META_TRANSPORT);
        compare(expressions, EQUAL, &[TCP]);
        expression(expressions, "payload", |payload| {
            payload.number(1, REGISTER);
            payload.number(2, NETWORK_HEADER);
            payload.number(3, version.offset);
            payload.number(4, version.loopback.len() as u32);
        });
        compare(expressions, NOT_EQUAL, &version.loopback);
        load(expressions, REGISTER, &version.gateway);
        load(expressions, PORT_REGISTER, &port.to_be_bytes());
        expression(expressions, "tproxy", |tproxy| {
            tproxy.number(1, version.family.into());
            tproxy.number(2, REGISTER);
            tproxy.number(3, PORT_REGISTER);
        });
    });
}

fn load(expressions: &mut Attributes<'_>, register: u32, value: &[u8]) {
    expression(expressions, "immediate", |immediate| {
        immediate.number(1, register);
        immediate.nest(2, |data| data.put(1, value));
    });
}

fn meta(expressions: &mut Attributes<'_>, key: u32) {
    expression(expressions, "meta", |meta| {
        meta.number(1, REGISTER);
        meta.number(2, key);
    });
}

fn compare(expressions: &mut Attributes<'_>, how: u32, with: &[u8]) {
    expression(expressions, "cmp", |compare| {
        compare.number(1, REGISTER);
        compare.number(2, how);
        compare.nest(3, |data| data.put(1, with));
    });
}

fn expression(
    expressions: &mut Attributes<'_>,
    name: &str,
    write: impl FnOnce(&mut Attributes<'_>),
) {
    expressions.nest(1, |element| {
        element.text(1, name);
        element.nest(2, write);
    });
}

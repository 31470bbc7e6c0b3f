//! Sockets that are not for the sandbox's own network.

use std::net::TcpListener;

use super::table::{Attempt, hold};
use crate::world::World;

const ATTEMPTS: &[Attempt] = &[
    (
        "a socket to the hypervisor",
        "socket.socket(40, 1)",
        "EPERM",
    ),
    ("raw packets", "socket.socket(17, 3)", "EPERM"),
    ("packets of a link", "socket.socket(17, 2)", "EPERM"),
    ("the kernel's ciphers", "socket.socket(38, 5)", "EPERM"),
    (
        "the kernel's IPsec keys",
        "socket.socket(15, 3, 2)",
        "EPERM",
    ),
    ("XDP", "socket.socket(44, 3)", "EPERM"),
    ("Bluetooth", "socket.socket(31, 3)", "EPERM"),
    ("TIPC", "socket.socket(30, 5)", "EPERM"),
    ("a pair of TIPC", "socket.socketpair(30, 5)", "EPERM"),
    ("RDS", "socket.socket(21, 5)", "EPERM"),
    ("SMC", "socket.socket(43, 1)", "EPERM"),
    ("CAN", "socket.socket(29, 3, 1)", "EPERM"),
    ("NFC", "socket.socket(39, 3)", "EPERM"),
    ("X.25", "socket.socket(9, 5)", "EPERM"),
    ("raw ICMP", "socket.socket(2, 3, 1)", "EPERM"),
    ("raw ICMP of IPv6", "socket.socket(10, 3, 58)", "EPERM"),
    ("ping", "socket.socket(2, 2, 1)", "EPERM"),
    ("SCTP", "socket.socket(2, 1, 132)", "EPERM"),
    ("sequenced packets", "socket.socket(10, 5)", "EPERM"),
    ("DCCP", "socket.socket(2, 6)", "EPERM"),
    ("UDP-Lite", "socket.socket(2, 2, 136)", "EPERM"),
    ("multipath TCP", "socket.socket(2, 1, 262)", "EPERM"),
    ("L2TP", "socket.socket(2, 2, 115)", "EPERM"),
    (
        "netlink of the firewall",
        "socket.socket(16, 3, 12)",
        "EPERM",
    ),
    (
        "netlink of the audit log",
        "socket.socket(16, 3, 9)",
        "EPERM",
    ),
    ("netlink of devices", "socket.socket(16, 3, 15)", "EPERM"),
    (
        "netlink of everything else",
        "socket.socket(16, 3, 16)",
        "EPERM",
    ),
    ("netlink of IPsec", "socket.socket(16, 3, 6)", "EPERM"),
    (
        "an abstract socket of the host",
        "socket.socket(1).connect('\\0hostler-test-abstract')",
        "ECONNREFUSED|EPERM",
    ),
    (
        "unix sockets work",
        "socket.socketpair(1, 1) and 'yes'",
        "yes",
    ),
    (
        "TCP sockets work",
        "socket.socket(2, 1, 6) and 'yes'",
        "yes",
    ),
    (
        "UDP sockets of IPv6 work",
        "socket.socket(10, 2 | 0o2000000, 0) and 'yes'",
        "yes",
    ),
    (
        "netlink of routes works",
        "socket.socket(16, 3, 0) and 'yes'",
        "yes",
    ),
];

#[tokio::test]
async fn only_plain_sockets_are_made() {
    // For the attempt: it exists outside.
    let address =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(
            "hostler-test-abstract",
        );
    let _listener = std::os::unix::net::UnixListener::bind_addr(&address.unwrap());
    hold(ATTEMPTS).await;
}

#[tokio::test]
async fn the_hosts_loopback_is_out_of_reach() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let output = world
        .bash(&format!("echo hello > /dev/tcp/127.0.0.1/{port}"))
        .await;
    assert!(output.is_error, "{output:?}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
    let interfaces = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '";
    assert_eq!(world.sh(interfaces).await, "lo");
    world.end().await;
}

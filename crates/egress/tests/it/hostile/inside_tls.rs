//! TLS hellos and other openings on a connection that leads to a permitted host.

use tokio::io::AsyncWriteExt;

use super::Offences;
use hostler_egress::Policy;

use crate::wire::{connect, hello, patiently, reply, rest};
use crate::world::{ALLOWED, Behaviour, Setting, World, limited};

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const ALERT_UNRECOGNIZED: &[u8] = &[0x15, 3, 3, 0, 2, 2, 112];

/// Names that a hello may carry instead of the one that was resolved or asked for.
const SERVER_NAMES: &[(&str, Option<&str>)] = &[
    ("another host", Some("evil.example")),
    ("letters before", Some("evilallowed.example")),
    ("a subdomain", Some("x.allowed.example")),
    ("as a subdomain", Some("allowed.example.evil.example")),
    (
        "a permitted host, but not this one",
        Some("x.below.example"),
    ),
    ("NUL", Some("allowed.example\0.evil.example")),
    ("space", Some("allowed.example ")),
    ("a dot before", Some(".allowed.example")),
    ("a dot more", Some("allowed..example")),
    ("user", Some("a@allowed.example")),
    ("port", Some("allowed.example:443")),
    ("address", Some("127.0.0.1")),
    ("decimal address", Some("2130706433")),
    ("homograph", Some("\u{430}llowed.example")),
    ("a star", Some("*.example")),
    ("empty", Some("")),
    ("none", None),
];

#[tokio::test]
async fn a_hello_has_to_name_the_host_that_the_connection_leads_to() {
    let world = World::with(Behaviour::Echo).await;
    let mut offences = Offences::default();
    for (name, server_name) in SERVER_NAMES {
        let mut stream = world.reach(ALLOWED).await;
        stream.write_all(&hello(*server_name)).await.unwrap();
        let (bytes, _) = rest(&mut stream).await;
        offences.compare(
            &format!("transparent: {name}"),
            &bytes[..],
            ALERT_UNRECOGNIZED,
        );

        let mut stream = connect(world.proxy).await;
        let host = world.authority();
        let request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(reply(&mut stream).await.unwrap().status, 200);
        stream.write_all(&hello(*server_name)).await.unwrap();
        let (bytes, _) = rest(&mut stream).await;
        offences.compare(&format!("CONNECT: {name}"), &bytes[..], ALERT_UNRECOGNIZED);
    }
    offences.assert_none();
    assert_eq!(
        world.server.received(),
        0,
        "no byte of a hello went through"
    );
}

#[tokio::test]
async fn what_only_begins_like_a_hello_is_refused() {
    let world = World::with(Behaviour::Echo).await;
    let whole = hello(Some(ALLOWED));
    let mut two_names = whole.clone();
    // The list of names says that it is longer than its extension.
    let at = two_names
        .windows(15)
        .position(|w| w == ALLOWED.as_bytes())
        .unwrap();
    two_names[at - 4] = 0xff;
    let mut not_a_hello = whole.clone();
    not_a_hello[5] = 2;
    let mut huge = whole.clone();
    huge[6] = 0xff;
    let cases = [
        ("a broken list of names", two_names),
        ("another message", not_a_hello),
        ("a message of 16 MiB", huge),
        ("a record too long", vec![0x16, 3, 1, 0xff, 0xff, 1]),
        ("an empty record", vec![0x16, 3, 1, 0, 0]),
    ];
    for (name, bytes) in cases {
        let mut stream = world.reach(ALLOWED).await;
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let (answer, _) = rest(&mut stream).await;
        assert_eq!(answer, ALERT_UNRECOGNIZED, "{name}");
    }
    assert_eq!(world.server.received(), 0);
}

#[tokio::test]
async fn http2_without_tls_is_refused_at_every_door() {
    let world = World::with(Behaviour::Echo).await;
    for (name, mut stream) in [
        ("transparent", world.reach(ALLOWED).await),
        ("behind empty lines", world.reach(ALLOWED).await),
        ("proxy", connect(world.proxy).await),
    ] {
        if name == "behind empty lines" {
            stream.write_all(b"\r\n\r\n").await.unwrap();
        }
        stream.write_all(HTTP2_PREFACE).await.unwrap();
        let (bytes, _) = rest(&mut stream).await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            bytes.is_empty() || text.starts_with("HTTP/1.1 400"),
            "{name}: {text}"
        );
    }
    let mut stream = connect(world.proxy).await;
    let host = world.authority();
    let request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(reply(&mut stream).await.unwrap().status, 200);
    stream.write_all(HTTP2_PREFACE).await.unwrap();
    assert_eq!(rest(&mut stream).await, (Vec::new(), false));
    assert_eq!(world.server.received(), 0);
}

#[tokio::test]
async fn connect_host_and_server_name_have_to_agree() {
    let world = World::with(Behaviour::Echo).await;
    let host = world.authority();
    let refused = [
        (
            "Host names another host",
            format!("CONNECT {host} HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        ),
        (
            "Host names another port",
            format!("CONNECT {host} HTTP/1.1\r\nHost: {ALLOWED}:1\r\n\r\n"),
        ),
        (
            "target names another host",
            format!("CONNECT evil.example:1 HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        ),
    ];
    for (name, request) in refused {
        let answer = crate::wire::ask(world.proxy, request).await.unwrap();
        assert_eq!(answer.status, 403, "{name}");
    }
    assert_eq!(world.server.accepted(), 0);
}

/// One that no other run of this test has.
fn own_address() -> std::net::Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    [127, 19, high, low].into()
}

/// Where TLS and HTTP are expected, a limited policy lets nothing else through: bytes that neither
/// names a host in could be for any.
#[tokio::test]
async fn the_web_ports_carry_the_web_only() {
    // Below 1024 mostly root listens. The rule asks for no more than the number.
    let Ok(server) = tokio::net::TcpListener::bind((own_address(), 443)).await else {
        return;
    };
    for (policy, carried) in [(limited(), false), (Policy::Unrestricted, true)] {
        let world = World::new(Setting {
            policy,
            change: |options, _| {
                let name = "web.below.example".parse().unwrap();
                options.hosts.insert(name, own_address().into());
            },
            ..Setting::default()
        })
        .await;
        let mut stream = connect(world.proxy).await;
        let request =
            "CONNECT web.below.example:443 HTTP/1.1\r\nHost: web.below.example:443\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let (mut accepted, _) = patiently(server.accept()).await.unwrap();
        assert_eq!(reply(&mut stream).await.unwrap().status, 200);
        stream.write_all(b"SSH-2.0-x\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        let (bytes, _) = rest(&mut accepted).await;
        assert_eq!(bytes == b"SSH-2.0-x\r\n", carried);
        assert_eq!(bytes.is_empty(), !carried);
    }
}

//! Permitted names that lead where nobody may go.

use std::net::IpAddr;

use hostler_egress::{AllowedHosts, Policy};

use super::Refusal::NotPublic;
use super::{Offences, attempt};
use crate::wire::{ask, reply};
use crate::world::{Behaviour, Setting, World};

/// What a resolver may answer, and what it is. Each is tried under both policies.
#[rustfmt::skip]
const ANSWERS: &[(&str, &str)] = &[
    ("unspecified", "0.0.0.0"), ("this network", "0.255.255.255"),
    ("private A", "10.0.0.0"), ("private A, end", "10.255.255.255"),
    ("carrier, start", "100.64.0.0"), ("carrier, end", "100.127.255.255"),
    ("loopback", "127.0.0.1"), ("loopback, end", "127.255.255.254"),
    ("link-local", "169.254.0.1"), ("metadata", "169.254.169.254"),
    ("private B, start", "172.16.0.0"), ("private B, end", "172.31.255.255"),
    ("protocol assignments", "192.0.0.8"), ("NAT64 discovery", "192.0.0.170"),
    ("documentation 1", "192.0.2.1"), ("documentation 2", "198.51.100.1"),
    ("documentation 3", "203.0.113.1"), ("6to4 relay", "192.88.99.1"),
    ("private C", "192.168.255.255"),
    ("benchmarking, start", "198.18.0.0"), ("benchmarking, end", "198.19.255.255"),
    ("multicast, start", "224.0.0.0"), ("multicast, end", "239.255.255.255"),
    ("reserved", "240.0.0.1"), ("broadcast", "255.255.255.255"),
    ("v6 unspecified", "::"), ("v6 loopback", "::1"),
    ("compatible", "::10.0.0.1"), ("compatible, public", "::1.1.1.1"),
    ("mapped loopback", "::ffff:127.0.0.1"), ("mapped private", "::ffff:192.168.0.1"),
    ("mapped metadata", "::ffff:a9fe:a9fe"), ("translated", "::ffff:0:10.0.0.1"),
    ("NAT64", "64:ff9b::a00:1"), ("NAT64, public", "64:ff9b::101:101"),
    ("NAT64, local", "64:ff9b:1::a00:1"), ("discard", "100::1"),
    ("Teredo", "2001::1"), ("v6 benchmarking", "2001:2::1"),
    ("ORCHID", "2001:10::1"), ("ORCHID 2", "2001:20::1"),
    ("v6 documentation", "2001:db8::1"), ("v6 documentation 2", "3fff:fff::1"),
    ("6to4", "2002:a00:1::1"), ("6to4, public", "2002:101:101::1"),
    ("ISATAP", "2a00:1::5efe:a00:1"), ("ISATAP, universal", "2a00:1::200:5efe:a00:1"),
    ("segment routing", "5f00::1"), ("unassigned", "4000::1"),
    ("unique local, start", "fc00::1"), ("unique local, end", "fdff::1"),
    ("v6 link-local, start", "fe80::1"), ("v6 link-local, end", "febf::1"),
    ("site-local", "fec0::1"), ("v6 multicast", "ff02::1"), ("v6 multicast, global", "ff0e::1"),
];

/// The answer with the number that a name such as `n12.below.example` starts with.
fn numbered(name: &str, _before: usize) -> Vec<IpAddr> {
    let number = name
        .split('.')
        .next()
        .and_then(|label| label[1..].parse().ok());
    let number: usize = number.unwrap();
    vec![ANSWERS[number].1.parse().unwrap()]
}

#[tokio::test]
async fn names_that_lead_to_addresses_that_are_not_public_are_refused() {
    for policy in [Policy::Unrestricted, crate::world::limited()] {
        let world = World::new(Setting {
            policy,
            addresses: numbered,
            ..Setting::default()
        })
        .await;
        let mut offences = Offences::default();
        for (number, (what, address)) in ANSWERS.iter().enumerate() {
            let host = format!("n{number}.below.example:{}", world.port());
            let connect = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let name = format!("{what} ({address})");
            offences.compare(&name, attempt(&world, connect).await, Ok(NotPublic));
            let get = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
            offences.compare(&name, attempt(&world, get).await, Ok(NotPublic));
        }
        offences.assert_none();
        assert_eq!(world.server.accepted(), 0);
        assert_eq!(world.usage().connections, 0);
        assert_eq!(world.usage().refused as usize, 2 * ANSWERS.len());
    }
}

#[tokio::test]
async fn one_bad_address_refuses_the_name_whole() {
    let world = World::new(Setting {
        addresses: |name, _| {
            let (good, bad) = ("1.1.1.1", "127.0.0.1");
            let order = if name.starts_with("first") {
                [bad, good]
            } else {
                [good, bad]
            };
            order.map(|address| address.parse().unwrap()).to_vec()
        },
        ..Setting::default()
    })
    .await;
    for host in ["first.below.example", "last.below.example"] {
        let sent = format!(
            "CONNECT {host}:{} HTTP/1.1\r\nHost: {host}\r\n\r\n",
            world.port()
        );
        assert_eq!(attempt(&world, sent).await, Ok(NotPublic), "{host}");
    }
    assert_eq!(world.server.accepted(), 0);
}

/// Rebinding: a name that leads to a permitted place when it is checked and elsewhere afterwards.
#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let world = World::new(Setting {
        behaviour: Behaviour::Http,
        addresses: |_, before| {
            // Only the first answer is permitted; a second look-up would get the other.
            let address = if before == 0 {
                "127.0.0.1"
            } else {
                "127.0.0.2"
            };
            vec![address.parse().unwrap()]
        },
        change: |options, _| options.allowed_private = vec!["127.0.0.1/32".parse().unwrap()],
        ..Setting::default()
    })
    .await;
    let host = format!("rebind.below.example:{}", world.port());
    let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert_eq!(ask(world.proxy, &request).await.unwrap().status, 200);
    assert_eq!(*world.lookups.lock().unwrap(), ["rebind.below.example"]);
    assert_eq!(world.server.accepted(), 1);
    // The next connection looks again, and is refused by what it finds.
    assert_eq!(attempt(&world, &request).await, Ok(NotPublic));
    assert_eq!(world.server.accepted(), 1);
}

#[tokio::test]
async fn a_redirect_into_a_private_place_is_refused_when_it_is_followed() {
    let world = World::unrestricted().await;
    let host = world.authority();
    let places = [
        "127.0.0.1",
        "[::1]",
        "169.254.169.254",
        "localhost",
        "10.0.0.1",
    ];
    for place in places {
        let place = format!("{place}:{}", world.port());
        let request =
            format!("GET http://{host}/redirect/{place} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let redirect = ask(world.proxy, request).await.unwrap();
        let location = redirect.header("location").unwrap().to_owned();
        assert_eq!(location, format!("http://{place}"));
        let before = world.server.accepted();
        let followed = format!("GET {location}/ HTTP/1.1\r\nHost: {place}\r\n\r\n");
        assert_eq!(attempt(&world, followed).await, Ok(NotPublic), "{place}");
        assert_eq!(world.server.accepted(), before);
    }
    assert!(
        world.lookups.lock().unwrap().is_empty(),
        "not even looked up"
    );
}

#[tokio::test]
async fn the_servers_own_address_is_refused_even_inside_a_permitted_network() {
    let world = World::new(Setting {
        policy: Policy::Unrestricted,
        change: |options, server| {
            options.allowed_private =
                vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
            options.forbidden = vec![([0, 0, 0, 0], server.port()).into()];
        },
        ..Setting::default()
    })
    .await;
    for host in [
        "127.0.0.1",
        "127.0.0.2",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "name.example",
    ] {
        let host = format!("{host}:{}", world.port());
        let sent = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(attempt(&world, sent).await, Ok(NotPublic), "{host}");
    }
    assert_eq!(world.server.accepted(), 0);
    // A name that the operator maps himself may lead there.
    let host = world.authority();
    let mut stream = crate::wire::connect(world.proxy).await;
    let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes())
        .await
        .unwrap();
    assert_eq!(reply(&mut stream).await.unwrap().status, 200);
}

#[tokio::test]
async fn an_address_in_the_list_permits_nothing() {
    let listed = [
        "127.0.0.1",
        "[::1]",
        "10.0.0.1",
        "http://a.example",
        "a.example:80",
        "*",
    ];
    let hosts = AllowedHosts::new(listed);
    assert_eq!(hosts.ignored(), listed);
    let world = World::new(Setting {
        policy: Policy::Limited(hosts),
        ..Setting::default()
    })
    .await;
    for host in ["127.0.0.1", "a.example"] {
        let host = format!("{host}:{}", world.port());
        let sent = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert!(attempt(&world, sent).await.is_ok(), "{host}");
    }
    assert_eq!(world.server.accepted(), 0);
}

/// An address of this machine that others reach it by, if it has one. Nothing is sent.
fn outer_address() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// Asks for the machine's outer address in a world that permits this network and forbids this port.
async fn outer_attempt(network: &str, forbidden: fn(u16) -> u16) -> Option<bool> {
    let address = outer_address()?;
    let network: hostler_egress::Network = network
        .replace("own", &address.to_string())
        .parse()
        .unwrap();
    let server = std::net::TcpListener::bind((address, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let gateway = hostler_egress::Gateway::new(hostler_egress::GatewayOptions {
        allowed_private: vec![network],
        forbidden: vec![([0, 0, 0, 0], forbidden(port)).into()],
        ..hostler_egress::GatewayOptions::default()
    });
    let (_attachment, proxy, _) = crate::world::attach(&gateway, Policy::Unrestricted, Vec::new());
    let host = format!("{address}:{port}");
    let sent = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let answer = ask(proxy, sent).await.unwrap();
    let own = answer.text().contains("the machine that runs this sandbox");
    assert_eq!(own, answer.status == 403, "{}", answer.text());
    Some(answer.status == 200)
}

/// A machine without another address than loopback has nothing to try here.
#[tokio::test]
async fn the_machine_is_not_reached_by_its_outer_address_either() {
    let other = |port: u16| port ^ 1;
    let cases = [
        (
            "inside a permitted network",
            outer_attempt("0.0.0.0/0", other).await,
            false,
        ),
        (
            "permitted itself",
            outer_attempt("own/32", other).await,
            true,
        ),
        (
            "permitted, but the server's port",
            outer_attempt("own/32", |port| port).await,
            false,
        ),
    ];
    for (name, reached, expected) in cases {
        assert!(reached.is_none_or(|reached| reached == expected), "{name}");
    }
}

/// What a client asks for by its number: the sandbox's own name server was never asked.
#[tokio::test]
async fn a_connection_to_a_bare_address_is_refused_in_words() {
    let cases = [
        (crate::world::limited(), "permits names only"),
        (Policy::Unrestricted, "permits public addresses only"),
        (Policy::Nothing, "permits no network"),
    ];
    for (policy, words) in cases {
        let world = World::new(Setting {
            policy,
            ..Setting::default()
        })
        .await;
        let answer = ask(
            world.bare,
            "GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
        )
        .await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, 403);
        assert!(answer.text().contains(words), "{}", answer.text());
        assert_eq!(world.server.accepted(), 0);
    }
}

#[tokio::test]
async fn a_bare_address_that_is_permitted_is_connected_to() {
    let world = World::new(Setting {
        policy: Policy::Unrestricted,
        change: |options, _| options.allowed_private = vec!["127.0.0.1/32".parse().unwrap()],
        ..Setting::default()
    })
    .await;
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]"] {
        let host = format!("{host}:{}", world.port());
        let sent = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(ask(world.proxy, sent).await.unwrap().status, 200, "{host}");
    }
    assert_eq!(world.server.accepted(), 2);
}

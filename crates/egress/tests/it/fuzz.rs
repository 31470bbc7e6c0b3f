//! Arbitrary bytes at every door: nothing panics, nothing hangs, nothing goes out.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};

use hostler_egress::{AllowedHosts, HostName, Network};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::runtime::Runtime;

use crate::wire::{TYPE_A, answer, ask_dns, connect, hello, question_for, rest};
use crate::world::{ALLOWED, Behaviour, World};

/// Panics of tasks end with their task: only a hook sees them all.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        before(info);
    }));
}

/// Bytes that begin like something, with one of them changed, cut off or followed by others.
fn openings() -> impl Strategy<Value = Vec<u8>> {
    let known = prop_oneof![
        Just(hello(Some(ALLOWED))),
        Just(hello(Some("evil.example"))),
        Just(hello(None)),
        Just(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec()),
        Just(b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec()),
        Just(b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec()),
        Just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        Just(Vec::new()),
    ];
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (
        known,
        vec(change, 0..4),
        0..300_usize,
        vec(any::<u8>(), 0..64),
    )
        .prop_map(|(mut bytes, changes, keep, more)| {
            for (at, byte) in changes {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            bytes.truncate(keep);
            bytes.extend(more);
            bytes
        })
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

#[test]
fn bytes_at_the_tcp_doors_get_an_end() {
    count_panics();
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::with(Behaviour::Echo));
    let denied = runtime.block_on(world.resolve("evil.example"));
    let result = runner(300).run(&openings(), |bytes| {
        runtime.block_on(async {
            for door in [world.proxy, denied] {
                let mut stream = connect(door).await;
                _ = stream.write_all(&bytes).await;
                _ = stream.shutdown().await;
                rest(&mut stream).await;
            }
        });
        Ok(())
    });
    result.unwrap();
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
    assert_eq!(world.server.accepted(), 0);
}

#[test]
fn bytes_to_a_permitted_host_get_an_end() {
    count_panics();
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::with(Behaviour::Echo));
    let permitted = runtime.block_on(world.resolve(ALLOWED));
    let result = runner(300).run(&openings(), |bytes| {
        runtime.block_on(async {
            let mut stream = connect(permitted).await;
            _ = stream.write_all(&bytes).await;
            _ = stream.shutdown().await;
            rest(&mut stream).await;
        });
        Ok(())
    });
    result.unwrap();
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

#[test]
fn bytes_at_the_name_server_leave_it_answering() {
    count_panics();
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::limited());
    let question = question_for(ALLOWED, TYPE_A);
    let changed = (
        vec((0..question.len(), any::<u8>()), 0..6),
        0..=question.len(),
        vec(any::<u8>(), 0..40),
    )
        .prop_map(move |(changes, keep, more)| {
            let mut bytes = question.clone();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            bytes.truncate(keep);
            bytes.extend(more);
            bytes
        });
    let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).unwrap();
    let result = runner(300).run(&changed, |bytes| {
        runtime.block_on(async {
            socket.send_to(&bytes, world.dns).await.unwrap();
            let reply = ask_dns(world.dns, &question_for(ALLOWED, TYPE_A)).await;
            assert_eq!(answer(&reply).0, 0);
        });
        Ok(())
    });
    result.unwrap();
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
    assert!(world.lookups.lock().unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_name_that_is_read_is_read_again_as_itself(text in "\\PC{0,80}|[a-zA-Z0-9._-]{0,270}") {
        if let Ok(name) = text.parse::<HostName>() {
            prop_assert_eq!(name.as_str().parse(), Ok(name.clone()));
            prop_assert!(name.as_str().len() <= 253);
            prop_assert!(text.eq_ignore_ascii_case(name.as_str()) || text.ends_with('.'));
            prop_assert!(name.as_str().parse::<std::net::IpAddr>().is_err());
        }
    }

    /// What the machine's own reader of addresses takes for one is never a name.
    #[test]
    fn no_spelling_of_an_address_is_a_name(parts in vec((any::<u32>(), 0..3_u8), 1..5)) {
        let parts: Vec<String> = parts.iter().map(|(number, base)| match base {
            0 => number.to_string(),
            1 => format!("0x{number:x}"),
            _ => format!("0{number:o}"),
        }).collect();
        prop_assert!(parts.join(".").parse::<HostName>().is_err());
    }

    #[test]
    fn a_suffix_matches_what_is_below_it_only(label in "[a-z0-9]{1,10}", glue in "[.-]|[a-z]") {
        let hosts = AllowedHosts::new(["*.suffix.example"]);
        let name: HostName = format!("{label}{glue}suffix.example").parse().unwrap();
        prop_assert_eq!(hosts.matches(&name), glue == ".");
    }

    #[test]
    fn a_network_contains_its_own_addresses_only(bits in any::<u32>(), prefix in 0..=32_u8, other in any::<u32>()) {
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        let base = std::net::Ipv4Addr::from_bits(bits & mask);
        let network = Network::new(base.into(), prefix).unwrap();
        prop_assert_eq!(network.to_string().parse(), Ok(network));
        let other_address = std::net::Ipv4Addr::from_bits(other);
        prop_assert_eq!(network.contains(other_address.into()), other & mask == bits & mask);
        prop_assert_eq!(
            network.contains(other_address.to_ipv6_mapped().into()),
            other & mask == bits & mask
        );
    }
}

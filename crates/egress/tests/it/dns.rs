//! The name server: it answers by itself, and no question leaves the machine.

use std::net::Ipv4Addr;

use crate::wire::{TYPE_A, answer, ask_dns, question, question_for};
use crate::world::{ALLOWED, World};

const NO_ERROR: u8 = 0;
const FORMAT_ERROR: u8 = 1;
const NO_SUCH_NAME: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;
const REFUSED: u8 = 5;

#[tokio::test]
async fn a_permitted_name_keeps_one_address() {
    let world = World::unrestricted().await;
    let first = world.resolve("one.example").await;
    let second = world.resolve("two.example").await;
    assert_ne!(first, second);
    assert_eq!(world.resolve("One.Example").await, first);
    assert!(world.lookups.lock().unwrap().is_empty());
}

/// What a program remembers over a restart of the server still means the same.
#[tokio::test]
async fn a_name_has_the_same_address_in_every_attachment() {
    let (before, after) = (World::limited().await, World::limited().await);
    after.resolve("x.below.example").await;
    let address = before.resolve(ALLOWED).await.ip();
    assert_eq!(after.resolve(ALLOWED).await.ip(), address);
}

#[tokio::test]
async fn denied_names_share_one_address() {
    let world = World::limited().await;
    let denied = world.resolve("evil.example").await;
    assert_eq!(denied, world.resolve("worse.example").await);
    assert_ne!(denied, world.resolve(ALLOWED).await);
}

#[tokio::test]
async fn localhost_is_the_asking_machine() {
    let world = World::limited().await;
    assert_eq!(world.resolve("localhost").await.ip(), Ipv4Addr::LOCALHOST);
    let below = world.resolve("x.localhost").await;
    assert_eq!(below.ip(), Ipv4Addr::LOCALHOST);
}

#[tokio::test]
async fn what_is_not_an_address_of_a_name_carries_nothing() {
    let world = World::unrestricted().await;
    let long = [b'a'; 63];
    // Each with its kind of question and the code that it gets.
    let cases: Vec<(&str, Vec<u8>, u8)> = vec![
        ("AAAA", question_for(ALLOWED, 28), NO_ERROR),
        ("TXT", question_for("data.evil.example", 16), NO_ERROR),
        ("NULL", question_for("data.evil.example", 10), NO_ERROR),
        ("ANY", question_for("evil.example", 255), NO_ERROR),
        ("HTTPS", question_for("evil.example", 65), NO_ERROR),
        ("MX", question_for("evil.example", 15), NO_ERROR),
        ("CNAME", question_for("evil.example", 5), NO_ERROR),
        (
            "PTR",
            question_for("1.0.18.198.in-addr.arpa", 12),
            NO_SUCH_NAME,
        ),
        (
            "a byte that no host has",
            question(&[b"a\0b", b"example"], 1),
            NO_SUCH_NAME,
        ),
        (
            "a dot inside a label",
            question(&[b"allowed.example"], 1),
            NO_SUCH_NAME,
        ),
        ("a space", question(&[b"a b", b"example"], 1), NO_SUCH_NAME),
        (
            "not UTF-8",
            question(&[b"\xff\xfe", b"example"], 1),
            NO_SUCH_NAME,
        ),
        (
            "an address as a name",
            question_for("127.0.0.1", 1),
            NO_SUCH_NAME,
        ),
        ("the root", question(&[], 1), NO_SUCH_NAME),
        (
            "a name too long",
            question(&[&long, &long, &long, &long], 1),
            FORMAT_ERROR,
        ),
        ("a pointer", question(&[&[0; 0]], 1), FORMAT_ERROR),
    ];
    for (name, mut message, code) in cases {
        if name == "a pointer" {
            message[12..14].copy_from_slice(&[0xc0, 12]);
        }
        let reply = ask_dns(world.dns, &message).await;
        assert_eq!(answer(&reply), (code, None), "{name}");
        assert!(reply.len() <= message.len(), "{name} is not amplified");
    }
    assert!(world.lookups.lock().unwrap().is_empty());
}

#[tokio::test]
async fn headers_that_are_no_plain_question_are_refused() {
    let world = World::unrestricted().await;
    let change = |at: usize, byte: u8| {
        let mut message = question_for(ALLOWED, TYPE_A);
        message[at] = byte;
        message
    };
    let end = question_for(ALLOWED, TYPE_A).len() - 1;
    let cases = [
        ("a status request", change(2, 0x10), NOT_IMPLEMENTED),
        ("an update", change(2, 0x28), NOT_IMPLEMENTED),
        ("no question", change(5, 0), FORMAT_ERROR),
        ("two questions", change(5, 2), FORMAT_ERROR),
        ("an answer in a question", change(7, 1), FORMAT_ERROR),
        ("an authority in a question", change(9, 1), FORMAT_ERROR),
        ("class CHAOS", change(end, 3), REFUSED),
    ];
    for (name, message, code) in cases {
        let reply = ask_dns(world.dns, &message).await;
        assert_eq!(answer(&reply), (code, None), "{name}");
    }
}

#[tokio::test]
async fn what_is_no_question_gets_no_answer() {
    let world = World::unrestricted().await;
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut response = question_for("first.example", TYPE_A);
    response[2] |= 0x80;
    let oversized = vec![0; 1300];
    for message in [&response[..], &response[..7], &[], &oversized] {
        socket.send_to(message, world.dns).await.unwrap();
    }
    let real = question_for("second.example", TYPE_A);
    socket.send_to(&real, world.dns).await.unwrap();
    let mut buffer = [0; 1500];
    let (bytes, _) = crate::wire::patiently(socket.recv_from(&mut buffer))
        .await
        .unwrap();
    assert_eq!(
        buffer[12..bytes.min(real.len())],
        real[12..],
        "the first answer is to the question"
    );
}

//! Clients that know of no gateway: they resolve a name and connect to what they are told.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::wire::{hello, patiently, reply, rest};
use crate::world::{ALLOWED, Behaviour, World};

const ACCESS_DENIED: u8 = 49;
const UNRECOGNIZED_NAME: u8 = 112;

fn alert(description: u8) -> Vec<u8> {
    vec![0x15, 3, 3, 0, 2, 2, description]
}

#[tokio::test]
async fn http_reaches_the_host_that_was_resolved() {
    let world = World::limited().await;
    let mut stream = world.reach(ALLOWED).await;
    let request = format!("GET /x HTTP/1.1\r\nHost: {}\r\n\r\n", world.authority());
    stream.write_all(request.as_bytes()).await.unwrap();
    let reply = reply(&mut stream).await.unwrap();
    assert!(reply.text().starts_with("GET /x\n"), "{}", reply.text());
}

#[tokio::test]
async fn every_request_of_a_connection_is_judged() {
    let world = World::limited().await;
    let mut stream = world.reach(ALLOWED).await;
    for (host, status) in [(ALLOWED, 200), ("evil.example", 403), (ALLOWED, 200)] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(reply(&mut stream).await.unwrap().status, status, "{host}");
    }
}

#[tokio::test]
async fn a_denied_name_is_answered_in_words() {
    let world = World::limited().await;
    let mut stream = world.reach("evil.example").await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        .await
        .unwrap();
    let reply = reply(&mut stream).await.unwrap();
    assert_eq!(reply.status, 403);
    assert!(
        reply
            .text()
            .starts_with("The host evil.example is not in allowed_hosts")
    );
}

#[tokio::test]
async fn tls_is_carried_when_its_hello_names_the_host() {
    let world = World::with(Behaviour::Echo).await;
    let mut stream = world.reach(ALLOWED).await;
    let hello = hello(Some("Allowed.Example"));
    // In two parts, as a slow client sends it.
    let (first, second) = hello.split_at(20);
    stream.write_all(first).await.unwrap();
    stream.flush().await.unwrap();
    stream.write_all(second).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, (hello, true));
}

#[tokio::test]
async fn tls_to_another_name_is_refused_in_its_own_words() {
    let world = World::with(Behaviour::Echo).await;
    let cases = [
        (ALLOWED, Some("evil.example"), UNRECOGNIZED_NAME),
        (ALLOWED, None, UNRECOGNIZED_NAME),
        ("evil.example", Some("evil.example"), ACCESS_DENIED),
        ("evil.example", Some(ALLOWED), ACCESS_DENIED),
        ("evil.example", None, ACCESS_DENIED),
    ];
    for (name, server_name, description) in cases {
        let mut stream = world.reach(name).await;
        stream.write_all(&hello(server_name)).await.unwrap();
        let (bytes, _) = rest(&mut stream).await;
        assert_eq!(bytes, alert(description), "{name} {server_name:?}");
    }
    assert_eq!(world.server.accepted(), 0);
    assert_eq!(world.usage().refused, 5);
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard() {
    let world = World::with(Behaviour::Greet).await;
    let mut stream = world.reach(ALLOWED).await;
    let mut greeting = [0; 11];
    patiently(stream.read_exact(&mut greeting)).await.unwrap();
    assert_eq!(&greeting, b"220 ready\r\n");
    stream.write_all(b"HELO me\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, (b"HELO me\r\n".to_vec(), true));
}

#[tokio::test]
async fn a_client_that_hesitates_is_still_read() {
    // The server waits for the client, so the gateway has connected when the hello comes.
    let world = World::with(Behaviour::Echo).await;
    let mut stream = world.reach(ALLOWED).await;
    while world.server.accepted() == 0 {
        tokio::task::yield_now().await;
    }
    stream
        .write_all(&hello(Some("evil.example")))
        .await
        .unwrap();
    let (bytes, _) = rest(&mut stream).await;
    assert_eq!(bytes, alert(UNRECOGNIZED_NAME));
    assert_eq!(world.server.received(), 0);
}

#[tokio::test]
async fn other_protocols_are_carried_to_a_permitted_host_and_cut_off_elsewhere() {
    let world = World::with(Behaviour::Echo).await;
    let mut stream = world.reach(ALLOWED).await;
    stream.write_all(b"\x00\x01binary").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, (b"\x00\x01binary".to_vec(), true));
    let mut refused = world.reach("evil.example").await;
    _ = refused.write_all(b"\x00\x01binary").await;
    assert_eq!(rest(&mut refused).await, (Vec::new(), false), "a reset");
    assert_eq!(world.server.accepted(), 1);
}

#[tokio::test]
async fn an_address_learned_earlier_follows_the_policy_of_the_moment() {
    let world = World::with(Behaviour::Echo).await;
    let address = world.resolve(ALLOWED).await;
    world.attachment.set_policy(hostler_egress::Policy::Nothing);
    let mut stream = crate::wire::connect(address).await;
    stream.write_all(&hello(Some(ALLOWED))).await.unwrap();
    assert_eq!(rest(&mut stream).await.0, alert(ACCESS_DENIED));
    assert_eq!(world.server.accepted(), 0);
}

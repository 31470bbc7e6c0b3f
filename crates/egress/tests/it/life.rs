//! What an attachment counts, how its policy changes under way, and how it ends.

use std::net::SocketAddr;

use futures::future::join_all;
use hostler_egress::{Gateway, GatewayOptions, Listeners, Network, Policy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::{ask, connect, patiently, reply, rest};
use crate::world::{ALLOWED, Behaviour, World, limited};

/// A tunnel through the proxy to the world's server, which sends everything back.
async fn tunnel(world: &World) -> TcpStream {
    let mut stream = connect(world.proxy).await;
    let host = world.authority();
    let request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(reply(&mut stream).await.unwrap().status, 200);
    stream.write_all(b"\0").await.unwrap();
    assert_eq!(patiently(stream.read_u8()).await.unwrap(), 0);
    stream
}

#[tokio::test]
async fn every_byte_is_counted_once() {
    const BYTES: usize = 5_000_001;
    let world = World::with(Behaviour::Echo).await;
    let (mut read, mut write) = tunnel(&world).await.into_split();
    let sent = vec![7; BYTES];
    let mut got = Vec::new();
    let (written, read) = patiently(async {
        tokio::join!(
            async {
                write.write_all(&sent).await?;
                write.shutdown().await
            },
            read.read_to_end(&mut got)
        )
    })
    .await;
    written.unwrap();
    assert_eq!(read.unwrap(), BYTES);
    assert!(got == sent);
    let usage = world.usage();
    assert_eq!(world.server.received(), BYTES + 1);
    assert_eq!(usage.bytes_out, BYTES as u64 + 1);
    assert_eq!(usage.bytes_in, BYTES as u64 + 1);
    assert_eq!((usage.connections, usage.refused), (1, 0));
}

#[tokio::test]
async fn a_hundred_clients_are_served_at_once() {
    let world = World::with(Behaviour::Echo).await;
    let clients = (0..100).map(|_| async {
        let mut stream = tunnel(&world).await;
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        rest(&mut stream).await
    });
    for end in join_all(clients).await {
        assert_eq!(end, (b"hello".to_vec(), true));
    }
    assert_eq!(world.usage().bytes_out, 600);
}

#[tokio::test]
async fn a_policy_that_is_taken_back_ends_tunnels_and_refuses_requests() {
    let world = World::with(Behaviour::Echo).await;
    let mut stream = tunnel(&world).await;
    world.attachment.set_policy(limited());
    stream.write_all(b"x").await.unwrap();
    assert_eq!(patiently(stream.read_u8()).await.unwrap(), b'x');
    world.attachment.set_policy(Policy::Nothing);
    assert_eq!(rest(&mut stream).await, (Vec::new(), false));
    let host = world.authority();
    let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let refused = ask(world.proxy, request).await.unwrap();
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.text(),
        "This session's environment permits no network.\n"
    );
}

#[tokio::test]
async fn requests_of_a_kept_connection_follow_the_policy_of_their_moment() {
    let world = World::limited().await;
    let mut stream = world.reach(ALLOWED).await;
    let request = format!("GET / HTTP/1.1\r\nHost: {ALLOWED}\r\n\r\n");
    for (policy, status) in [
        (limited(), 200),
        (Policy::Nothing, 403),
        (Policy::Unrestricted, 200),
    ] {
        world.attachment.set_policy(policy);
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(reply(&mut stream).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn dropping_an_attachment_ends_all_of_it() {
    let world = World::with(Behaviour::Echo).await;
    let mut tunnel = tunnel(&world).await;
    let mut idle = connect(world.proxy).await;
    let World {
        attachment, proxy, ..
    } = world;
    drop(attachment);
    assert!(rest(&mut tunnel).await.0.is_empty());
    assert!(rest(&mut idle).await.0.is_empty());
    // Whoever comes now was never accepted.
    if let Ok(mut late) = TcpStream::connect(proxy).await {
        assert!(rest(&mut late).await.0.is_empty());
    }
}

#[tokio::test]
async fn a_network_for_names_that_is_none_is_refused_by_name() {
    for network in ["fd00::/64", "10.0.0.0/25"] {
        let network: Network = network.parse().unwrap();
        let gateway = Gateway::new(GatewayOptions {
            names_network: network,
            ..GatewayOptions::default()
        });
        let error = gateway
            .attach("x".to_owned(), Policy::Nothing, sockets())
            .unwrap_err();
        assert!(error.to_string().contains("names_network"), "{error}");
    }
}

#[test]
fn attaching_needs_a_runtime() {
    let gateway = Gateway::new(GatewayOptions::default());
    let attached = gateway.attach("x".to_owned(), Policy::Nothing, sockets());
    assert!(attached.is_err());
}

fn sockets() -> Listeners {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    Listeners {
        tcp: Vec::new(),
        proxy: std::net::TcpListener::bind(any).unwrap(),
        dns: std::net::UdpSocket::bind(any).unwrap(),
    }
}

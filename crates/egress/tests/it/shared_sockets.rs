//! A sandbox keeps the sockets that it gave to the gateway, and changes what they have in common.
//! Each test has one thread: a call that blocks would be the end of it.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use hostler_egress::{Attachment, Gateway, GatewayOptions, Listeners};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;

use crate::wire::{TYPE_A, answer, ask, ask_dns, connect, patiently, question_for, reply, rest};
use crate::world::{ALLOWED, Behaviour, World, limited};

/// An attachment and what its sandbox kept.
struct Shared {
    attachment: Attachment,
    proxy: TcpListener,
    dns: UdpSocket,
}

impl Shared {
    fn with(world: &World) -> Self {
        let gateway = Gateway::new(GatewayOptions {
            hosts: [(ALLOWED.parse().unwrap(), world.server.address.ip())].into(),
            ..GatewayOptions::default()
        });
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let dns = UdpSocket::bind("127.0.0.1:0").unwrap();
        let listeners = Listeners {
            tcp: Vec::new(),
            proxy: proxy.try_clone().unwrap(),
            dns: dns.try_clone().unwrap(),
        };
        let attachment = gateway
            .attach("shared".to_owned(), limited(), listeners)
            .unwrap();
        Self {
            attachment,
            proxy,
            dns,
        }
    }

    fn address(&self) -> SocketAddr {
        self.proxy.local_addr().unwrap()
    }
}

#[tokio::test]
async fn sockets_that_are_made_to_block_keep_nobody_waiting() {
    let world = World::limited().await;
    let shared = Shared::with(&world);
    shared.proxy.set_nonblocking(false).unwrap();
    shared.dns.set_nonblocking(false).unwrap();
    let request = "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    for _ in 0..3 {
        let refused = ask(shared.address(), request).await.unwrap();
        assert_eq!(refused.status, 403);
        let names = shared.dns.local_addr().unwrap();
        let told = ask_dns(names, &question_for(ALLOWED, TYPE_A)).await;
        assert!(answer(&told).1.is_some());
        // Everybody else is served meanwhile.
        assert_eq!(ask(world.proxy, request).await.unwrap().status, 403);
    }
}

#[tokio::test]
async fn a_connection_that_was_to_linger_is_closed_at_once() {
    let world = World::with(Behaviour::Answer(&[7; 4 << 20])).await;
    let shared = Shared::with(&world);
    let long = Some(Duration::from_secs(3600));
    SockRef::from(&shared.proxy).set_linger(long).unwrap();
    let mut stream = connect(shared.address()).await;
    let host = world.authority();
    let request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(reply(&mut stream).await.unwrap().status, 200);
    stream.write_all(b"\0").await.unwrap();
    // More is on its way than was read of it.
    patiently(stream.readable()).await.unwrap();
    drop(shared.attachment);
    let (got, _) = rest(&mut stream).await;
    assert!(got.len() < 4 << 20);
}

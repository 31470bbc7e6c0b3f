//! A sandbox that takes all it can get: it is bounded, and its neighbours notice nothing.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use futures::future::join_all;
use hostler_egress::{Gateway, GatewayOptions, HostName, Policy, Resolver, Times};
use tokio::io::AsyncWriteExt;

use crate::wire::{TYPE_A, answer, ask, ask_dns, connect, question_for, reply, rest};
use crate::world::{ALLOWED, Behaviour, Setting, World, attach, limited};

const REFUSED: &str = "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n";

#[tokio::test]
async fn connections_beyond_the_bound_wait_until_others_end() {
    let gateway = Gateway::new(GatewayOptions {
        connections_max: 4,
        ..GatewayOptions::default()
    });
    let (_crowded, proxy, _) = attach(&gateway, limited(), Vec::new());
    let (_neighbour, next_door, _) = attach(&gateway, limited(), Vec::new());
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(proxy).await;
        stream.write_all(REFUSED.as_bytes()).await.unwrap();
        assert_eq!(reply(&mut stream).await.unwrap().status, 403);
        held.push(stream);
    }
    let mut waiting = connect(proxy).await;
    waiting.write_all(REFUSED.as_bytes()).await.unwrap();
    // Ten times over, the neighbour is served and the one who waits is not.
    for _ in 0..10 {
        assert_eq!(ask(next_door, REFUSED).await.unwrap().status, 403);
    }
    let mut byte = [0];
    assert!(waiting.try_read(&mut byte).is_err());
    held.pop();
    assert_eq!(reply(&mut waiting).await.unwrap().status, 403);
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let world = World::new(Setting {
        change: |options, _| options.times.head = Duration::from_millis(100),
        ..Setting::default()
    })
    .await;
    let openings: [&[u8]; 4] = [b"", b"GET http://allowed.example", b"\x16\x03\x01", b"\r\n"];
    for opening in openings {
        let mut proxied = connect(world.proxy).await;
        proxied.write_all(opening).await.unwrap();
        _ = rest(&mut proxied).await;
        let mut refused = world.reach("evil.example").await;
        refused.write_all(opening).await.unwrap();
        _ = rest(&mut refused).await;
        if !opening.is_empty() {
            let mut permitted = world.reach(ALLOWED).await;
            permitted.write_all(opening).await.unwrap();
            _ = rest(&mut permitted).await;
        }
    }
    assert_eq!(world.server.accepted(), 0);
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_is_closed() {
    let world = World::new(Setting {
        behaviour: Behaviour::Greet,
        change: |options, _| options.times.idle = Duration::from_secs(2),
        ..Setting::default()
    })
    .await;
    let mut stream = world.reach(ALLOWED).await;
    let (bytes, _) = rest(&mut stream).await;
    assert_eq!(bytes, b"220 ready\r\n");
}

/// Holds up a resolver until it is dropped, however the test ends: a runtime waits for its threads.
struct Holding(Arc<(Mutex<bool>, Condvar)>);

impl Drop for Holding {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

#[tokio::test]
async fn a_resolver_that_hangs_takes_a_bounded_number_of_threads() {
    let holding = Holding(Arc::default());
    let asked = Arc::new(Mutex::new(0));
    let resolver = {
        let (gate, asked) = (Arc::clone(&holding.0), Arc::clone(&asked));
        Resolver::Function(Arc::new(move |name: &HostName| {
            if name.as_str() == "slow.example" {
                *asked.lock().unwrap() += 1;
                let open = gate.0.lock().unwrap();
                drop(gate.1.wait_while(open, |open| !*open).unwrap());
            }
            Ok(vec!["10.0.0.1".parse().unwrap()])
        }))
    };
    let gateway = Gateway::new(GatewayOptions {
        resolver,
        times: Times {
            lookup: Duration::from_secs(2),
            ..Times::default()
        },
        ..GatewayOptions::default()
    });
    let (_crowded, proxy, _) = attach(&gateway, Policy::Unrestricted, Vec::new());
    let (_neighbour, next_door, _) = attach(&gateway, Policy::Unrestricted, Vec::new());
    let slow = "CONNECT slow.example:1 HTTP/1.1\r\nHost: slow.example:1\r\n\r\n";
    let replies = join_all((0..40).map(|_| ask(proxy, slow))).await;
    let statuses: Vec<_> = replies.iter().flatten().map(|reply| reply.status).collect();
    assert_eq!(statuses, [504; 40]);
    assert_eq!(*asked.lock().unwrap(), 8, "threads of one sandbox");
    let quick = "CONNECT quick.example:1 HTTP/1.1\r\nHost: quick.example:1\r\n\r\n";
    assert_eq!(ask(next_door, quick).await.unwrap().status, 403);
    drop(holding);
}

#[tokio::test]
async fn names_beyond_the_bound_replace_the_oldest() {
    // The network for names has room for half of its 256 addresses.
    let world = World::unrestricted().await;
    let first = world.resolve("first.example").await;
    for number in 0..200 {
        world.resolve(&format!("n{number}.example")).await;
    }
    let last = world.resolve("n199.example").await;
    assert_eq!(world.resolve("n199.example").await, last);
    // The address of a name that was dropped stands for nothing, or for one that came later.
    let request = "GET / HTTP/1.1\r\nHost: first.example\r\n\r\n";
    let answer = ask(first, request).await.unwrap();
    assert_eq!(answer.status, 403);
    let words = ["resolve the name again", "the connection leads to n"];
    assert!(
        words.iter().any(|words| answer.text().contains(words)),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn all_sandboxes_together_have_a_bound() {
    let gateway = Gateway::new(GatewayOptions {
        connections_total_max: 2,
        ..GatewayOptions::default()
    });
    let (_one, first, _) = attach(&gateway, limited(), Vec::new());
    let (_other, second, _) = attach(&gateway, limited(), Vec::new());
    let mut held = Vec::new();
    for proxy in [first, second] {
        let mut stream = connect(proxy).await;
        stream.write_all(REFUSED.as_bytes()).await.unwrap();
        assert_eq!(reply(&mut stream).await.unwrap().status, 403);
        held.push(stream);
    }
    let mut waiting = connect(first).await;
    waiting.write_all(REFUSED.as_bytes()).await.unwrap();
    held.pop();
    assert_eq!(reply(&mut waiting).await.unwrap().status, 403);
}

#[tokio::test]
async fn a_flood_of_questions_is_not_waited_for_by_others() {
    let gateway = Gateway::new(GatewayOptions::default());
    let (_flooding, _, dns) = attach(&gateway, Policy::Unrestricted, Vec::new());
    let (_neighbour, _, next_door) = attach(&gateway, Policy::Unrestricted, Vec::new());
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for number in 0..20_000 {
        let question = question_for(&format!("n{number}.example"), TYPE_A);
        // What the queue has no room for is lost.
        _ = socket.try_send_to(&question, dns);
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let reply = ask_dns(next_door, &question_for("quiet.example", TYPE_A)).await;
    assert!(answer(&reply).1.is_some());
}

//! Clients that know their proxy: requests in absolute form, and CONNECT.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::wire::{ask, connect, hello, patiently, reply, rest};
use crate::world::{Behaviour, World};

#[tokio::test]
async fn a_request_reaches_its_host_in_origin_form() {
    let world = World::limited().await;
    let host = world.authority();
    let request = format!(
        "GET http://{host}/path?q=1 HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Basic eA==\r\nX-Own: 1\r\n\r\n"
    );
    let reply = ask(world.proxy, request).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.text(),
        format!("GET /path?q=1\nhost: {host}\nx-own: 1\n\n")
    );
}

#[tokio::test]
async fn bodies_pass_and_one_connection_serves_many_requests() {
    let world = World::limited().await;
    let host = world.authority();
    let mut stream = connect(world.proxy).await;
    for body in ["length", "chunks", "none"] {
        let head = format!("POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\n");
        let request = match body {
            "length" => format!("{head}Content-Length: 5\r\n\r\nhello"),
            "chunks" => {
                format!(
                    "{head}Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
                )
            }
            _ => format!("{head}Content-Length: 0\r\n\r\n"),
        };
        stream.write_all(request.as_bytes()).await.unwrap();
        let reply = reply(&mut stream).await.unwrap();
        let text = reply.text();
        let end = if body == "none" { "\n\n" } else { "\n\nhello" };
        assert!(
            text.starts_with("POST /\n") && text.ends_with(end),
            "{text}"
        );
    }
    assert_eq!(world.server.accepted(), 1, "the host's connection is kept");
    assert_eq!(world.usage().connections, 1);
}

#[tokio::test]
async fn a_refusal_names_the_policy() {
    let world = World::limited().await;
    let reply = ask(
        world.proxy,
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    )
    .await
    .unwrap();
    assert!(
        reply
            .head
            .starts_with("HTTP/1.1 403 Forbidden by network policy\r\n")
    );
    assert_eq!(reply.header("x-hostler-egress"), Some("denied"));
    assert_eq!(
        reply.text(),
        "The host evil.example is not in allowed_hosts of this session's environment (networking: limited).\n"
    );
    let connect = "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n";
    let connected = ask(world.proxy, connect).await.unwrap();
    assert_eq!(connected.text(), reply.text());
    assert_eq!(world.usage().refused, 2);
    assert_eq!(world.server.accepted(), 0);
}

#[tokio::test]
async fn a_tunnel_carries_both_ways_and_ends_one_way_at_a_time() {
    let world = World::with(Behaviour::Echo).await;
    let host = world.authority();
    let mut stream = connect(world.proxy).await;
    // The hello comes along with the CONNECT: what was read too far isn't lost.
    let mut request = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
    let hello = hello(Some("allowed.example"));
    request.extend(&hello);
    stream.write_all(&request).await.unwrap();
    assert_eq!(reply(&mut stream).await.unwrap().status, 200);
    let mut echoed = vec![0; hello.len()];
    patiently(stream.read_exact(&mut echoed)).await.unwrap();
    assert_eq!(echoed, hello);
    stream.write_all(b"the last words").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, (b"the last words".to_vec(), true));
}

#[tokio::test]
async fn http_inside_a_tunnel_is_held_against_its_host() {
    let world = World::limited().await;
    let host = world.authority();
    let mut stream = connect(world.proxy).await;
    let request = format!(
        "CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\nGET /a HTTP/1.1\r\nHost: {host}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(reply(&mut stream).await.unwrap().status, 200);
    let inside = reply(&mut stream).await.unwrap();
    assert!(inside.text().starts_with("GET /a\n"));
    stream
        .write_all(b"GET /b HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        .await
        .unwrap();
    let refused = reply(&mut stream).await.unwrap();
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("request is for evil.example"));
}

#[tokio::test]
async fn websocket_becomes_a_tunnel() {
    let world = World::limited().await;
    let host = world.authority();
    let mut stream = connect(world.proxy).await;
    let request = format!(
        "GET http://{host}/ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let switched = reply(&mut stream).await.unwrap();
    assert_eq!(switched.status, 101);
    assert_eq!(switched.header("upgrade"), Some("websocket"));
    stream.write_all(b" and late").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, (b"early and late".to_vec(), true));
}

#[tokio::test]
async fn an_answer_to_head_has_a_length_and_no_body() {
    let world = World::with(Behaviour::Answer(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n",
    ))
    .await;
    let host = world.authority();
    let mut stream = connect(world.proxy).await;
    let request =
        format!("HEAD http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (bytes, _) = rest(&mut stream).await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.to_lowercase().contains("content-length: 1000\r\n"));
    assert!(text.ends_with("\r\n\r\n"));
}

#[tokio::test]
async fn a_host_that_ends_a_kept_connection_ends_the_clients() {
    let world = World::with(Behaviour::AnswerOnce).await;
    let host = world.authority();
    let request = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut stream = connect(world.proxy).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(reply(&mut stream).await.unwrap().status, 200);
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.0.is_empty());
    assert_eq!(world.server.accepted(), 1, "nothing is sent twice");
}

//! What strangers can do to connections, without any key.

use std::convert::Infallible;

use hostler_server::listener;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// All that a server answers to these bytes before it closes the connection.
async fn answer(bytes: &[u8]) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let service = tower::service_fn(|_: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new("served".to_owned()))
    });
    let client = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that has heard enough may close before it has all.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        soft.cancel();
        String::from_utf8(answer).unwrap()
    };
    let server = listener::serve(socket, service, soft.clone(), hard);
    let ((), answer) = tokio::join!(server, client);
    answer
}

#[tokio::test]
async fn a_request_is_served() {
    let answer = answer(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("served"));
}

#[tokio::test]
async fn a_head_without_end_is_not_kept() {
    let mut bytes = b"GET / HTTP/1.1\r\nx: ".to_vec();
    bytes.resize(1 << 20, b'x');
    let answer = answer(&bytes).await;
    assert!(!answer.contains("served"), "{answer}");
}

#[tokio::test]
async fn what_is_no_request_ends_its_connection() {
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = answer(bytes).await;
        assert!(!answer.contains("served"), "{answer}");
    }
}

//! What strangers can do to connections, without any key.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use hostler_server::listener;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::{Request, Response};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
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

/// A body whose pieces a test sends.
struct Pieces(mpsc::Receiver<&'static str>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(Bytes::from(piece)))))
    }
}

/// A client that has asked for an event stream and read the head of the answer.
struct Streaming {
    client: BufReader<TcpStream>,
    head: String,
    /// Dropping it ends the stream.
    pieces: mpsc::Sender<&'static str>,
    soft: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

impl Streaming {
    async fn by(request: &str) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (pieces, receiver) = mpsc::channel(1);
        let body = Arc::new(Mutex::new(Some(Pieces(receiver))));
        let service = tower::service_fn(move |_: Request<Incoming>| {
            let body = body.lock().unwrap().take().unwrap();
            let response = Response::builder().header("content-type", "text/event-stream");
            std::future::ready(Ok::<_, Infallible>(response.body(body).unwrap()))
        });
        let soft = CancellationToken::new();
        let serving = listener::serve(socket, service, soft.clone(), CancellationToken::new());
        #[expect(clippy::disallowed_methods, reason = "the test waits for its end")]
        let server = tokio::spawn(serving);
        let mut client = BufReader::new(TcpStream::connect(address).await.unwrap());
        client.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            client.read_line(&mut head).await.unwrap();
        }
        Self {
            client,
            head,
            pieces,
            soft,
            server,
        }
    }

    async fn must_read(&mut self, expected: &str) {
        let mut bytes = vec![0; expected.len()];
        self.client.read_exact(&mut bytes).await.unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    async fn rest(mut self) -> String {
        drop(self.pieces);
        let mut rest = String::new();
        self.client.read_to_string(&mut rest).await.unwrap();
        self.soft.cancel();
        self.server.await.unwrap();
        rest
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";

#[tokio::test]
async fn an_event_stream_is_written_piece_by_piece() {
    let mut streaming = Streaming::by(GET).await;
    let head = &streaming.head;
    assert!(head.contains("transfer-encoding: chunked\r\n") && head.contains("connection: close"));
    for piece in ["data: one\n\n", "data: two\n\n"] {
        streaming.pieces.send(piece).await.unwrap();
        streaming.must_read(&format!("b\r\n{piece}\r\n")).await;
    }
    // What a client has no reason to send changes nothing.
    streaming.client.write_all(GET.as_bytes()).await.unwrap();
    streaming.pieces.send("data: three\n\n").await.unwrap();
    streaming.must_read("d\r\ndata: three\n\n\r\n").await;
    drop(std::mem::replace(&mut streaming.pieces, mpsc::channel(1).0));
    streaming.must_read("0\r\n\r\n").await;
}

#[tokio::test]
async fn the_stream_of_a_client_that_went_away_is_dropped() {
    let mut streaming = Streaming::by(GET).await;
    streaming.pieces.send("data: one\n\n").await.unwrap();
    streaming.must_read("b\r\ndata: one\n\n\r\n").await;
    drop(streaming.client);
    streaming.pieces.closed().await;
}

#[tokio::test]
async fn a_soft_stop_waits_for_the_end_of_a_stream() {
    let mut streaming = Streaming::by(GET).await;
    streaming.soft.cancel();
    streaming.pieces.send("data: one\n\n").await.unwrap();
    streaming.must_read("b\r\ndata: one\n\n\r\n").await;
    assert!(!streaming.server.is_finished());
    assert_eq!(streaming.rest().await, "0\r\n\r\n");
}

#[tokio::test]
async fn an_old_client_gets_a_stream_without_chunks() {
    let streaming = Streaming::by("GET / HTTP/1.0\r\n\r\n").await;
    streaming.pieces.send("data: one\n\n").await.unwrap();
    assert_eq!(streaming.rest().await, "data: one\n\n");
}

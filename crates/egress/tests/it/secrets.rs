//! Placeholders become secrets on the way out, inside TLS too, and only where they may.

use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{FutureExt, stream};
use hostler_egress::{Authority, Locations, SecretHosts, Secrets, Substitution};
use http_body_util::{Empty, Full, StreamBody};
use hyper::Request;
use hyper::body::Frame;
use hyper::http::request::Builder;

use crate::tls;
use crate::wire;
use crate::world::{ALLOWED, Behaviour, Setting, World, limited};

const PLACEHOLDER: &str = "hostler_placeholder_0123456789abcdef";
const SECRET: &str = "s3cret/with+\"signs\"-4711";
const HTTP1: &[&[u8]] = &[b"http/1.1"];
const HTTP2: &[&[u8]] = &[b"h2"];
const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];

/// A world whose sandbox has one secret, and what can be done to that.
struct Kept {
    world: World,
    authority: Authority,
    /// `None`: it can't be had at the moment.
    secrets: Arc<Mutex<Option<Vec<Arc<Substitution>>>>>,
}

fn substitution(value: &str, hosts: &[&str], header: bool, body: bool) -> Arc<Substitution> {
    Arc::new(Substitution {
        placeholder: PLACEHOLDER.to_owned(),
        value: value.to_owned().into(),
        hosts: SecretHosts::these(hosts),
        place: None,
        locations: Locations { header, body },
    })
}

impl Kept {
    async fn new(behaviour: Behaviour, secret: Arc<Substitution>) -> Self {
        let authority = tls::authority();
        let secrets = Arc::new(Mutex::new(Some(vec![secret])));
        let known = Arc::clone(&secrets);
        let source = move || {
            let now = known.lock().unwrap().clone();
            let now = now
                .map(Into::into)
                .ok_or_else(|| io::Error::other("not now"));
            std::future::ready(now).boxed()
        };
        let world = World::new(Setting {
            behaviour,
            policy: limited(),
            secrets: Some(Secrets {
                authority: authority.clone(),
                source: Arc::new(source),
            }),
            ..Setting::default()
        });
        Self {
            world: world.await,
            authority,
            secrets,
        }
    }

    async fn https(upstream: &'static [&'static [u8]]) -> Self {
        let secret = substitution(SECRET, &[ALLOWED], true, true);
        Self::new(Behaviour::Https(ALLOWED, upstream), secret).await
    }

    fn request(&self) -> Builder {
        let uri = format!("https://{}/{PLACEHOLDER}", self.world.authority());
        Request::post(uri).header("host", self.world.authority())
    }

    async fn ask<B>(&self, protocols: &[&[u8]], request: Request<B>) -> (u16, String, String)
    where
        B: hyper::body::Body<Data = Bytes, Error = std::convert::Infallible>
            + Send
            + Unpin
            + 'static,
    {
        let stream = self.world.reach(ALLOWED).await;
        let certificate = self.authority.certificate();
        let stream = tls::begin(stream, ALLOWED, &certificate, protocols).await;
        let (parts, body) = tls::ask(stream.unwrap(), request).await.unwrap();
        (parts.status.as_u16(), format!("{:?}", parts.headers), body)
    }

    fn seen(&self) -> String {
        self.world.server.requests().join("\n---\n")
    }
}

/// A body in pieces of one byte.
fn in_bytes(
    text: String,
) -> StreamBody<impl futures::Stream<Item = Result<Frame<Bytes>, std::convert::Infallible>> + Unpin>
{
    let bytes: Vec<_> = text
        .bytes()
        .map(|byte| Ok(Frame::data(Bytes::from(vec![byte]))))
        .collect();
    StreamBody::new(stream::iter(bytes))
}

#[tokio::test]
async fn headers_and_bodies_get_the_secret_in_each_protocol() {
    for (client, upstream) in [
        (HTTP1, HTTP1),
        (HTTP2, HTTP2),
        (HTTP2, HTTP1),
        (HTTP1, BOTH),
        (BOTH, BOTH),
    ] {
        let kept = Kept::https(upstream).await;
        let basic = STANDARD.encode(format!("user:{PLACEHOLDER}"));
        let body = format!("before {PLACEHOLDER} and {PLACEHOLDER}");
        let request = kept
            .request()
            .header("x-key", format!("Token {PLACEHOLDER}!"))
            .header("authorization", format!("Basic {basic}"))
            .body(Full::new(Bytes::from(body)));
        let (status, headers, answer) = kept.ask(client, request.unwrap()).await;
        assert_eq!(status, 200);
        let seen = kept.seen();
        let basic = STANDARD.encode(format!("user:{SECRET}"));
        for expected in [
            format!("x-key: Token {SECRET}!\n"),
            format!("authorization: Basic {basic}\n"),
            format!("\n\nbefore {SECRET} and {SECRET}"),
            format!("/{PLACEHOLDER}"),
        ] {
            assert!(seen.contains(&expected), "{expected:?} in {seen}");
        }
        for shown in [headers, answer] {
            assert!(
                !shown.contains("s3cret") && !shown.contains(&basic[12..30]),
                "{shown}"
            );
        }
    }
}

#[tokio::test]
async fn a_placeholder_in_pieces_is_one_placeholder() {
    for (client, upstream) in [(HTTP1, HTTP1), (HTTP2, HTTP2), (HTTP2, HTTP1)] {
        let kept = Kept::https(upstream).await;
        let body = in_bytes(format!("a{PLACEHOLDER}{PLACEHOLDER}z"));
        let (status, ..) = kept.ask(client, kept.request().body(body).unwrap()).await;
        assert_eq!(status, 200);
        let seen = kept.seen();
        assert!(seen.ends_with(&format!("\n\na{SECRET}{SECRET}z")), "{seen}");
    }
}

#[tokio::test]
async fn a_long_body_of_a_known_length_is_sent_without_one() {
    let kept = Kept::https(HTTP1).await;
    let filling = "x".repeat(300 << 10);
    let body = Bytes::from(format!("{filling}{PLACEHOLDER}"));
    let (status, ..) = kept
        .ask(HTTP1, kept.request().body(Full::new(body)).unwrap())
        .await;
    let seen = kept.seen();
    assert_eq!(status, 200);
    assert!(seen.contains("transfer-encoding: chunked") && seen.ends_with(SECRET));
}

#[tokio::test]
async fn a_location_that_is_off_sends_the_placeholder() {
    for (header, body) in [(true, false), (false, true)] {
        let secret = substitution(SECRET, &[ALLOWED], header, body);
        let kept = Kept::new(Behaviour::Https(ALLOWED, BOTH), secret).await;
        let text = Full::new(Bytes::from(format!("body={PLACEHOLDER}")));
        let request = kept.request().header("x-key", PLACEHOLDER).body(text);
        kept.ask(HTTP2, request.unwrap()).await;
        let seen = kept.seen();
        assert_eq!(seen.contains(&format!("x-key: {SECRET}")), header, "{seen}");
        assert_eq!(seen.contains(&format!("body={SECRET}")), body, "{seen}");
    }
}

#[tokio::test]
async fn a_secret_of_another_host_leaves_tls_closed() {
    let secret = substitution(SECRET, &["other.example"], true, true);
    let kept = Kept::new(Behaviour::Https(ALLOWED, BOTH), secret).await;
    let stream = kept.world.reach(ALLOWED).await;
    let refused = tls::begin(stream, ALLOWED, &kept.authority.certificate(), BOTH).await;
    // What answers is the host itself, which the sandbox's authority doesn't vouch for.
    assert!(refused.unwrap_err().to_string().contains("UnknownIssuer"));
    assert_eq!(kept.seen(), "");
}

#[tokio::test]
async fn rotation_and_revocation_count_from_the_next_request_of_the_same_connection() {
    let kept = Kept::https(HTTP1).await;
    let stream = kept.world.reach(ALLOWED).await;
    let stream = tls::begin(stream, ALLOWED, &kept.authority.certificate(), HTTP1).await;
    let stream = hyper_util::rt::TokioIo::new(stream.unwrap());
    let (mut sender, driver) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    let mut drivers = tokio::task::JoinSet::new();
    drivers.spawn(driver);
    for now in [
        Some(vec![substitution("first value", &[ALLOWED], true, true)]),
        Some(vec![substitution("second value", &[ALLOWED], true, true)]),
        Some(Vec::new()),
        None,
    ] {
        *kept.secrets.lock().unwrap() = now;
        let request = kept.request().header("x-key", PLACEHOLDER);
        sender.ready().await.unwrap();
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        _ = http_body_util::BodyExt::collect(response.into_body()).await;
    }
    let seen = kept.world.server.requests();
    let keys: Vec<&str> = seen
        .iter()
        .filter_map(|told| told.lines().find_map(|line| line.strip_prefix("x-key: ")))
        .collect();
    // The last one was never sent: without an answer about secrets nothing is.
    assert_eq!(keys, ["first value", "second value", PLACEHOLDER]);
}

#[tokio::test]
async fn a_host_that_does_not_prove_itself_gets_nothing() {
    let secret = substitution(SECRET, &[ALLOWED], true, true);
    let kept = Kept::new(Behaviour::Https("impostor.example", BOTH), secret).await;
    let request = kept.request().header("x-key", PLACEHOLDER);
    let (status, _, answer) = kept
        .ask(BOTH, request.body(Empty::<Bytes>::new()).unwrap())
        .await;
    assert_eq!(status, 502);
    assert!(
        answer.starts_with("The host allowed.example does not prove who it is"),
        "{answer}"
    );
    assert_eq!(kept.seen(), "");
}

#[tokio::test]
async fn what_names_another_host_inside_is_refused() {
    let kept = Kept::https(BOTH).await;
    for (protocols, uri, host) in [
        (HTTP1, "/".to_owned(), "other.example"),
        (HTTP1, "https://other.example/".to_owned(), ALLOWED),
        (HTTP1, format!("http://{ALLOWED}/"), ALLOWED),
        (HTTP2, "https://other.example/".to_owned(), "other.example"),
    ] {
        let request = Request::get(&uri)
            .header("host", host)
            .header("x-key", PLACEHOLDER);
        let (status, ..) = kept
            .ask(protocols, request.body(Empty::<Bytes>::new()).unwrap())
            .await;
        assert!(matches!(status, 400 | 403), "{uri} {host}: {status}");
    }
    for method in ["TRACE", "CONNECT"] {
        let request = Request::builder()
            .method(method)
            .uri(kept.world.authority());
        let request = request.header("host", kept.world.authority());
        let (status, ..) = kept
            .ask(HTTP1, request.body(Empty::<Bytes>::new()).unwrap())
            .await;
        assert_eq!(status, 403, "{method}");
    }
    assert_eq!(kept.seen(), "");
}

#[tokio::test]
async fn a_value_that_no_header_can_carry_is_not_sent() {
    let secret = substitution("two\r\nx-injected: lines", &[ALLOWED], true, true);
    let kept = Kept::new(Behaviour::Https(ALLOWED, BOTH), secret).await;
    for protocols in [HTTP1, HTTP2] {
        let request = kept.request().header("x-key", PLACEHOLDER);
        let (status, ..) = kept
            .ask(protocols, request.body(Empty::<Bytes>::new()).unwrap())
            .await;
        assert_eq!(status, 403);
    }
    assert_eq!(kept.seen(), "");
}

#[tokio::test]
async fn http_in_the_clear_gets_it_through_both_doors() {
    let secret = substitution(SECRET, &[ALLOWED], true, true);
    let kept = Kept::new(Behaviour::Http, secret).await;
    let host = kept.world.authority();
    let rest = format!(
        "HTTP/1.1\r\nHost: {host}\r\nX-Key: {PLACEHOLDER}\r\nContent-Length: 36\r\n\r\n{PLACEHOLDER}"
    );
    let by_proxy = wire::ask(kept.world.proxy, format!("POST http://{host}/ {rest}")).await;
    let address = kept.world.resolve(ALLOWED).await;
    let transparent = wire::ask(address, format!("POST / {rest}")).await;
    for reply in [by_proxy.unwrap(), transparent.unwrap()] {
        assert_eq!(reply.status, 200);
        // The host tells what it got, and stars are shown of that.
        let text = reply.text();
        assert!(
            text.contains(&format!("x-key: {}", "*".repeat(SECRET.len()))),
            "{text}"
        );
        assert!(
            !text.contains(PLACEHOLDER) && !text.contains("s3cret"),
            "{text}"
        );
    }
}

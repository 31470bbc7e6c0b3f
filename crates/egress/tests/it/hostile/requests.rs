//! Requests that mean to be read in two ways, or to become something else.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Refusal::{self, BadName, BadPort, Method, NotInList, OtherHost, Unreadable};
use super::{Offences, attempt};
use crate::wire::{ask, connect, patiently, reply, rest};
use crate::world::{ALLOWED, World};

/// The rest of a request to the permitted host, `POST http://…/ HTTP/1.1` with its Host before it.
#[rustfmt::skip]
const UNREADABLE: &[(&str, &str)] = &[
    ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    ("two lengths in one", "Content-Length: 5, 6\r\n\r\nhello!"),
    ("negative length", "Content-Length: -5\r\n\r\nhello"),
    ("length with a plus", "Content-Length: +5\r\n\r\nhello"),
    ("hexadecimal length", "Content-Length: 0x5\r\n\r\nhello"),
    ("length with letters", "Content-Length: 5a\r\n\r\nhello"),
    ("empty length", "Content-Length: \r\n\r\nhello"),
    ("length of many digits", "Content-Length: 99999999999999999999999\r\n\r\nhello"),
    ("unknown encoding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("identity", "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ("chunks not last", "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("two encodings", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("vertical tab before chunked", "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    ("space before the colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("folded header", "X: a\r\n b\r\n\r\n"),
    ("folded encoding", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("NUL in a header", "X: a\0b\r\n\r\n"),
    ("CR in a header", "X: a\rHost: evil.example\r\n\r\n"),
    ("header without a colon", "X\r\n\r\n"),
    ("header without a name", ": x\r\n\r\n"),
    ("space before a name", " X: y\r\n\r\n"),
    ("second Host", "Host: evil.example\r\n\r\n"),
    ("the same Host again", "Host: allowed.example\r\n\r\n"),
    ("second Host in capitals", "HOST: evil.example\r\n\r\n"),
];

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_passed_on_in_none() {
    let world = World::limited().await;
    let host = world.authority();
    let mut offences = Offences::default();
    for (name, rest) in UNREADABLE {
        let sent = format!("POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\n{rest}");
        offences.compare(
            &format!("proxy: {name}"),
            attempt(&world, sent).await,
            Ok(Unreadable),
        );
        let mut stream = world.reach(ALLOWED).await;
        let sent = format!("POST / HTTP/1.1\r\nHost: {host}\r\n{rest}");
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = reply(&mut stream).await;
        let status = answer.map_or(400, |answer| answer.status);
        offences.compare(&format!("transparent: {name}"), status, 400);
    }
    offences.assert_none();
    assert_eq!(world.server.accepted(), 0);
}

/// Ways to hide a second request in the first: the host behind never sees it as one.
#[rustfmt::skip]
const HIDDEN: &[(&str, &str)] = &[
    ("behind a chunk's extension", "Transfer-Encoding: chunked\r\n\r\n3;a=\"b\"\r\nabc\r\n0\r\n\r\n"),
    ("behind a length of zero", "Content-Length: 0\r\n\r\n"),
    ("behind a length", "Content-Length: 3\r\n\r\nabc"),
    ("behind the same length twice", "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    ("behind trailers", "Transfer-Encoding: chunked\r\nTrailer: Host\r\n\r\n0\r\nHost: evil.example\r\n\r\n"),
    ("behind bare line feeds", "X: a\n\n"),
    ("behind a header that takes the Host away", "Connection: host, content-length\r\n\r\n"),
];

#[tokio::test]
async fn a_second_request_is_judged_for_itself() {
    for (name, rest) in HIDDEN {
        let world = World::limited().await;
        let host = world.authority();
        let mut stream = connect(world.proxy).await;
        let hidden = "GET http://evil.example/hidden HTTP/1.1\r\nHost: evil.example\r\n\r\n";
        let sent = format!("POST http://{host}/seen HTTP/1.1\r\nHost: {host}\r\n{rest}{hidden}");
        stream.write_all(sent.as_bytes()).await.unwrap();
        let first = reply(&mut stream).await.expect(name);
        assert_eq!(first.status, 200, "{name}");
        assert!(
            first.text().contains(&format!("host: {host}\n")),
            "{name}: {}",
            first.text()
        );
        let second = reply(&mut stream).await.expect(name);
        assert_eq!(second.status, 403, "{name}");
        assert!(
            second
                .text()
                .contains("evil.example is not in allowed_hosts"),
            "{name}"
        );
        assert_eq!(world.server.requests(), ["POST /seen"], "{name}");
    }
}

#[tokio::test]
async fn nothing_is_read_behind_a_request_with_length_and_chunks() {
    let framings = [
        "Transfer-Encoding: chunked\r\nContent-Length: 60",
        "Content-Length: 60\r\nTransfer-Encoding: chunked",
    ];
    for framing in framings {
        let world = World::limited().await;
        let host = world.authority();
        let mut stream = connect(world.proxy).await;
        let hidden = format!("GET http://{host}/hidden HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let sent = format!(
            "POST http://{host}/seen HTTP/1.1\r\nHost: {host}\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}"
        );
        stream.write_all(sent.as_bytes()).await.unwrap();
        let first = reply(&mut stream).await.expect(framing);
        assert!(!first.text().contains("content-length"), "{}", first.text());
        assert_eq!(rest(&mut stream).await.0, b"");
        assert_eq!(world.server.requests(), ["POST /seen"]);
    }
}

#[tokio::test]
async fn a_body_that_ends_wrongly_ends_the_connection() {
    let world = World::limited().await;
    let host = world.authority();
    let chunks = [
        ("letters for a length", "zz\r\nabc\r\n"),
        ("negative", "-1\r\nabc\r\n"),
        ("too many digits", "fffffffffffffffff\r\nabc\r\n"),
        ("no line end", "3\r\nabcX\r\n"),
        ("bare line feed in an extension", "3;a\nbc\r\nabc\r\n"),
    ];
    for (name, body) in chunks {
        let mut stream = connect(world.proxy).await;
        let hidden = "0\r\n\r\nGET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n";
        let head = format!(
            "POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        stream
            .write_all(format!("{head}{body}{hidden}").as_bytes())
            .await
            .unwrap();
        let (bytes, _) = rest(&mut stream).await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("200 OK"), "{name}: {text}");
    }
    assert!(world.server.requests().is_empty());
}

/// A request line and the lines of its Host, in which `{host}` stands for the permitted one.
#[rustfmt::skip]
const DISAGREEING: &[(&str, &str, Refusal)] = &[
    ("another host", "GET http://{host}/ HTTP/1.1\r\nHost: evil.example", OtherHost),
    ("another target", "GET http://evil.example/ HTTP/1.1\r\nHost: {host}", NotInList),
    ("another port", "GET http://{host}/ HTTP/1.1\r\nHost: allowed.example:1", OtherHost),
    ("Host with a user", "GET http://{host}/ HTTP/1.1\r\nHost: a@{host}", BadName),
    ("Host as a list", "GET http://{host}/ HTTP/1.1\r\nHost: allowed.example, evil.example", BadName),
    ("Host that isn't ASCII", "GET http://{host}/ HTTP/1.1\r\nHost: \u{430}llowed.example", BadName),
    ("empty Host", "GET http://{host}/ HTTP/1.1\r\nHost:", BadName),
    ("no Host", "GET http://{host}/ HTTP/1.1\r\nX: y", Unreadable),
    ("origin form", "GET / HTTP/1.1\r\nHost: {host}", Unreadable),
    ("asterisk", "OPTIONS * HTTP/1.1\r\nHost: {host}", Unreadable),
    ("https in the clear", "GET https://{host}/ HTTP/1.1\r\nHost: {host}", Unreadable),
    ("ftp", "GET ftp://{host}/ HTTP/1.1\r\nHost: {host}", Unreadable),
    ("file", "GET file:///etc/passwd HTTP/1.1\r\nHost: {host}", Unreadable),
    ("HTTP/1.0 to another host", "GET http://evil.example/ HTTP/1.0\r\nX: y", NotInList),
    ("TRACE", "TRACE http://{host}/ HTTP/1.1\r\nHost: {host}", Method),
    ("no version", "GET http://{host}/\r\nHost: {host}", Unreadable),
    ("HTTP/2.0 in the line", "GET http://{host}/ HTTP/2.0\r\nHost: {host}", Unreadable),
    ("HTTP/1.2 in the line", "GET http://{host}/ HTTP/1.2\r\nHost: {host}", Unreadable),
    ("a method that is none", "G(T http://{host}/ HTTP/1.1\r\nHost: {host}", Unreadable),
    ("no method", " http://{host}/ HTTP/1.1\r\nHost: {host}", Unreadable),
    ("two spaces", "GET  http://{host}/ HTTP/1.1\r\nHost: {host}", Unreadable),
    ("a space in the path", "GET http://{host}/a b HTTP/1.1\r\nHost: {host}", Unreadable),
    ("CONNECT with a path", "CONNECT {host}/x HTTP/1.1\r\nHost: {host}", Unreadable),
    ("CONNECT in absolute form", "CONNECT http://{host}/ HTTP/1.1\r\nHost: {host}", Unreadable),
    ("CONNECT without a port", "CONNECT allowed.example HTTP/1.1\r\nHost: {host}", BadPort),
    ("CONNECT with another Host", "CONNECT {host} HTTP/1.1\r\nHost: evil.example", OtherHost),
];

#[tokio::test]
async fn target_and_host_have_to_agree() {
    let world = World::limited().await;
    let host = world.authority();
    let mut offences = Offences::default();
    for (name, sent, refusal) in DISAGREEING {
        let sent = format!("{}\r\n\r\n", sent.replace("{host}", &host));
        offences.compare(name, attempt(&world, sent).await, Ok(*refusal));
    }
    offences.assert_none();
    assert_eq!(world.server.accepted(), 0);
}

#[tokio::test]
async fn a_transparent_connection_leads_to_its_host_only() {
    let world = World::limited().await;
    let host = world.authority();
    let refused = [
        (
            "CONNECT",
            format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            403,
        ),
        (
            "CONNECT elsewhere",
            "CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n".to_owned(),
            403,
        ),
        (
            "absolute form elsewhere",
            format!("GET http://evil.example/ HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            403,
        ),
        (
            "Host elsewhere",
            "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
            403,
        ),
        (
            "Host with a user",
            format!("GET / HTTP/1.1\r\nHost: a@{host}\r\n\r\n"),
            403,
        ),
        (
            "Host as a list",
            format!("GET / HTTP/1.1\r\nHost: {ALLOWED}, evil.example\r\n\r\n"),
            403,
        ),
        (
            "Host as an address",
            "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
            403,
        ),
        ("no Host", "GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (
            "empty lines before",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
            403,
        ),
        (
            "method in lower case",
            "get / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
            403,
        ),
        (
            "unknown method",
            "FETCH / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
            403,
        ),
    ];
    let mut offences = Offences::default();
    for (name, sent, status) in refused {
        let mut stream = world.reach(ALLOWED).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = reply(&mut stream).await;
        offences.compare(name, answer.map(|answer| answer.status), Some(status));
    }
    offences.assert_none();
    assert_eq!(world.server.accepted(), 0);
}

#[tokio::test]
async fn upgrades_other_than_websocket_are_not_asked_for() {
    let world = World::limited().await;
    let host = world.authority();
    let upgrades = [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
        "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n",
        "Connection: Upgrade\r\nUpgrade: connect-udp\r\n",
        "Upgrade: websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n",
    ];
    for upgrade in upgrades {
        let sent = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n{upgrade}\r\n");
        let answer = ask(world.proxy, sent).await.unwrap();
        assert_eq!(answer.status, 200, "{upgrade}");
        let told = answer.text();
        assert!(
            !told.contains("upgrade") && !told.contains("http2-settings"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn an_upgrade_that_nobody_asked_for_is_not_passed_on() {
    let answers: [&[u8]; 4] = [
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        b"",
    ];
    for answer in answers {
        let world = World::with(crate::world::Behaviour::Answer(answer)).await;
        let host = world.authority();
        let mut stream = connect(world.proxy).await;
        let sent = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = reply(&mut stream).await.unwrap();
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("x-hostler-egress"), Some("failed"));
        assert_eq!(world.usage().refused, 0);
    }
}

#[tokio::test]
async fn headers_without_an_end_are_cut_off() {
    let world = World::limited().await;
    let host = world.authority();
    let mut stream = connect(world.proxy).await;
    let head = format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let line = format!("X: {}\r\n", "a".repeat(1000)).repeat(1000);
    // The gateway stops reading long before the end.
    _ = patiently(stream.write_all(line.as_bytes())).await;
    let mut first = [0; 12];
    if patiently(stream.read_exact(&mut first)).await.is_ok() {
        assert_eq!(&first, b"HTTP/1.1 431");
    }
    assert_eq!(world.server.accepted(), 0);
}

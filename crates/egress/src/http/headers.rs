//! Headers that speak about one connection only, and those that say where a body ends.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Method, Request, Version};

use crate::denial::Denial;

const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    EXPECT,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    TE,
    UPGRADE,
];

/// What a Connection header can't take away: who is asked, and where the body ends.
const NEVER_BY_CONNECTION: [HeaderName; 3] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING];

/// Whether the end of the body can be read in one way only. Lengths that differ were refused
/// before, and one beside chunks was dropped and ends the connection with the answer.
pub(super) fn check_framing<B>(request: &Request<B>) -> Result<(), Denial> {
    let headers = request.headers();
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(encoding) = encodings.next() else {
        return Ok(());
    };
    let chunked = encoding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if !chunked || encodings.next().is_some() {
        return Err(Denial::Malformed(
            "the only permitted Transfer-Encoding is chunked",
        ));
    }
    Ok(())
}

/// Whether a request asks for the one protocol that a connection may change to.
pub(super) fn asks_for_websocket<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let mut protocols = headers.get_all(UPGRADE).iter();
    let websocket = protocols
        .next()
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    websocket
        && protocols.next().is_none()
        && request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && !headers.contains_key(TRANSFER_ENCODING)
        && !headers.contains_key(CONTENT_LENGTH)
        && connection_options(headers).contains(&UPGRADE)
}

/// Takes out what isn't for the other end. Other upgrades go with it, so that h2c isn't begun.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in connection_options(headers) {
        if !NEVER_BY_CONNECTION.contains(&name) {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Says again what [`strip`] took out, for a change of protocol that is permitted.
pub(super) fn ask_for_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Takes out of a host's answer what only concerns its own connection.
pub(super) fn strip_answer(headers: &mut HeaderMap) {
    strip(headers);
    // The body was read by this and is written anew, to a client that may not know chunks.
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
}

/// Several Cookie headers, as HTTP/2 sends them, are one in HTTP/1.
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    let (first, second) = (cookies.next(), cookies.next());
    if first.is_none() || second.is_none() {
        return;
    }
    let all: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Whether a client of HTTP/2 takes trailers, which it is the only one to have to say.
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(TE).iter();
    values.any(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"))
}

fn connection_options(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|option| option.trim().parse().ok())
        .collect()
}

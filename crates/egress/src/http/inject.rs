//! Secrets in place of placeholders in a request, and stars in place of secrets in its answer.
//!
//! Names of headers, the path and what frames a message are left alone. What a request says in another
//! encoding can't be read and passes as it is: then the placeholder is what is sent.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderMap,
    HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Request, Response};
use zeroize::Zeroizing;

use super::answer::Body;
use super::replacing::{Length, Replacing};
use crate::attached::Attached;
use crate::denial::Denial;
use crate::limits::BODY_HELD_BYTES_MAX;
use crate::replace::{Pair, Replacer};
use crate::secrets::{Asked, Injection, Location, Transport};

/// What says where a message goes and where it ends.
const FRAMING: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE];

/// The request as its host is to get it.
pub(super) async fn into_request(
    attached: &Attached,
    injection: &Injection,
    transport: Transport,
    request: Request<Incoming>,
) -> Result<Request<Body>, Denial> {
    if injection.is_empty() {
        return Ok(request.map(Either::Left));
    }
    let (mut parts, body) = request.into_parts();
    let asked = Asked {
        transport,
        path: parts.uri.path(),
    };
    let for_headers = injection.outward(Location::Header, &asked);
    let pairs = injection.outward(Location::Body, &asked);
    into_headers(&mut parts.headers, for_headers)?;
    // Secrets in an answer are found only if it can be read.
    let identity = HeaderValue::from_static("identity");
    parts.headers.insert(ACCEPT_ENCODING, identity);
    let body = if pairs.is_empty() || is_encoded(&parts.headers) || body.is_end_stream() {
        Either::Left(body)
    } else {
        into_body(attached, &mut parts.headers, pairs, body).await?
    };
    Ok(Request::from_parts(parts, body))
}

fn into_headers(headers: &mut HeaderMap, pairs: Vec<Pair>) -> Result<(), Denial> {
    let replacer = Replacer::new(pairs);
    let mut has_secret = false;
    for (name, value) in headers.iter_mut() {
        if FRAMING.contains(name) {
            continue;
        }
        let replaced = match basic(name, value) {
            Some(decoded) => {
                let text = replacer.replaced(&decoded).map(Zeroizing::new);
                text.map(|text| format!("Basic {}", STANDARD.encode(&*text)).into_bytes())
            }
            None => replacer.replaced(value.as_bytes()),
        };
        if let Some(text) = replaced.map(Zeroizing::new) {
            // A value that no header can carry is not sent in pieces.
            *value = HeaderValue::from_bytes(&text).map_err(|_| Denial::NotForHeader)?;
            value.set_sensitive(true);
            has_secret = true;
        }
    }
    if has_secret {
        metrics::counter!("hostler_egress_secrets_total", "location" => "header").increment(1);
    }
    Ok(())
}

/// What `Authorization: Basic` says, which is a placeholder in base64 if a client was given one.
fn basic(name: &HeaderName, value: &HeaderValue) -> Option<Zeroizing<Vec<u8>>> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if name != AUTHORIZATION || !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    STANDARD.decode(encoded.trim()).ok().map(Zeroizing::new)
}

/// A short body of a known length gets the new length; any other becomes one without.
async fn into_body(
    attached: &Attached,
    headers: &mut HeaderMap,
    pairs: Vec<Pair>,
    body: Incoming,
) -> Result<Body, Denial> {
    let length = body.size_hint().exact();
    if length.is_none_or(|length| length > BODY_HELD_BYTES_MAX) {
        headers.remove(CONTENT_LENGTH);
        let body = Replacing::new(body, Replacer::new(pairs), Length::Changes, |_, _| {});
        return Ok(Either::Right(body.boxed_unsync()));
    }
    let held = Arc::clone(&attached.held_bodies).acquire_owned().await;
    let broken = || Denial::Malformed("its body broke off");
    let whole = body.collect().await.map_err(|_| broken())?;
    let trailers = whole.trailers().cloned();
    let sent = whole.to_bytes();
    let text = match Replacer::new(pairs).replaced(&sent) {
        Some(text) => {
            metrics::counter!("hostler_egress_secrets_total", "location" => "body").increment(1);
            Bytes::from(text)
        }
        None => sent,
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    let body = Full::new(text).map_err(|never| match never {});
    // Held for as long as the text is.
    let body = body.map_frame(move |frame| {
        let _held = &held;
        frame
    });
    Ok(Either::Right(match trailers {
        Some(trailers) => {
            let trailers = std::future::ready(Some(Ok(trailers)));
            body.with_trailers(trailers).boxed_unsync()
        }
        None => body.boxed_unsync(),
    }))
}

/// The answer as the sandbox is to get it.
pub(super) fn hide(injection: &Injection, response: Response<Incoming>) -> Response<Body> {
    if injection.is_empty() {
        return response.map(Either::Left);
    }
    let replacer = Replacer::new(injection.hidden());
    let (mut parts, body) = response.into_parts();
    hide_in_headers(&replacer, &mut parts.headers);
    let body = if is_encoded(&parts.headers) || body.is_end_stream() {
        Either::Left(body)
    } else {
        let body = Replacing::new(body, replacer, Length::Same, hide_in_headers);
        Either::Right(body.boxed_unsync())
    };
    Response::from_parts(parts, body)
}

/// Also of an answer that changes the protocol.
pub(super) fn hide_in_head<B>(injection: &Injection, response: &mut Response<B>) {
    if !injection.is_empty() {
        let replacer = Replacer::new(injection.hidden());
        hide_in_headers(&replacer, response.headers_mut());
    }
}

fn hide_in_headers(replacer: &Replacer, headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        if FRAMING.contains(name) {
            continue;
        }
        if let Some(text) = replacer.replaced(value.as_bytes()) {
            // Stars are good in any header.
            *value = HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("***"));
        }
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

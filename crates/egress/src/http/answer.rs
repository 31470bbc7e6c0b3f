//! What the gateway itself answers: a refusal that says why, in the status line and in the body.

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::denial::Denial;

/// A host's body passed on, or text of ours.
pub(super) type Body = Either<Incoming, Full<Bytes>>;

const MARK: &str = "x-hostler-egress";

pub(super) fn empty() -> Body {
    Either::Right(Full::default())
}

pub(super) fn refusal(denial: &Denial) -> Response<Body> {
    let text = format!("{denial}\n");
    let mut response = Response::new(Either::Right(Full::new(Bytes::from(text))));
    let status = StatusCode::from_u16(denial.status());
    *response.status_mut() = status.unwrap_or(StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    let mark = if denial.is_refusal() {
        "denied"
    } else {
        "failed"
    };
    headers.insert(MARK, HeaderValue::from_static(mark));
    if response.status() == StatusCode::FORBIDDEN {
        let phrase = ReasonPhrase::from_static(b"Forbidden by network policy");
        response.extensions_mut().insert(phrase);
    }
    response
}

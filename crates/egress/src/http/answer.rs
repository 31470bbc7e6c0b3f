//! What the gateway itself answers: a refusal that says why, in the status line and in the body.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use crate::denial::Denial;

/// A body passed on as it is, or something that was made here.
pub(super) type Body = Either<Incoming, UnsyncBoxBody<Bytes, hyper::Error>>;

const MARK: &str = "x-hostler-egress";

pub(super) fn empty() -> Body {
    text(Bytes::new())
}

fn text(text: Bytes) -> Body {
    let body = Full::new(text).map_err(|never| match never {});
    Either::Right(body.boxed_unsync())
}

pub(super) fn refusal(denial: &Denial) -> Response<Body> {
    let mut response = Response::new(text(Bytes::from(format!("{denial}\n"))));
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

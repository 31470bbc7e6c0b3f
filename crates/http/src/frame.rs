//! Around every exchange: the request's id, a span, a net for panics, the body of an error, one
//! log line and the metrics. It logs neither query strings nor bodies.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use hostler_protocol::id::RequestId;
use tokio::time::Instant;
use tracing::Instrument;

use crate::refusals::Refusals;
use crate::{Api, ApiError};

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// An addition of ours: the objects of the protocol have no field for it.
const ISOLATION: HeaderName = HeaderName::from_static("x-hostler-isolation");
const SESSIONS: &str = "/v1/sessions";
/// The route of requests that match none, so that strangers can't make up labels.
const NO_ROUTE: &str = "none";

/// A handler or a middleware panicked: a bug.
#[derive(Debug, thiserror::Error)]
#[error("panic: {0}")]
struct Panicked(String);

pub(crate) async fn frame(
    State(api): State<Arc<Api>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let request_id: RequestId = api.env.id();
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let span = tracing::info_span!("request", %request_id, %method, route);
    request.extensions_mut().insert(request_id);
    let answer = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let _in_span = span.entered();
    let answer = answer.unwrap_or_else(|panic| {
        ApiError::internal(Panicked(panic_text(panic.as_ref()))).into_response()
    });
    let mut response = finish(answer, request_id, &api.refusals);
    if let Some(tier) = api.options.isolation_tier
        && route.starts_with(SESSIONS)
    {
        let tier = HeaderValue::from_static(tier);
        response.headers_mut().insert(ISOLATION, tier);
    }
    record(&method, route, response.status(), started);
    response
}

/// The text of a panic, which is a `&str` or a `String` in practice.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "of an unknown kind".to_owned())
}

/// Gives every failure the one body of errors, and every response its id.
fn finish(mut response: Response, request_id: RequestId, refusals: &Refusals) -> Response {
    let status = response.status();
    let error = response.extensions_mut().remove::<Arc<ApiError>>();
    let error = match error {
        Some(error) => Some(error),
        // An extractor of the framework refused: its own text is not ours to show.
        None if status.is_client_error() || status.is_server_error() => {
            Some(Arc::new(ApiError::of_status(status)))
        }
        None => None,
    };
    if let Some(error) = error {
        log_failure(&error);
        if let Some(excess) = error.excess() {
            refusals.note(excess);
        }
        let body = serde_json::to_vec(&error.body(request_id)).unwrap_or_default();
        *response.body_mut() = Body::from(body);
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        error.write_headers(headers);
    }
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The only place that logs the cause of a failure.
fn log_failure(error: &ApiError) {
    let cause = error.cause();
    let cause = cause.as_deref().unwrap_or_default();
    if error.excess().is_some() {
        // There may be very many: `refusals.rs` says how many.
        tracing::debug!(reason = error.message(), "the request was refused");
    } else if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(cause, "the request failed");
    } else if error.status().is_server_error() {
        tracing::warn!(cause, reason = error.message(), "the request was put off");
    } else {
        tracing::debug!(cause, reason = error.message(), "the request was refused");
    }
}

fn record(method: &Method, route: &str, status: StatusCode, started: Instant) {
    let latency = started.elapsed();
    let method = method_label(method);
    let labels = [
        ("method", method.to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    metrics::counter!("hostler_http_requests_total", &labels).increment(1);
    let labels = [("method", method.to_owned()), ("route", route.to_owned())];
    metrics::histogram!("hostler_http_request_seconds", &labels).record(latency.as_secs_f64());
    let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(status = status.as_u16(), latency_us, "answered");
}

/// Methods can be invented by clients; labels must not be.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpOptions;
    use axum::Router;
    use axum::body::to_bytes;
    use axum::routing::get;
    use hostler_domain::Env;
    use hostler_protocol::ApiErrorBody;
    use hostler_store::Store;
    use tower::ServiceExt;

    async fn answer(router: Router<Arc<Api>>) -> (StatusCode, ApiErrorBody) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let api = Arc::new(Api::new(
            store,
            Env::fixed(1),
            Arc::default(),
            HttpOptions::default(),
        ));
        let framed = axum::middleware::from_fn_with_state(Arc::clone(&api), frame);
        let router = router.layer(framed).with_state(api);
        let response = router.oneshot(Request::<Body>::default()).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn bug() -> String {
        panic!("with a secret in it");
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing() {
        let (status, body) = answer(Router::new().route("/", get(bug))).await;
        assert_eq!(status, 500);
        assert_eq!(body.error.kind, hostler_protocol::ErrorKind::ApiError);
        assert_eq!(body.error.message, "internal server error");
    }

    #[tokio::test]
    async fn refusals_of_the_framework_get_the_one_body() {
        let refusal = get(|| async { StatusCode::LENGTH_REQUIRED });
        let (status, body) = answer(Router::new().route("/", refusal)).await;
        assert_eq!(status, 411);
        assert_eq!(body.error.message, "Length Required");
    }
}

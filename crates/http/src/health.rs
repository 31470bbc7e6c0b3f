//! What an operator's tools ask, without a key: is the process up, should it get traffic, how is
//! it doing, and what does it speak.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::{Api, ApiError, openapi};

pub(crate) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi_json))
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready while the store answers and the server isn't draining.
async fn readyz(State(api): State<Arc<Api>>) -> Result<&'static str, ApiError> {
    if api.options.draining.is_cancelled() {
        return Err(ApiError::unavailable("the server is draining"));
    }
    // Any small question does, as long as it goes through the reader pool to the file.
    match api.store.count_api_keys().await {
        Ok(_) => Ok("ready\n"),
        Err(error) => Err(ApiError::unavailable("the store doesn't answer").with_source(error)),
    }
}

async fn metrics(State(api): State<Arc<Api>>) -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, (api.options.metrics)())
}

async fn openapi_json() -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (content_type, openapi::document())
}

//! What every request of the API passes before its handler, in the order that the hosted service
//! was seen to use: an unknown route is 404 before anything else (the router), then the key, the
//! beta header, the version, odd beta values, and the rate limit.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::beta::{Betas, check_version};
use crate::caller::{Caller, WORKSPACE, identify};
use crate::{Api, ApiError};

pub(crate) async fn admit(
    State(api): State<Arc<Api>>,
    route: MatchedPath,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Ok(_place) = api.places.try_acquire() else {
        return Err(ApiError::overloaded("the server is busy; try again"));
    };
    let caller = identify(&api, request.headers()).await?;
    request.extensions_mut().insert(caller);
    let admitted = check(&api, caller, route.as_str(), &request);
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(error) => axum::response::IntoResponse::into_response(error),
    };
    if let Ok(workspace) = HeaderValue::from_str(&caller.workspace_id.to_string()) {
        let name = HeaderName::from_static(WORKSPACE);
        response.headers_mut().insert(name, workspace);
    }
    Ok(response)
}

fn check(api: &Api, caller: Caller, route: &str, request: &Request) -> Result<(), ApiError> {
    let betas = Betas::read(request.headers())?;
    if api.options.require_beta_header {
        betas.check_required(route)?;
    }
    check_version(request.headers())?;
    betas.check_known(route)?;
    api.limiter
        .check(caller.workspace_id, request.method(), route)
}

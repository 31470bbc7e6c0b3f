//! What every request of the API passes before its handler, in the order that the hosted service
//! was seen to use: an unknown route is 404 before anything else (the router), then the key, the
//! beta header, the version, odd beta values, and the rate limit. Then it is seen whether there is
//! room for it: a refusal must cost little, so that it comes before the body is read.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hostler_protocol::id::WorkspaceId;
use hostler_store::{Place, Wanted};
use tokio::time::Instant;

use crate::api_error::Excess;
use crate::beta::{Betas, check_version};
use crate::caller::{Caller, WORKSPACE, identify};
use crate::held::held;
use crate::limits::REQUESTS_ALWAYS;
use crate::{Api, ApiError};

pub(crate) async fn admit(
    State(api): State<Arc<Api>>,
    route: MatchedPath,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let place = api.places.try_acquire();
    let _place = place.map_err(|_| ApiError::too_much(Excess::Requests))?;
    let caller = identify(&api, request.headers()).await?;
    request.extensions_mut().insert(caller);
    let admitted = check(&api, caller, route.as_str(), &request);
    let mut response = match admitted {
        Ok(()) => answer(&api, caller.workspace_id, request, next)
            .await
            .unwrap_or_else(IntoResponse::into_response),
        Err(error) => error.into_response(),
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

/// The answer of the handler, if there is room for the request.
async fn answer(
    api: &Api,
    workspace: WorkspaceId,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    api.turns.measure(&api.options.cpu_time).await;
    if api.turns.are_late(Instant::now()) && !api.requests.is_modest(workspace, REQUESTS_ALWAYS) {
        return Err(ApiError::too_much(Excess::Waiting));
    }
    let part = api.requests.take(workspace, 1);
    let _part = part.ok_or_else(|| ApiError::too_much(Excess::Requests))?;
    if request.method().is_safe() {
        let place = api.store.enter(Wanted::Reads, workspace)?;
        let response = next.run(request).await;
        match response.status() {
            status if status.is_success() => place.read(),
            status if !status.is_server_error() => place.finished(),
            _ => {}
        }
        return held(api, workspace, response);
    }
    if !api.store.has_room(Wanted::Changes, workspace) {
        return Err(ApiError::too_much(Excess::Waiting));
    }
    let ticket = Ticket::default();
    request.extensions_mut().insert(ticket.clone());
    let response = next.run(request).await;
    if let Some(place) = ticket.take()
        && !response.status().is_server_error()
    {
        place.finished();
    }
    held(api, workspace, response)
}

/// The place of a change among those who wait. It is taken when the body is read, since that takes
/// as long as the client wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticket(Arc<Mutex<Option<Place>>>);

impl Ticket {
    /// # Errors
    /// 529 when there is no room any more.
    pub(crate) fn enter(&self, api: &Api, workspace: WorkspaceId) -> Result<(), ApiError> {
        let place = api.store.enter(Wanted::Changes, workspace)?;
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(place);
        Ok(())
    }

    pub(crate) fn take(&self) -> Option<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

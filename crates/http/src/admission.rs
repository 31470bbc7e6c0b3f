//! What every request of the API passes before its handler, in the order that the hosted service
//! was seen to use: an unknown route is 404 before anything else (the router), then the key, the
//! beta header, the version, odd beta values, and the rate limit. Then it is seen whether there is
//! room for it: a refusal must cost little, so that it comes before the body is read.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use hostler_protocol::id::WorkspaceId;
use hostler_store::{Place, Wanted};
use tokio::time::Instant;

use crate::api_error::Excess;
use crate::beta::{Betas, check_version};
use crate::caller::{Caller, WORKSPACE, identify};
use crate::fair::Part;
use crate::held::held;
use crate::limits::{REQUESTS_ALWAYS, UNREAD_BODY_BYTES, UNREAD_BODY_TIME};
use crate::{Api, ApiError};

pub(crate) async fn admit(
    State(api): State<Arc<Api>>,
    route: MatchedPath,
    mut request: Request,
    next: Next,
) -> Response {
    let Ok(place) = api.places.try_acquire() else {
        return refuse(ApiError::too_much(Excess::Requests), request).await;
    };
    let caller = match identify(&api, request.headers()).await {
        Ok(caller) => caller,
        Err(error) => {
            // Whoever has no key holds nobody up with a body that does not come.
            drop(place);
            return refuse(error, request).await;
        }
    };
    request.extensions_mut().insert(caller);
    let room = match check(&api, caller, route.as_str(), &request) {
        Ok(()) => room(&api, caller.workspace_id, request.method()).await,
        Err(error) => Err(error),
    };
    let mut response = match room {
        Ok(room) => answer(&api, caller.workspace_id, room, request, next)
            .await
            .unwrap_or_else(IntoResponse::into_response),
        Err(error) => {
            drop(place);
            refuse(error, request).await
        }
    };
    if let Ok(workspace) = HeaderValue::from_str(&caller.workspace_id.to_string()) {
        let name = HeaderName::from_static(WORKSPACE);
        response.headers_mut().insert(name, workspace);
    }
    response
}

/// The answer to a request whose body nobody has read. A connection in which some of it is left is closed by
/// whoever reads the next request there: a client has to know that, or it loses that one.
async fn refuse(error: ApiError, request: Request) -> Response {
    let is_read = read_unread(request.into_body()).await;
    let mut response = error.into_response();
    if !is_read {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// Whether the rest of the body came soon, and was not too much.
async fn read_unread(body: Body) -> bool {
    let most = u64::try_from(UNREAD_BODY_BYTES).unwrap_or(u64::MAX);
    if body.is_end_stream() || body.size_hint().lower() > most {
        return body.is_end_stream();
    }
    let mut pieces = body.into_data_stream();
    let read = async {
        let mut left = UNREAD_BODY_BYTES;
        while let Some(piece) = pieces.next().await {
            match piece.ok().and_then(|piece| left.checked_sub(piece.len())) {
                Some(less) => left = less,
                None => return false,
            }
        }
        true
    };
    let read = tokio::time::timeout(UNREAD_BODY_TIME, read);
    read.await.unwrap_or(false)
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

/// What a request has of the server while it is worked on.
struct Room {
    _part: Part,
    /// Of what only reads, among those who wait.
    place: Option<Place>,
}

/// Room for the request, if there is any.
async fn room(api: &Api, workspace: WorkspaceId, method: &Method) -> Result<Room, ApiError> {
    api.turns.measure(&api.options.cpu_time).await;
    if api.turns.are_late(Instant::now()) && !api.requests.is_modest(workspace, REQUESTS_ALWAYS) {
        return Err(ApiError::too_much(Excess::Waiting));
    }
    let part = api.requests.take(workspace, 1);
    let part = part.ok_or_else(|| ApiError::too_much(Excess::Requests))?;
    let place = match method.is_safe() {
        true => Some(api.store.enter(Wanted::Reads, workspace)?),
        false if api.store.has_room(Wanted::Changes, workspace) => None,
        false => return Err(ApiError::too_much(Excess::Waiting)),
    };
    Ok(Room { _part: part, place })
}

/// The answer of the handler.
async fn answer(
    api: &Api,
    workspace: WorkspaceId,
    room: Room,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Some(place) = room.place {
        let response = next.run(request).await;
        match response.status() {
            status if status.is_success() => place.read(),
            status if !status.is_server_error() => place.finished(),
            _ => {}
        }
        return held(api, workspace, response);
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

//! `/v1/environments`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostler_protocol::decode::{Invalid, Metadata};
use hostler_protocol::environment::{
    CreateEnvironment, DeletedEnvironment, DeletedEnvironmentType, Environment, UpdateEnvironment,
};
use hostler_protocol::id::EnvironmentId;
use hostler_protocol::page::Page;
use hostler_store::{EnvironmentDeleted, EnvironmentUpdated};

use crate::body::{EmptyBody, JsonBody};
use crate::caller::Caller;
use crate::page_range::{archived, by_age};
use crate::pagination::List;
use crate::path_id::PathId;
use crate::query::Query;
use crate::{Api, ApiError};

const ENVIRONMENTS: List = List::named("environments");

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Environment>, ApiError> {
    let fields = body.decode(CreateEnvironment::decode)?.resolve()?;
    check(&api, &fields.metadata)?;
    let environment = Environment::new(api.env.id(), fields, api.env.now());
    let workspace = caller.workspace_id;
    let created = api.store.create_environment(workspace, environment);
    Ok(Json(created.await?))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    query: Query,
) -> Result<Json<Page<Environment>>, ApiError> {
    let request = ENVIRONMENTS.request(&query)?;
    let archived = archived(&query)?;
    let workspace = caller.workspace_id;
    let environments = api
        .store
        .environments(workspace, archived, (&request).into());
    Ok(Json(request.page(environments.await?, |environment| {
        by_age(environment.created_at, environment.id)
    })))
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<EnvironmentId>,
) -> Result<Json<Environment>, ApiError> {
    let environment = api.store.environment(caller.workspace_id, id).await?;
    environment.map(Json).ok_or_else(|| ApiError::not_found(id))
}

pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<EnvironmentId>,
    body: JsonBody,
) -> Result<Json<Environment>, ApiError> {
    let update = body.decode(UpdateEnvironment::decode)?;
    check(&api, &update.set_metadata())?;
    let workspace = caller.workspace_id;
    let updated = api
        .store
        .update_environment(workspace, id, update, api.env.now());
    match updated.await? {
        EnvironmentUpdated::Updated(environment) => Ok(Json(*environment)),
        EnvironmentUpdated::Invalid(invalid) => Err(invalid.into()),
        EnvironmentUpdated::Archived => {
            let refusal = ApiError::invalid("Cannot modify archived environment");
            Err(refusal.with_code("environment_archived"))
        }
        EnvironmentUpdated::NoSuchEnvironment => Err(ApiError::not_found(id)),
    }
}

/// What the metadata asks of the server is permitted there.
fn check(api: &Api, metadata: &Metadata) -> Result<(), ApiError> {
    (api.options.environment_check)(metadata)
        .map_err(|reason| Invalid::new("metadata", reason).into())
}

pub(crate) async fn archive(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<EnvironmentId>,
    _body: EmptyBody,
) -> Result<Json<Environment>, ApiError> {
    let archived = api
        .store
        .archive_environment(caller.workspace_id, id, api.env.now());
    let environment = archived.await?;
    environment.map(Json).ok_or_else(|| ApiError::not_found(id))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<EnvironmentId>,
) -> Result<Json<DeletedEnvironment>, ApiError> {
    let workspace = caller.workspace_id;
    match api.store.delete_environment(workspace, id).await? {
        EnvironmentDeleted::Deleted => Ok(Json(DeletedEnvironment {
            id,
            kind: DeletedEnvironmentType::EnvironmentDeleted,
        })),
        EnvironmentDeleted::InUse => Err(ApiError::conflict(format!(
            "{id} is used by a session: delete its sessions first, or archive it"
        ))),
        EnvironmentDeleted::NoSuchEnvironment => Err(ApiError::not_found(id)),
    }
}

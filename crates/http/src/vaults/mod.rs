//! `/v1/vaults`, and the credentials in them (`credentials.rs`).

pub(crate) mod credentials;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostler_protocol::id::VaultId;
use hostler_protocol::page::Page;
use hostler_protocol::vault::{DeletedVault, DeletedVaultType, UpdateVault, Vault, VaultFields};
use hostler_store::VaultUpdated;

use crate::body::{EmptyBody, JsonBody};
use crate::caller::Caller;
use crate::page_range::{archived, by_age};
use crate::pagination::List;
use crate::path_id::PathId;
use crate::query::Query;
use crate::{Api, ApiError};

const VAULTS: List = List::named("vaults");

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Vault>, ApiError> {
    let fields = body.decode(VaultFields::decode)?;
    let vault = Vault::new(api.env.id(), fields, api.env.now());
    let created = api.store.create_vault(caller.workspace_id, vault);
    Ok(Json(created.await?))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    query: Query,
) -> Result<Json<Page<Vault>>, ApiError> {
    let request = VAULTS.request(&query)?;
    let archived = archived(&query)?;
    let workspace = caller.workspace_id;
    let vaults = api.store.vaults(workspace, archived, (&request).into());
    Ok(Json(request.page(vaults.await?, |vault| {
        by_age(vault.created_at, vault.id)
    })))
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<VaultId>,
) -> Result<Json<Vault>, ApiError> {
    let vault = api.store.vault(caller.workspace_id, id).await?;
    vault.map(Json).ok_or_else(|| ApiError::not_found(id))
}

pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<VaultId>,
    body: JsonBody,
) -> Result<Json<Vault>, ApiError> {
    let update = body.decode(UpdateVault::decode)?;
    let workspace = caller.workspace_id;
    let updated = api.store.update_vault(workspace, id, update, api.env.now());
    match updated.await? {
        VaultUpdated::Updated(vault) => Ok(Json(*vault)),
        VaultUpdated::Invalid(invalid) => Err(invalid.into()),
        VaultUpdated::Archived => Err(ApiError::invalid("Vault is archived.")),
        VaultUpdated::NoSuchVault => Err(ApiError::not_found(id)),
    }
}

pub(crate) async fn archive(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<VaultId>,
    _body: EmptyBody,
) -> Result<Json<Vault>, ApiError> {
    let archived = api
        .store
        .archive_vault(caller.workspace_id, id, api.env.now());
    let vault = archived.await?;
    vault.map(Json).ok_or_else(|| ApiError::not_found(id))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<VaultId>,
) -> Result<Json<DeletedVault>, ApiError> {
    match api.store.delete_vault(caller.workspace_id, id).await? {
        true => Ok(Json(DeletedVault {
            id,
            kind: DeletedVaultType::VaultDeleted,
        })),
        false => Err(ApiError::not_found(id)),
    }
}

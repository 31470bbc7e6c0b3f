//! `/v1/vaults/{vault_id}/credentials`: secrets come in here, are sealed at once, and never leave in an answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostler_protocol::Timestamp;
use hostler_protocol::credential::{
    CreateCredential, Credential, CredentialFields, CredentialValidation, DeletedCredential,
    DeletedCredentialType, UpdateCredential,
};
use hostler_protocol::id::{CredentialId, VaultId, WorkspaceId};
use hostler_protocol::limits::VAULT_CREDENTIALS_MAX;
use hostler_protocol::page::Page;
use hostler_store::{
    CredentialCreated, CredentialError, CredentialReplaced, FIRST_CREDENTIAL_VERSION,
    SealedCredential, seal_credential,
};
use hostler_vault::{Keyring, OpenError};

use crate::body::{EmptyBody, JsonBody};
use crate::caller::Caller;
use crate::limits::CREDENTIAL_UPDATE_ATTEMPTS;
use crate::options::TrialError;
use crate::page_range::{archived, by_age};
use crate::pagination::List;
use crate::path_id::{PathId, PathIds};
use crate::query::Query;
use crate::{Api, ApiError};

const CREDENTIALS: List = List::named("credentials");

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(vault_id): PathId<VaultId>,
    body: JsonBody,
) -> Result<Json<Credential>, ApiError> {
    let now = api.env.now();
    let CreateCredential { fields, secrets } =
        body.decode(|at| CreateCredential::decode(at, now))?;
    let workspace = caller.workspace_id;
    let credential = Credential::new(api.env.id(), vault_id, fields, now);
    let version = FIRST_CREDENTIAL_VERSION;
    let sealed = seal_credential(keyring(&api)?, workspace, &credential, version, &secrets)
        .map_err(ApiError::internal)?;
    let created = api.store.create_credential(workspace, credential, sealed);
    match created.await? {
        CredentialCreated::Created(credential) => Ok(Json(*credential)),
        CredentialCreated::KeyTaken => Err(ApiError::conflict(
            "an active credential of this vault is for the same server or variable: archive it first, or update it",
        )),
        CredentialCreated::TooMany => Err(ApiError::invalid(format!(
            "a vault holds at most {VAULT_CREDENTIALS_MAX} credentials that are not archived"
        ))),
        CredentialCreated::VaultArchived => Err(ApiError::invalid("Vault is archived.")),
        CredentialCreated::NoSuchVault => Err(ApiError::not_found(vault_id)),
    }
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(vault_id): PathId<VaultId>,
    query: Query,
) -> Result<Json<Page<Credential>>, ApiError> {
    let request = CREDENTIALS.request(&query)?;
    let archived = archived(&query)?;
    let workspace = caller.workspace_id;
    let listed = api
        .store
        .credentials(workspace, vault_id, archived, (&request).into());
    let listed = listed.await?.ok_or_else(|| ApiError::not_found(vault_id))?;
    Ok(Json(request.page(listed, |credential| {
        by_age(credential.created_at, credential.id)
    })))
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathIds(vault_id, id): PathIds<VaultId, CredentialId>,
) -> Result<Json<Credential>, ApiError> {
    let found = find(&api, caller.workspace_id, vault_id, id).await?;
    Ok(Json(found.credential))
}

/// Made from what is there, and again if that was changed meanwhile.
pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathIds(vault_id, id): PathIds<VaultId, CredentialId>,
    body: JsonBody,
) -> Result<Json<Credential>, ApiError> {
    let update = body.decode(UpdateCredential::decode)?;
    for _ in 0..CREDENTIAL_UPDATE_ATTEMPTS {
        let found = find(&api, caller.workspace_id, vault_id, id).await?;
        let keyring = keyring(&api)?;
        let Some(secrets) = found.open(keyring).map_err(closed)? else {
            return Err(ApiError::invalid("Credential is archived."));
        };
        let now = api.env.now();
        let (fields, secrets) = update.apply(found.credential.fields(), secrets, now)?;
        let credential = changed(&found.credential, fields, now);
        let (workspace, next) = (caller.workspace_id, found.version + 1);
        let sealed = seal_credential(keyring, workspace, &credential, next, &secrets)
            .map_err(ApiError::internal)?;
        let replaced = api
            .store
            .replace_credential(&found, credential.clone(), sealed);
        match replaced.await? {
            CredentialReplaced::Replaced => return Ok(Json(credential)),
            CredentialReplaced::Changed => {}
        }
    }
    Err(ApiError::conflict(format!(
        "{id} is being changed by others: try again"
    )))
}

pub(crate) async fn archive(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathIds(vault_id, id): PathIds<VaultId, CredentialId>,
    _body: EmptyBody,
) -> Result<Json<Credential>, ApiError> {
    let workspace = caller.workspace_id;
    let archived = api
        .store
        .archive_credential(workspace, vault_id, id, api.env.now());
    let credential = archived.await?;
    credential.map(Json).ok_or_else(|| ApiError::not_found(id))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathIds(vault_id, id): PathIds<VaultId, CredentialId>,
) -> Result<Json<DeletedCredential>, ApiError> {
    let deleted = api
        .store
        .delete_credential(caller.workspace_id, vault_id, id);
    match deleted.await? {
        true => Ok(Json(DeletedCredential {
            id,
            kind: DeletedCredentialType::VaultCredentialDeleted,
        })),
        false => Err(ApiError::not_found(id)),
    }
}

/// Speaks to the credential's server, and renews its token where that is due.
pub(crate) async fn validate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathIds(vault_id, id): PathIds<VaultId, CredentialId>,
    _body: EmptyBody,
) -> Result<Json<CredentialValidation>, ApiError> {
    keyring(&api)?;
    let trial = api.options.credential_trial.as_ref();
    let trial = trial.ok_or_else(|| ApiError::internal("nothing here tries out credentials"))?;
    match trial(caller.workspace_id, vault_id, id).await {
        Ok(validation) => Ok(Json(validation)),
        Err(TrialError::NotFound) => Err(ApiError::not_found(id)),
        Err(TrialError::Invalid(sentence)) => Err(ApiError::invalid(sentence)),
        Err(TrialError::Internal(error)) => Err(ApiError::internal(error)),
    }
}

async fn find(
    api: &Api,
    workspace: WorkspaceId,
    vault: VaultId,
    id: CredentialId,
) -> Result<SealedCredential, ApiError> {
    let found = api.store.credential(workspace, vault, id).await?;
    found.ok_or_else(|| ApiError::not_found(id))
}

/// An update leaves what it does not change, but its time: a secret that was sent again counts as new.
fn changed(from: &Credential, fields: CredentialFields, at: Timestamp) -> Credential {
    Credential {
        updated_at: at,
        ..Credential::new(from.id, from.vault_id, fields, from.created_at)
    }
}

/// A key that is gone is for the operator to bring back, and nothing that trying again would.
fn closed(error: CredentialError) -> ApiError {
    match error {
        CredentialError::Open {
            source: OpenError::UnknownKey(_),
            ..
        } => ApiError::invalid(format!(
            "{error}: put the key back, or archive the credential and create another"
        )),
        CredentialError::Open { .. }
        | CredentialError::Unreadable { .. }
        | CredentialError::Seal(_) => ApiError::internal(error),
    }
}

/// Without a master key nothing is kept, rather than in clear text.
/// What seals secrets, and what is said where there is nothing to do it.
pub(crate) fn keyring(api: &Api) -> Result<&Arc<Keyring>, ApiError> {
    api.options.keyring.as_ref().ok_or_else(|| {
        let message = "this server has no master key to seal credentials with: its operator has to set \
            vaults.master_key_file";
        ApiError::invalid(message).with_code("feature_not_supported")
    })
}

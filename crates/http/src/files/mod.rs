//! `/v1/files`. Uploads are streamed to the store (`upload.rs`), and bodies from it.

mod legacy;
mod upload;

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hostler_protocol::file::{DeletedFile, DeletedFileType, FileMetadata};
use hostler_protocol::id::{FileId, SessionId, WorkspaceId};
use hostler_store::{FileContent, FileCreated};

use crate::beta::Betas;
use crate::body::{in_time, refuse_encoded};
use crate::caller::Caller;
use crate::limits::FILE_IDS_MAX;
use crate::page_range::by_age;
use crate::pagination::List;
use crate::path_id::PathId;
use crate::query::Query;
use crate::{Api, ApiError};

const FILES: List = List::named("files").up_to(1_000);

pub(crate) async fn upload(
    State(api): State<Arc<Api>>,
    caller: Caller,
    request: Request,
) -> Result<Json<FileMetadata>, ApiError> {
    refuse_encoded(request.headers())?;
    let received = upload::receive(&api, request);
    let (file, bytes) = in_time(api.options.upload_read_time_max, received).await?;
    let workspace = caller.workspace_id;
    match api.store.create_file(workspace, file, bytes).await? {
        FileCreated::Created(file) => Ok(Json(shown(&api, file))),
        FileCreated::QuotaExceeded => {
            let refusal = ApiError::invalid("the storage quota of this workspace is used up");
            Err(refusal.with_code("storage_quota_exceeded"))
        }
    }
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    betas: Betas,
    query: Query,
) -> Result<Response, ApiError> {
    let workspace = caller.workspace_id;
    if betas.legacy_files() {
        let page = legacy::list(&api, workspace, &query).await?;
        return Ok(Json(page).into_response());
    }
    if !query.list("ids", usize::MAX)?.is_empty() {
        let page = list_by_id(&api, workspace, &query).await?;
        return Ok(Json(page).into_response());
    }
    let request = FILES.request(&query)?;
    let scope = scope_of(&betas, &query)?;
    let files = match scope {
        Scope::Everything => api
            .store
            .files(workspace, None, api.env.now(), (&request).into()),
        Scope::Session(id) => {
            api.store
                .files(workspace, Some(id), api.env.now(), (&request).into())
        }
    };
    let files = files.await?.into_iter().map(|file| shown(&api, file));
    let page = request.page(files.collect(), |file| by_age(file.created_at, file.id));
    Ok(Json(page).into_response())
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<FileId>,
) -> Result<Json<FileMetadata>, ApiError> {
    let file = api.store.file(caller.workspace_id, id, api.env.now());
    let file = file.await?.ok_or_else(|| ApiError::not_found(id))?;
    Ok(Json(shown(&api, file)))
}

pub(crate) async fn content(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<FileId>,
) -> Result<Response, ApiError> {
    let found = api
        .store
        .file_content(caller.workspace_id, id, api.env.now());
    let (file, bytes) = match found.await? {
        FileContent::Content(file, bytes) => (shown(&api, file), bytes),
        FileContent::Expired => {
            let gone = ApiError::not_found(format!("the content of {id}, which has expired,"));
            return Err(gone.with_code("file_expired"));
        }
        FileContent::NoSuchFile => return Err(ApiError::not_found(id)),
    };
    if !file.downloadable {
        let refusal = ApiError::invalid(format!("{id} is not downloadable"));
        return Err(refusal.with_code("file_not_downloadable"));
    }
    Ok(download(&file, Body::from_stream(bytes)))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<FileId>,
) -> Result<Json<DeletedFile>, ApiError> {
    if !api.store.delete_file(caller.workspace_id, id).await? {
        return Err(ApiError::not_found(id));
    }
    Ok(Json(DeletedFile {
        id,
        kind: DeletedFileType::FileDeleted,
    }))
}

/// The operator decides about uploads, also about those that are there already.
fn shown(api: &Api, file: FileMetadata) -> FileMetadata {
    FileMetadata {
        downloadable: file.downloadable || api.options.uploads_downloadable,
        ..file
    }
}

/// Bytes of strangers: named, typed, and never to be run by a browser.
fn download(file: &FileMetadata, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let fallback = HeaderValue::from_static("application/octet-stream");
    let mime_type = HeaderValue::from_str(&file.mime_type).unwrap_or(fallback);
    headers.insert(header::CONTENT_TYPE, mime_type);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.size_bytes));
    let attachment = HeaderValue::from_static("attachment");
    headers.insert(header::CONTENT_DISPOSITION, attachment);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

enum Scope {
    Everything,
    Session(SessionId),
}

/// Reads `scope_id`, which belongs to managed agents.
fn scope_of(betas: &Betas, query: &Query) -> Result<Scope, ApiError> {
    let Some(id) = query.parsed("scope_id")? else {
        return Ok(Scope::Everything);
    };
    if !betas.managed_agents() {
        let message = "scope_id: needs the header anthropic-beta: managed-agents-2026-04-01";
        return Err(ApiError::invalid(message));
    }
    Ok(Scope::Session(id))
}

/// The files with the given ids on one page; ids that name nothing are left out.
async fn list_by_id(
    api: &Api,
    workspace: WorkspaceId,
    query: &Query,
) -> Result<hostler_protocol::page::Page<FileMetadata>, ApiError> {
    for key in ["page", "limit"] {
        if query.text(key)?.is_some() {
            let message = format!("{key}: Input should not be given together with ids");
            return Err(ApiError::invalid(message));
        }
    }
    let given: HashSet<&str> = query.list("ids", usize::MAX)?.into_iter().collect();
    if given.len() > FILE_IDS_MAX {
        let message = format!("ids: List should have at most {FILE_IDS_MAX} items");
        return Err(ApiError::invalid(message));
    }
    let ids = given.iter().filter_map(|id| id.parse().ok()).collect();
    let files = api.store.files_by_id(workspace, ids, api.env.now()).await?;
    Ok(hostler_protocol::page::Page {
        data: files.into_iter().map(|file| shown(api, file)).collect(),
        next_page: None,
    })
}

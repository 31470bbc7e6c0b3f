//! `/v1/skills/{skill_id}/versions`.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hostler_protocol::id::{MalformedId, SkillId, SkillVersionId};
use hostler_protocol::page::Page;
use hostler_protocol::skill::{
    DeletedSkillVersion, DeletedSkillVersionType, SkillVersion, VersionWanted,
};
use hostler_store::VersionDeleted;

use super::{made, refuse_legacy, upload};
use crate::beta::Betas;
use crate::caller::Caller;
use crate::page_range::by_age;
use crate::pagination::List;
use crate::path_id::{PathId, PathIds};
use crate::query::Query;
use crate::{Api, ApiError};

const VERSIONS: List = List::named("skill_versions").up_to(1_000);

/// A version in a path: its id, or `latest`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named(VersionWanted);

impl FromStr for Named {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        Ok(Self(match text {
            "latest" => VersionWanted::Latest,
            id => VersionWanted::Exactly(id.parse()?),
        }))
    }
}

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    betas: Betas,
    PathId(skill): PathId<SkillId>,
    request: Request,
) -> Result<Json<SkillVersion>, ApiError> {
    refuse_legacy(&betas)?;
    let workspace = caller.workspace_id;
    if api.store.skill(workspace, skill).await?.is_none() {
        return Err(ApiError::not_found(skill));
    }
    let uploaded = upload::receive(&api, workspace, request).await?;
    if uploaded.display_name.is_some() {
        return Err(ApiError::invalid(
            "display_name: Extra inputs are not permitted",
        ));
    }
    let (version, _held) = upload::version(&api, skill, uploaded).await?;
    let created = api.store.create_skill_version(workspace, version);
    made(created.await?).map(Json)
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    betas: Betas,
    PathId(skill): PathId<SkillId>,
    query: Query,
) -> Result<Json<Page<SkillVersion>>, ApiError> {
    refuse_legacy(&betas)?;
    let request = VERSIONS.request(&query)?;
    let versions = api
        .store
        .skill_versions(caller.workspace_id, skill, (&request).into());
    let versions = versions.await?.ok_or_else(|| ApiError::not_found(skill))?;
    let position = |version: &SkillVersion| by_age(version.created_at, version.id);
    Ok(Json(request.page(versions, position)))
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    betas: Betas,
    PathIds(skill, Named(wanted)): PathIds<SkillId, Named>,
) -> Result<Json<SkillVersion>, ApiError> {
    refuse_legacy(&betas)?;
    let version = api.store.skill_version(caller.workspace_id, skill, wanted);
    let version = version.await?.ok_or_else(|| no_version(skill, wanted))?;
    Ok(Json(version))
}

pub(crate) async fn content(
    State(api): State<Arc<Api>>,
    caller: Caller,
    betas: Betas,
    PathIds(skill, Named(wanted)): PathIds<SkillId, Named>,
) -> Result<Response, ApiError> {
    refuse_legacy(&betas)?;
    let found = api.store.skill_content(caller.workspace_id, skill, wanted);
    let (version, size, chunks) = found.await?.ok_or_else(|| no_version(skill, wanted))?;
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/zip"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    // The name of a skill has nothing that a header could stumble over.
    let named = format!("attachment; filename=\"{}.zip\"", version.name);
    let fallback = HeaderValue::from_static("attachment");
    let named = HeaderValue::from_str(&named).unwrap_or(fallback);
    headers.insert(header::CONTENT_DISPOSITION, named);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    Ok(response)
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    betas: Betas,
    PathIds(skill, version): PathIds<SkillId, SkillVersionId>,
) -> Result<Json<DeletedSkillVersion>, ApiError> {
    refuse_legacy(&betas)?;
    let (workspace, now) = (caller.workspace_id, api.env.now());
    let deleted = api
        .store
        .delete_skill_version(workspace, skill, version, now);
    match deleted.await? {
        VersionDeleted::Deleted => Ok(Json(DeletedSkillVersion {
            id: version,
            kind: DeletedSkillVersionType::SkillVersionDeleted,
        })),
        VersionDeleted::NoSuchVersion => Err(no_version(skill, VersionWanted::Exactly(version))),
        VersionDeleted::IsTheLast => Err(ApiError::invalid(format!(
            "{version} is the only version of {skill}; delete the skill to delete both"
        ))),
    }
}

fn no_version(skill: SkillId, wanted: VersionWanted) -> ApiError {
    match wanted {
        VersionWanted::Latest => ApiError::not_found(skill),
        VersionWanted::Exactly(version) => {
            ApiError::not_found(format!("version {version} of {skill}"))
        }
    }
}

//! `/v1/skills`. Uploads are read and checked in `upload.rs`; versions are in `versions.rs`.

mod upload;
pub(crate) mod versions;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use hostler_protocol::id::SkillId;
use hostler_protocol::limits::SKILL_VERSIONS_MAX;
use hostler_protocol::page::Page;
use hostler_protocol::skill::{DeletedSkill, DeletedSkillType, SkillResource};
use hostler_store::SkillCreated;

use crate::beta::Betas;
use crate::caller::Caller;
use crate::page_range::by_age;
use crate::pagination::List;
use crate::path_id::PathId;
use crate::query::Query;
use crate::{Api, ApiError};

const SKILLS: List = List::named("skills").up_to(1_000);

/// Which skills a list shows.
#[derive(Debug, Clone, Copy)]
enum Source {
    Custom,
    /// Those that a hosted service brings along: there are none.
    Prebuilt,
}

const SOURCES: &[(&str, Source)] = &[
    ("custom", Source::Custom),
    ("anthropic", Source::Prebuilt),
    ("anthropic_example", Source::Prebuilt),
    ("plugin", Source::Prebuilt),
];

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    betas: Betas,
    request: Request,
) -> Result<Json<SkillResource>, ApiError> {
    refuse_legacy(&betas)?;
    let workspace = caller.workspace_id;
    let uploaded = upload::receive(&api, workspace, request).await?;
    let name = uploaded.bundle.name.clone();
    let display_name = uploaded.display_name.clone().unwrap_or(name);
    let (version, _held) = upload::version(&api, api.env.id(), uploaded).await?;
    let created = api.store.create_skill(workspace, display_name, version);
    made(created.await?).map(Json)
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    betas: Betas,
    query: Query,
) -> Result<Json<Page<SkillResource>>, ApiError> {
    refuse_legacy(&betas)?;
    let request = SKILLS.request(&query)?;
    let skills = match query.word("source", SOURCES)? {
        None | Some(Source::Custom) => {
            let skills = api.store.skills(caller.workspace_id, (&request).into());
            skills.await?
        }
        Some(Source::Prebuilt) => Vec::new(),
    };
    let position = |skill: &SkillResource| by_age(skill.created_at, skill.id);
    Ok(Json(request.page(skills, position)))
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    betas: Betas,
    PathId(id): PathId<SkillId>,
) -> Result<Json<SkillResource>, ApiError> {
    refuse_legacy(&betas)?;
    let skill = api.store.skill(caller.workspace_id, id).await?;
    Ok(Json(skill.ok_or_else(|| ApiError::not_found(id))?))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    betas: Betas,
    PathId(id): PathId<SkillId>,
) -> Result<Json<DeletedSkill>, ApiError> {
    refuse_legacy(&betas)?;
    let (workspace, now) = (caller.workspace_id, api.env.now());
    if !api.store.delete_skill(workspace, id, now).await? {
        return Err(ApiError::not_found(id));
    }
    Ok(Json(DeletedSkill {
        id,
        kind: DeletedSkillType::SkillDeleted,
    }))
}

fn made<T>(created: SkillCreated<T>) -> Result<T, ApiError> {
    match created {
        SkillCreated::Created(made) => Ok(made),
        SkillCreated::QuotaExceeded => {
            let refusal = ApiError::invalid("the storage quota of this workspace is used up");
            Err(refusal.with_code("storage_quota_exceeded"))
        }
        SkillCreated::HasName(name) => {
            let message =
                format!("files: the skill is named {name:?}, and so should be all its versions");
            Err(ApiError::invalid(message))
        }
        SkillCreated::TooManyVersions => {
            let message =
                format!("files: the skill has {SKILL_VERSIONS_MAX} versions, and may have no more");
            Err(ApiError::invalid(message))
        }
        SkillCreated::NoSuchSkill => Err(ApiError::not_found("the skill")),
    }
}

/// The shapes of before are not answered in place of those that were asked for.
fn refuse_legacy(betas: &Betas) -> Result<(), ApiError> {
    if betas.legacy_skills() {
        let message = "anthropic-beta: the shapes of skills-2025-10-02 are not served; leave the value \
            out, as the SDKs have done since skills left beta";
        return Err(ApiError::invalid(message));
    }
    Ok(())
}

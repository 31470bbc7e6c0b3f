//! `/v1/sessions/{id}/resources`: files that are mounted into a session, and the repositories that it
//! was made with.
//!
//! A resource is written to the store and nowhere else. Whoever runs the session's next tool sees
//! that the mounts have changed and brings the sandbox up to date before the tool runs.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use hostler_domain::Env;
use hostler_domain::session::SessionStatus;
use hostler_protocol::Timestamp;
use hostler_protocol::decode::Invalid;
use hostler_protocol::id::{ResourceId, SessionId, WorkspaceId};
use hostler_protocol::limits::SESSION_FILES_MAX;
use hostler_protocol::page::Page;
use hostler_protocol::session_repository::UpdateRepository;
use hostler_protocol::session_resource::{
    DeletedResource, FileResource, MountFile, MountResource, SessionResource, path_taken,
};
use hostler_store::{
    MountRefusal, Mounted, NewMount, NewRepository, Order, SessionRow, TokenReplaced, Unmounted,
    seal_next_token, seal_token,
};

use super::not_changed;
use crate::body::{EmptyBody, JsonBody};
use crate::caller::Caller;
use crate::page_range::by_age;
use crate::pagination::{List, OverMax};
use crate::path_id::{PathId, PathIds};
use crate::query::Query;
use crate::vaults::credentials::keyring;
use crate::{Api, ApiError};

/// Without a limit it is everything: a session has fewer than a page holds.
const RESOURCES: List = List {
    name: "session_resources",
    limit: 1_000,
    limit_max: 1_000,
    over_max: OverMax::Refuse,
    order: Order::Ascending,
};

pub(crate) async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
    body: JsonBody,
) -> Result<Json<FileResource>, ApiError> {
    let file = MountFile::decode(body.value())?;
    let mount = new_mount(&api.env, file, api.env.now());
    let adding = api
        .store
        .add_session_resource(caller.workspace_id, id, mount, may_add);
    match adding.await.map_err(|error| not_changed(id, error))? {
        Mounted::Mounted(resource) => Ok(Json(resource)),
        Mounted::Refused(refusal) => Err(not_mounted(refusal, |_| String::new())),
    }
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
    query: Query,
) -> Result<Json<Page<SessionResource>>, ApiError> {
    let request = RESOURCES.request(&query)?;
    let after = request.after_moment::<ResourceId>()?;
    let row = api.store.session(caller.workspace_id, id).await?;
    let row = row.ok_or_else(|| ApiError::not_found(id))?;
    let is_behind = |resource: &SessionResource| {
        after.is_none_or(|position| (resource.created_at(), resource.id()) > position)
    };
    let behind = row.resources.into_iter().filter(is_behind).collect();
    let place = |resource: &SessionResource| by_age(resource.created_at(), resource.id());
    Ok(Json(request.page(behind, place)))
}

pub(crate) async fn retrieve(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathIds(session, resource): PathIds<SessionId, ResourceId>,
) -> Result<Json<SessionResource>, ApiError> {
    let row = api.store.session(caller.workspace_id, session).await?;
    let row = row.ok_or_else(|| ApiError::not_found(session))?;
    let mut resources = row.resources.into_iter();
    let found = resources.find(|found| found.id() == resource);
    found.map(Json).ok_or_else(|| ApiError::not_found(resource))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathIds(session, resource): PathIds<SessionId, ResourceId>,
    _body: EmptyBody,
) -> Result<Json<DeletedResource>, ApiError> {
    let workspace = caller.workspace_id;
    let deleting = api
        .store
        .delete_session_resource(workspace, session, resource);
    match deleting.await? {
        Unmounted::Unmounted => Ok(Json(DeletedResource {
            id: resource,
            kind: "session_resource_deleted",
        })),
        Unmounted::NoSuchSession => Err(ApiError::not_found(session)),
        Unmounted::NoSuchResource => Err(ApiError::not_found(resource)),
        Unmounted::Repository => Err(ApiError::invalid(
            "a repository can't be removed: it stays as long as its session",
        )),
    }
}

/// Gives a repository another token. Whoever runs the session's next fetch or push sends it.
pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathIds(session, resource): PathIds<SessionId, ResourceId>,
    body: JsonBody,
) -> Result<Json<SessionResource>, ApiError> {
    let UpdateRepository {
        authorization_token: token,
    } = UpdateRepository::decode(body.value())?;
    let (workspace, keyring) = (caller.workspace_id, Arc::clone(keyring(&api)?));
    let seal = move |version| seal_next_token(&keyring, workspace, resource, version, &token);
    let now = api.env.now();
    let replacing = api
        .store
        .replace_repository_token(workspace, session, resource, seal, now);
    match replacing.await? {
        TokenReplaced::Replaced(repository) => Ok(Json(SessionResource::Repository(*repository))),
        TokenReplaced::NotSealed(error) => Err(ApiError::internal(error)),
        TokenReplaced::NotARepository => Err(ApiError::invalid(
            "a file has no token: only a repository can be updated",
        )),
        TokenReplaced::Terminated => Err(ApiError::invalid(
            "Cannot update resources of a terminated session",
        )),
        TokenReplaced::NoSuchResource => Err(ApiError::not_found(resource)),
        TokenReplaced::NoSuchSession => Err(ApiError::not_found(session)),
    }
}

fn may_add(row: &SessionRow) -> Result<(), ApiError> {
    match row.summary.status {
        SessionStatus::Terminated => Err(ApiError::invalid(
            "Cannot add resources to a terminated session",
        )),
        SessionStatus::Idle | SessionStatus::Running | SessionStatus::Rescheduling => Ok(()),
    }
}

/// What a new session has, each a microsecond after the one before it, so that they are listed as
/// they were given.
#[derive(Default)]
pub(super) struct NewResources {
    pub(super) mounts: Vec<NewMount>,
    /// Which of the resources that were given each of the mounts is.
    pub(super) positions: Vec<usize>,
    pub(super) repositories: Vec<NewRepository>,
}

impl NewResources {
    /// Refuses repositories of hosts that the operator does not permit.
    pub(super) fn new(
        api: &Api,
        workspace: WorkspaceId,
        resources: Vec<MountResource>,
        at: Timestamp,
    ) -> Result<Self, ApiError> {
        let mut new = Self::default();
        let moments = (0..).map(|position| at.plus(Duration::from_micros(position)));
        for (position, (resource, at)) in resources.into_iter().zip(moments).enumerate() {
            match resource {
                MountResource::File(file) => {
                    new.mounts.push(new_mount(&api.env, file, at));
                    new.positions.push(position);
                }
                MountResource::Repository(wish) => {
                    let permitted = api.options.repository_hosts.check(&wish.url);
                    permitted.map_err(|message| {
                        Invalid::new(format!("resources.{position}.url"), message)
                    })?;
                    let id = api.env.id();
                    let sealed = match &wish.authorization_token {
                        Some(token) => Some(
                            seal_token(keyring(api)?, workspace, id, token)
                                .map_err(ApiError::internal)?,
                        ),
                        None => None,
                    };
                    new.repositories.push(NewRepository {
                        id,
                        wish,
                        at,
                        sealed,
                    });
                }
            }
        }
        Ok(new)
    }
}

fn new_mount(env: &Env, file: MountFile, at: Timestamp) -> NewMount {
    NewMount {
        id: env.id(),
        source: file.file_id,
        copy: env.id(),
        mount_path: file.mount_path,
        at,
    }
}

/// Why a file was not mounted. `place` is the path of a resource in the request, with its dot.
pub(super) fn not_mounted(refusal: MountRefusal, place: impl Fn(usize) -> String) -> ApiError {
    match refusal {
        MountRefusal::NoSuchFile { position } => {
            ApiError::invalid(format!("{}file_id: no such file", place(position)))
        }
        MountRefusal::PathTaken { position } => path_taken(&place(position)).into(),
        MountRefusal::TooMany => {
            let message = format!("a session can have at most {SESSION_FILES_MAX} files");
            ApiError::invalid(message)
        }
    }
}

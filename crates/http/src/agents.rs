//! `/v1/agents`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostler_protocol::agent::{Agent, CreateAgent, Reference, UpdateAgent};
use hostler_protocol::id::AgentId;
use hostler_protocol::page::Page;
use hostler_store::{AgentFilter, AgentSave, AgentSaved};

use crate::body::{EmptyBody, JsonBody};
use crate::caller::Caller;
use crate::model_lookup::model_lookup;
use crate::page_range::{archived, by_age};
use crate::pagination::{List, Position};
use crate::path_id::PathId;
use crate::query::Query;
use crate::{Api, ApiError};

const AGENTS: List = List::named("agents");
const VERSIONS: List = List::named("agent_versions");

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Agent>, ApiError> {
    let create = body.decode(CreateAgent::decode)?;
    let save = save_of(&api, api.env.id());
    let id = save.id;
    let workspace = caller.workspace_id;
    let saved = api.store.create_agent(workspace, save, create).await?;
    answer(id, saved)
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    query: Query,
) -> Result<Json<Page<Agent>>, ApiError> {
    let request = AGENTS.request(&query)?;
    let created = query.time_range("created_at")?;
    let filter = AgentFilter {
        archived: archived(&query)?,
        created_from: created.gte,
        created_to: created.lte,
    };
    let workspace = caller.workspace_id;
    let agents = api.store.agents(workspace, filter, (&request).into());
    Ok(Json(request.page(agents.await?, |agent| {
        by_age(agent.created_at, agent.id)
    })))
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<AgentId>,
    query: Query,
) -> Result<Json<Agent>, ApiError> {
    let version = query.integer("version", 1..=i64::from(u32::MAX))?;
    let version = version.and_then(|version| u32::try_from(version).ok());
    let reference = Reference { id, version };
    let agent = api.store.agent(caller.workspace_id, reference).await?;
    agent.map(Json).ok_or_else(|| match version {
        None => ApiError::not_found(id),
        Some(version) => ApiError::not_found(format!("version {version} of {id}")),
    })
}

pub(crate) async fn list_versions(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<AgentId>,
    query: Query,
) -> Result<Json<Page<Agent>>, ApiError> {
    let request = VERSIONS.request(&query)?;
    let workspace = caller.workspace_id;
    let versions = api.store.agent_versions(workspace, id, (&request).into());
    let versions = versions.await?.ok_or_else(|| ApiError::not_found(id))?;
    Ok(Json(request.page(versions, |agent| Position {
        rank: i64::from(agent.version),
        id: String::new(),
    })))
}

pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<AgentId>,
    body: JsonBody,
) -> Result<Json<Agent>, ApiError> {
    let update = body.decode(UpdateAgent::decode)?;
    let save = save_of(&api, id);
    let workspace = caller.workspace_id;
    let saved = api.store.update_agent(workspace, save, update).await?;
    answer(id, saved)
}

pub(crate) async fn archive(
    State(api): State<Arc<Api>>,
    caller: Caller,
    PathId(id): PathId<AgentId>,
    _body: EmptyBody,
) -> Result<Json<Agent>, ApiError> {
    let archived = api
        .store
        .archive_agent(caller.workspace_id, id, api.env.now());
    let agent = archived.await?;
    agent.map(Json).ok_or_else(|| ApiError::not_found(id))
}

fn save_of(api: &Api, id: AgentId) -> AgentSave {
    AgentSave {
        id,
        at: api.env.now(),
        models: model_lookup(&api.catalog),
    }
}

fn answer(id: AgentId, saved: AgentSaved) -> Result<Json<Agent>, ApiError> {
    match saved {
        AgentSaved::Saved(agent) => Ok(Json(*agent)),
        AgentSaved::Invalid(invalid) => Err(invalid.into()),
        AgentSaved::StaleVersion => Err(ApiError::conflict(
            "Concurrent modification detected. Please fetch the latest version and retry.",
        )),
        AgentSaved::Archived => Err(ApiError::invalid("Cannot modify archived agent")),
        AgentSaved::NoSuchAgent => Err(ApiError::not_found(id)),
    }
}

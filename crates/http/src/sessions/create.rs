//! `POST /v1/sessions`: finds what the request names, takes the snapshot, writes the first rows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostler_domain::session::{Input, Summary, accept};
use hostler_protocol::agent::{SessionAgent, SessionAgentParams};
use hostler_protocol::decode::Invalid;
use hostler_protocol::environment::{Environment, EnvironmentConfig, Networking, is_host_listed};
use hostler_protocol::event::{Event, SessionCreated};
use hostler_protocol::id::{EnvironmentId, MalformedId, ThreadId, WorkspaceId};
use hostler_protocol::limits::{SESSION_SKILL_BYTES_MAX, SESSION_SKILL_FILES_MAX};
use hostler_protocol::session::{CreateSession, Session};
use hostler_store::{CreateSession as Outcome, NewSession, SkillRefusal};

use super::events::check_files;
use super::resources::{NewResources, not_mounted};
use super::web_domains::check_web_domains;
use super::{drafts, shown};
use crate::body::JsonBody;
use crate::caller::Caller;
use crate::model_lookup::model_lookup;
use crate::{Api, ApiError};

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<Session>, ApiError> {
    let workspace_id = caller.workspace_id;
    let request = CreateSession::decode(body.value()).map_err(unknown_agent)?;
    let environment_id = request.environment_id;
    let agent = snapshot(&api, workspace_id, request.agent).await?;
    let environment = check_environment(&api, workspace_id, environment_id).await?;
    check_mcp_hosts(&agent, &environment)?;
    check_web_domains(&agent, &environment.config)?;
    let messages = request.initial_events.iter();
    let contents = messages.map(|message| message.content.as_slice());
    check_files(&api, workspace_id, "initial_events", contents.enumerate()).await?;
    let (at, thread): (_, ThreadId) = (api.env.now(), api.env.id());
    let inputs = request.initial_events.into_iter().map(Input::Message);
    let summary = Summary::new(thread, agent.name.clone(), at);
    let mut events = vec![Event::SessionCreated(Box::new(SessionCreated {
        agent: agent.clone(),
        environment_id,
        session_thread_id: thread,
    }))];
    events.extend(accept(&summary, inputs.collect(), at)?.into_events());
    let resources = NewResources::new(&api, workspace_id, request.resources, at)?;
    let vault_ids = request.vault_ids.clone();
    let new = NewSession {
        id: api.env.id(),
        workspace_id,
        environment_id,
        agent,
        title: request.title,
        metadata: request.metadata,
        at,
        thread,
        events: drafts(&api.env, at, events),
        mounts: resources.mounts,
        repositories: resources.repositories,
        vault_ids: request.vault_ids,
    };
    let place = body.take_place()?;
    match api.store.create_session_in(Some(place), new).await? {
        Outcome::Created(row) => Ok(Json(shown(*row, at))),
        // It was there a moment ago.
        Outcome::NoSuchEnvironment => Err(no_such_environment(environment_id)),
        Outcome::NoSkill(refusal) => Err(no_skill(refusal)),
        Outcome::NoSuchVault(id) => Err(ApiError::not_found(format!("vault {id}"))),
        Outcome::VaultArchived(id) => {
            let position = vault_ids.iter().position(|given| *given == id);
            let message = format!("vault_ids.{}: {id} is archived", position.unwrap_or(0));
            Err(ApiError::invalid(message))
        }
        Outcome::NotMounted(refusal) => {
            let given = |mount: usize| resources.positions.get(mount).copied();
            let place = |mount| format!("resources.{}.", given(mount).unwrap_or(mount));
            Err(not_mounted(refusal, place))
        }
    }
}

/// The agent that will hold in the session, checked for what this version can run.
async fn snapshot(
    api: &Api,
    workspace: WorkspaceId,
    params: SessionAgentParams,
) -> Result<SessionAgent, ApiError> {
    let reference = params.reference;
    let agent = api.store.agent(workspace, reference).await?;
    let agent = agent.ok_or_else(|| match reference.version {
        Some(version) => ApiError::not_found(format!("version {version} of {}", reference.id)),
        None => ApiError::not_found(format!("agent {}", reference.id)),
    })?;
    if agent.archived_at.is_some() {
        let message = format!("agent: {} is archived", reference.id);
        return Err(ApiError::invalid(message));
    }
    let roster = api.store.agents_by_reference(workspace, agent.roster());
    let roster = roster.await?;
    let models = model_lookup(&api.catalog);
    let skills = params.wanted_skills();
    let skills = api.store.skills_wanted(workspace, skills).await?;
    let agent = params.effective(&agent, &roster, &skills, models.as_ref())?;
    match agent.unsupported() {
        None => Ok(agent),
        Some(unsupported) => Err(unsupported.into()),
    }
}

async fn check_environment(
    api: &Api,
    workspace: WorkspaceId,
    id: EnvironmentId,
) -> Result<Environment, ApiError> {
    let environment = api.store.environment(workspace, id).await?;
    let environment = environment.ok_or_else(|| no_such_environment(id))?;
    if environment.archived_at.is_some() {
        let message = format!("environment_id: {id} is archived");
        return Err(ApiError::invalid(message).with_code("environment_archived"));
    }
    match environment.unsupported() {
        None => Ok(environment),
        Some(unsupported) => Err(unsupported.into()),
    }
}

/// What a session could never reach is refused at once. Whether a server is there, its first turn shows.
fn check_mcp_hosts(agent: &SessionAgent, environment: &Environment) -> Result<(), ApiError> {
    let EnvironmentConfig::Cloud {
        networking:
            Networking::Limited {
                allowed_hosts,
                allow_mcp_servers: false,
                ..
            },
        ..
    } = &environment.config
    else {
        return Ok(());
    };
    for (position, server) in agent.mcp_servers.iter().enumerate() {
        // One in the sandbox has no host, and reaches what the sandbox does.
        let Some(host) = server.host() else {
            continue;
        };
        if !is_host_listed(allowed_hosts, host) {
            return Err(ApiError::invalid(format!(
                "agent.mcp_servers.{position}.url: the environment does not permit the host {host}; add it to \
                 allowed_hosts or set allow_mcp_servers"
            ))
            .with_code("mcp_egress_blocked"));
        }
    }
    Ok(())
}

fn no_skill(refusal: SkillRefusal) -> ApiError {
    let message = match refusal {
        SkillRefusal::PlaceTaken => "resources: the agent's skills are below /workspace/skills; \
            give what would be there another mount_path"
            .to_owned(),
        SkillRefusal::Gone(position) => {
            format!("agent.skills.{position}.skill_id: skill not found")
        }
        SkillRefusal::SameName(position) => format!(
            "agent.skills.{position}: it has the name of a skill before it, and both would have the same place"
        ),
        SkillRefusal::TooLarge(position) => format!(
            "agent.skills.{position}: with this one, the session's skills have more than \
             {SESSION_SKILL_FILES_MAX} files or {} MiB",
            SESSION_SKILL_BYTES_MAX >> 20
        ),
    };
    ApiError::invalid(message)
}

fn no_such_environment(id: EnvironmentId) -> ApiError {
    ApiError::not_found(format!("environment {id}")).with_code("environment_not_found")
}

/// Text that can't be an agent's id names an agent that doesn't exist: 404, not 400.
fn unknown_agent(invalid: Invalid) -> ApiError {
    let malformed = MalformedId { kind: "agent" }.to_string();
    let names_agent = matches!(invalid.path.as_str(), "agent" | "agent.id");
    if names_agent && invalid.message == malformed {
        return ApiError::not_found("the agent");
    }
    invalid.into()
}

//! What every agent with a sandbox is told about it. Part of the cached prefix: it depends on what was
//! decided when the session was made, and on nothing that changes between requests.

use std::sync::Arc;

use hostler_domain::tools;
use hostler_protocol::agent::{BuiltinTool, SessionAgent};
use hostler_protocol::id::SessionId;
use hostler_sandbox::{GatewayPorts, Network, SandboxError};
use hostler_store::SessionRepository;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::limits::{PROMPT_HOSTS_MAX, REPOSITORY_SKILLS_WAIT};
use crate::network::{self, Limits, Reach};
use crate::options::Parts;
use crate::session_sandbox;
use crate::skills::ToldSkill;
use crate::uploads::unreadable;
use crate::web;

const PLACE: &str = "You have a private Linux sandbox. Your working directory is /workspace. Files \
    that the user should receive belong in /mnt/session/outputs.";

const NO_NETWORK: &str = "The sandbox has no network access: commands that need it will fail, so do \
    not retry them.";

const PUBLIC_NETWORK: &str = "The sandbox reaches hosts of the public internet over TCP; private \
    addresses are refused.";

const REFUSED: &str = "Connections to any other host are refused, so do not retry them.";

const OUTPUT: &str = "What your tools print is shown to you, not to the user.";

/// Where the operator has opted out of isolation.
const NOT_ISOLATED: &str = "Your tools run on a Linux machine, in a directory of this session; \
    relative paths start there.";

/// What there is to tell of a session's sandbox.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) reach: Reach,
    /// That it was made with, whether or not they can be had.
    pub(crate) repositories: Vec<SessionRepository>,
    pub(crate) skills: Vec<ToldSkill>,
    /// Which web tools this server can carry out, and for which hosts its environment lets them.
    pub(crate) web: web::Offered,
    pub(crate) web_hosts: Option<Vec<String>>,
}

impl Told {
    async fn of(
        parts: &Parts,
        session: SessionId,
        agent: &SessionAgent,
    ) -> Result<Self, SandboxError> {
        let repositories = repositories_with_skills(parts, session, agent).await?;
        let skills = parts.store.session_skills(session).await;
        let skills = skills.map_err(unreadable)?.into_iter();
        let in_repositories = repositories.iter().flat_map(ToldSkill::of_repository);
        Ok(Self {
            reach: network::reach(parts, session).await?,
            skills: skills.map(ToldSkill::from).chain(in_repositories).collect(),
            repositories,
            web: web::offered(&parts.web),
            web_hosts: network::web_hosts(parts, session).await?,
        })
    }
}

/// Before the first request of a session they are cloned: their skills are told in its system prompt, which
/// stays as it is. What can't be cloned, or not in time, is told with the first call of a tool; its skills are not.
async fn repositories_with_skills(
    parts: &Parts,
    session: SessionId,
    agent: &SessionAgent,
) -> Result<Vec<SessionRepository>, SandboxError> {
    let repositories = parts.store.session_repositories(session).await;
    let repositories = repositories.map_err(unreadable)?;
    let is_to_come = |one: &SessionRepository| one.skills.is_none() && !one.is_placed;
    // Without `read` none are told of.
    let can_read = tools::offered(agent).contains(&BuiltinTool::Read);
    if !can_read || !repositories.iter().any(is_to_come) {
        return Ok(repositories);
    }
    match timeout(
        REPOSITORY_SKILLS_WAIT,
        session_sandbox::prepare(parts, session),
    )
    .await
    {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::debug!(%session, %error, "there was no sandbox before the first request")
        }
        Err(_) => tracing::info!(%session, "the first request does not wait for the repositories"),
    }
    let repositories = parts.store.session_repositories(session).await;
    let mut repositories = repositories.map_err(unreadable)?;
    // Nobody waits for these again, and nothing is told of them in the middle of a conversation.
    for late in repositories.iter_mut().filter(|one| one.skills.is_none()) {
        let none = parts.store.repository_skills_found(late.id, Vec::new());
        none.await.map_err(unreadable)?;
        late.skills = Some(Vec::new());
    }
    Ok(repositories)
}

/// What a runner tells with each request, looked up for its first: it was decided when the session was
/// made, and whether the sandbox has a network does not change while this process runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telling(Arc<OnceCell<Told>>);

impl Telling {
    /// What could not be looked up is looked up the next time.
    pub(crate) async fn get(
        &self,
        parts: &Parts,
        session: SessionId,
        agent: &SessionAgent,
    ) -> Result<&Told, SandboxError> {
        let told = || Told::of(parts, session, agent);
        self.0.get_or_try_init(told).await
    }
}

pub(crate) fn text(told: &Told) -> String {
    let sandbox = about(&told.reach);
    match repositories(&told.repositories) {
        Some(repositories) => format!("{sandbox} {repositories}"),
        None => sandbox,
    }
}

fn repositories(repositories: &[SessionRepository]) -> Option<String> {
    let places = repositories
        .iter()
        .map(|repository| format!("{} from {}", repository.mount_path, repository.url));
    let places: Vec<String> = places.collect();
    (!places.is_empty()).then(|| {
        format!(
            "These Git repositories were cloned for you, with their whole history: {}.",
            places.join(", ")
        )
    })
}

fn about(reach: &Reach) -> String {
    match reach {
        Reach::Nothing => format!("{PLACE} {NO_NETWORK} {OUTPUT}"),
        Reach::Public => format!("{PLACE} {PUBLIC_NETWORK} {OUTPUT}"),
        Reach::Limited(limits) => format!("{PLACE} {} {OUTPUT}", limited(limits)),
        Reach::Host => format!("{NOT_ISOLATED} {OUTPUT}"),
    }
}

fn limited(limits: &Limits) -> String {
    let mut allowed = match limits.hosts.len() {
        0..=PROMPT_HOSTS_MAX => limits.hosts.clone(),
        _ => vec!["the hosts that its environment allows".to_owned()],
    };
    if limits.mcp_servers {
        allowed.push("your MCP servers".to_owned());
    }
    if limits.package_managers {
        allowed.push("the public package registries".to_owned());
    }
    if allowed.is_empty() {
        return NO_NETWORK.to_owned();
    }
    format!(
        "Over the network the sandbox reaches only: {}. {REFUSED}",
        allowed.join(", ")
    )
}

/// Which descriptions of the tools go with it.
pub(crate) fn network(reach: &Reach) -> Network {
    match reach {
        Reach::Nothing => Network::None,
        Reach::Public | Reach::Limited(_) => Network::Gateway {
            ports: GatewayPorts::All,
        },
        Reach::Host => Network::Host,
    }
}

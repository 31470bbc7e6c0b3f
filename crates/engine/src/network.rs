//! Where the tools of a session may go, and the gateway that sees to it.
//!
//! What a session may reach was decided when it was made: its environment, as it was then, and its
//! agent. One attachment to the gateway lives as long as the processes of its sandbox; each server
//! that finds a living sandbox attaches it anew. What a policy means, and what no policy permits,
//! is the gateway's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostler_egress::{AllowedHosts, Attachment, Gateway, Listeners, Policy, package_manager_hosts};
use hostler_protocol::agent::SessionAgent;
use hostler_protocol::environment::{EnvironmentConfig, Networking, is_host_listed};
use hostler_protocol::id::SessionId;
use hostler_sandbox::{Network, NetworkAccess, Sandbox, SandboxError};
use tokio::sync::OnceCell;

use crate::metered::Metered;
use crate::options::Parts;
use crate::secrets;

/// The networks of all living sandboxes.
pub(crate) struct Networks {
    /// `None`: sandboxes have no way out, or all the ways of the host.
    gateway: Option<Gateway>,
    attached: Mutex<HashMap<SessionId, Arc<Way>>>,
}

/// The way out of one sandbox. Empty until it is attached, which happens once; without one for a
/// sandbox that was made when there was no gateway.
pub(crate) type Way = OnceCell<Option<Metered>>;

impl Networks {
    pub(crate) fn new(gateway: Option<Gateway>, sandboxes: Network) -> Self {
        let gateway = match sandboxes {
            Network::Gateway { .. } => gateway,
            Network::None | Network::Host => None,
        };
        Self {
            gateway,
            attached: Mutex::default(),
        }
    }

    /// What sandboxes are made with.
    pub(crate) fn access(&self) -> NetworkAccess {
        match self.gateway {
            Some(_) => NetworkAccess::Gateway,
            None => NetworkAccess::None,
        }
    }

    /// For a sandbox that is no session's.
    pub(crate) fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_ref()
    }

    /// Every way there is, to compare with later.
    pub(crate) fn ways(&self) -> HashMap<SessionId, Arc<Way>> {
        self.lock().clone()
    }

    /// Closes this way, unless another one has taken its place.
    pub(crate) fn close(&self, session: SessionId, way: &Arc<Way>) {
        let mut attached = self.lock();
        let is_same = attached
            .get(&session)
            .is_some_and(|at| Arc::ptr_eq(at, way));
        if !is_same {
            return;
        }
        attached.remove(&session);
        drop(attached);
        if let Some(Some(metered)) = way.get() {
            metered.tell(session);
        }
    }

    /// Before the session's sandbox is started: new processes get a new way.
    pub(crate) fn forget(&self, session: SessionId) {
        let way = self.lock().remove(&session);
        if let Some(Some(metered)) = way.as_ref().and_then(|way| way.get()) {
            metered.tell(session);
        }
    }

    /// The way of the sandbox that was opened.
    fn way(&self, session: SessionId) -> Arc<Way> {
        Arc::clone(self.lock().entry(session).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Way>>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts the gateway behind a sandbox that was opened, if it is not there yet. For one that is,
/// this looks at a table and no more.
pub(crate) async fn attach(
    parts: &Parts,
    session: SessionId,
    sandbox: &Sandbox,
) -> Result<(), SandboxError> {
    let Some(gateway) = &parts.networks.gateway else {
        return refuse_empty_promise(parts, session).await;
    };
    let way = parts.networks.way(session);
    way.get_or_try_init(|| connect(parts, session, sandbox, gateway))
        .await?;
    Ok(())
}

/// What runs on the host's network goes wherever the host does. A session whose environment is
/// limited must not.
async fn refuse_empty_promise(parts: &Parts, session: SessionId) -> Result<(), SandboxError> {
    if parts.sandboxes.isolation().network != Network::Host {
        return Ok(());
    }
    match networking(parts, session).await? {
        Some(Networking::Limited { .. }) => Err(SandboxError::Refused {
            reason: "the environment of this session limits its network, and this server runs \
                     tools without isolation, where nothing can"
                .to_owned(),
        }),
        Some(Networking::Unrestricted) | None => Ok(()),
    }
}

async fn connect(
    parts: &Parts,
    session: SessionId,
    sandbox: &Sandbox,
    gateway: &Gateway,
) -> Result<Option<Metered>, SandboxError> {
    let policy = policy(parts, session).await?;
    let Some(sockets) = sandbox.gateway_sockets().await? else {
        tracing::warn!(%session, "a sandbox that was made without a network stays without");
        return Ok(None);
    };
    let listeners = Listeners {
        tcp: sockets.intercepting,
        proxy: sockets.proxy,
        dns: sockets.names,
    };
    let keepsake = parts.sandboxes.keepsake(sandbox.name()).await?;
    let secrets = secrets::of_sandbox(parts, session, keepsake).await?;
    let label = session.to_string();
    let attachment: Attachment = match secrets {
        Some(secrets) => gateway.attach_with_secrets(label, policy, listeners, secrets)?,
        None => gateway.attach(label, policy, listeners)?,
    };
    Ok(Some(Metered::new(attachment)))
}

pub(crate) async fn policy(parts: &Parts, session: SessionId) -> Result<Policy, SandboxError> {
    let reach = reach(parts, session).await?;
    let agent = agent(parts, session).await?;
    Ok(match reach {
        Reach::Nothing | Reach::Host => Policy::Nothing,
        Reach::Public => Policy::Unrestricted,
        Reach::Limited(limits) => {
            let servers = agent.mcp_servers.iter().filter_map(|server| server.host());
            let servers = servers.filter(|_| limits.mcp_servers);
            let managers = package_manager_hosts().iter().copied();
            let managers = managers.filter(|_| limits.package_managers);
            let hosts = limits.hosts.iter().map(String::as_str);
            let hosts = AllowedHosts::new(hosts.chain(servers).chain(managers));
            for entry in hosts.ignored() {
                tracing::warn!(%session, entry, "an allowed host that is no host name");
            }
            Policy::Limited(hosts)
        }
    })
}

/// What the tools of a session can reach, in the words of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    Nothing,
    /// The public internet.
    Public,
    Limited(Limits),
    /// Whatever the server can: nothing is isolated.
    Host,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) hosts: Vec<String>,
    pub(crate) mcp_servers: bool,
    pub(crate) package_managers: bool,
}

impl Limits {
    /// Whether an MCP server at this host may be spoken to.
    pub(crate) fn permits_mcp_host(&self, host: &str) -> bool {
        self.mcp_servers || is_host_listed(&self.hosts, host)
    }
}

/// The same for all of a session's life.
pub(crate) async fn reach(parts: &Parts, session: SessionId) -> Result<Reach, SandboxError> {
    let Some(networking) = networking(parts, session).await? else {
        return Ok(Reach::Nothing);
    };
    if parts.sandboxes.isolation().network == Network::Host {
        return Ok(Reach::Host);
    }
    if parts.networks.gateway.is_none() {
        return Ok(Reach::Nothing);
    }
    Ok(match networking {
        Networking::Unrestricted => Reach::Public,
        Networking::Limited {
            allowed_hosts,
            allow_mcp_servers,
            allow_package_managers,
        } => Reach::Limited(Limits {
            hosts: allowed_hosts,
            mcp_servers: allow_mcp_servers,
            package_managers: allow_package_managers,
        }),
    })
}

/// The hosts that web tools may go to, whichever way sandboxes have. `None`: all of the public internet.
pub(crate) async fn web_hosts(
    parts: &Parts,
    session: SessionId,
) -> Result<Option<Vec<String>>, SandboxError> {
    Ok(match networking(parts, session).await? {
        Some(Networking::Limited { allowed_hosts, .. }) => Some(allowed_hosts),
        Some(Networking::Unrestricted) | None => None,
    })
}

/// What its environment said when the session was made. `None`: it runs elsewhere.
async fn networking(parts: &Parts, session: SessionId) -> Result<Option<Networking>, SandboxError> {
    let environment = parts.store.session_environment(session).await;
    let environment = environment.map_err(unknown)?.ok_or_else(gone)?;
    Ok(match environment.config {
        EnvironmentConfig::Cloud { networking, .. } => Some(networking),
        EnvironmentConfig::SelfHosted => None,
    })
}

async fn agent(parts: &Parts, session: SessionId) -> Result<SessionAgent, SandboxError> {
    let brief = parts.store.session_brief(session).await;
    let brief = brief.map_err(unknown)?.ok_or_else(gone)?;
    let row = parts.store.session(brief.workspace_id, session).await;
    Ok(row.map_err(unknown)?.ok_or_else(gone)?.agent)
}

/// Without an answer there is no policy, and without a policy no network.
fn unknown(error: hostler_store::StoreError) -> SandboxError {
    SandboxError::Refused {
        reason: format!("it is unknown what the session may reach: {error}"),
    }
}

fn gone() -> SandboxError {
    SandboxError::Refused {
        reason: "its session is gone".to_owned(),
    }
}

//! The sandbox of a session: what it is made with, and what is done to it before a tool may use it.

use hostler_protocol::id::SessionId;
use hostler_sandbox::{Opened, Sandbox, SandboxError, SandboxName, Spec};

use crate::checkpoints;
use crate::network;
use crate::options::Parts;
use crate::{outputs, packages, uploads};

/// What a sandbox is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// A tool call, whose result tells what became of the sandbox.
    Call,
    /// A call that may come.
    Later,
}

/// Finds the session's sandbox, or makes it.
pub(crate) async fn open(parts: &Parts, session: SessionId) -> Result<Opened, SandboxError> {
    open_for(Purpose::Call, parts, session).await
}

/// The same, ahead of a call.
pub(crate) async fn prepare(parts: &Parts, session: SessionId) -> Result<Opened, SandboxError> {
    open_for(Purpose::Later, parts, session).await
}

/// The session's sandbox if it runs.
pub(crate) async fn find(
    parts: &Parts,
    session: SessionId,
) -> Result<Option<Sandbox>, SandboxError> {
    parts.sandboxes.find(&name(session)?).await
}

async fn open_for(
    purpose: Purpose,
    parts: &Parts,
    session: SessionId,
) -> Result<Opened, SandboxError> {
    let name = name(session)?;
    let wanted = uploads::wanted(parts, session).await?;
    let mut spec = spec(parts, session, &name).await?;
    spec.network = parts.networks.access();
    spec.upload_links.clone_from(&wanted.links);
    checkpoints::bring_back(parts, session, &name).await?;
    let opened = match purpose {
        Purpose::Call => parts.sandboxes.open(&name, &spec).await,
        Purpose::Later => parts.sandboxes.prepare(&name, &spec).await,
    }?;
    uploads::place(parts, session, &opened, wanted).await?;
    network::attach(parts, session, &opened).await?;
    outputs::opened(parts, session, opened.provenance).await?;
    Ok(opened)
}

/// What the session's environment asks for. It may have to be fetched and installed first.
async fn spec(parts: &Parts, session: SessionId, name: &SandboxName) -> Result<Spec, SandboxError> {
    if parts.sandboxes.is_known_alive(name) {
        // It goes on as it was made.
        return Ok(Spec::default());
    }
    let unavailable = |reason: String| SandboxError::Unavailable { reason };
    let environment = parts.store.session_environment(session).await;
    let environment = environment
        .map_err(|error| unavailable(format!("its environment cannot be read: {error}")))?
        .ok_or_else(|| unavailable("its session has no environment".to_owned()))?;
    let root = parts.options.roots.prepare(&environment.metadata).await?;
    packages::prepare(parts, &environment.config, root).await
}

/// A session's sandbox has the session's id for a name.
pub(crate) fn name(session: SessionId) -> Result<SandboxName, SandboxError> {
    let name = session.to_string().parse();
    name.map_err(|error| SandboxError::Refused {
        reason: format!("{error}"),
    })
}

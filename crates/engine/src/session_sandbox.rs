//! The sandbox of a session: what it is made with, and what is done to it before a tool may use it.

use hostler_protocol::id::SessionId;
use hostler_sandbox::{Opened, Sandbox, SandboxError, SandboxName, Spec};

use crate::network;
use crate::options::Parts;
use crate::{outputs, uploads};

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
    let mut spec = Spec {
        network: parts.networks.access(),
        ..Spec::default()
    };
    spec.upload_links.clone_from(&wanted.links);
    let opened = match purpose {
        Purpose::Call => parts.sandboxes.open(&name, &spec).await,
        Purpose::Later => parts.sandboxes.prepare(&name, &spec).await,
    }?;
    uploads::place(parts, session, &opened, wanted).await?;
    network::attach(parts, session, &opened).await?;
    outputs::opened(parts, session, opened.provenance).await?;
    Ok(opened)
}

/// A session's sandbox has the session's id for a name.
pub(crate) fn name(session: SessionId) -> Result<SandboxName, SandboxError> {
    let name = session.to_string().parse();
    name.map_err(|error| SandboxError::Refused {
        reason: format!("{error}"),
    })
}

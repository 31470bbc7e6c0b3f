//! The sandbox of a session: what it is made with, and what is done to it before a tool may use it.

use hostler_protocol::id::SessionId;
use hostler_sandbox::{Opened, Provenance, Sandbox, SandboxError, SandboxName, Spec};

use crate::checkpoints;
use crate::network;
use crate::options::Parts;
use crate::uploads::Wanted;
use crate::{outputs, packages, repositories, secrets, uploads};

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

/// Gives a sandbox that runs its way out, if it has lost that with an earlier server. It makes none.
pub(crate) async fn open_way(parts: &Parts, session: SessionId) -> Result<(), SandboxError> {
    match find(parts, session).await? {
        Some(sandbox) => network::attach(parts, session, &sandbox).await,
        None => Ok(()),
    }
}

async fn open_for(
    purpose: Purpose,
    parts: &Parts,
    session: SessionId,
) -> Result<Opened, SandboxError> {
    let name = name(session)?;
    // Between a look at its files and their use they must not become an archive.
    let _in_use = parts.sandboxes.hold(&name);
    // Held until the files are placed: of two that open, the second attaches.
    let mut wanted = uploads::wanted(parts, session).await?;
    let running = match purpose {
        Purpose::Call => parts.sandboxes.attach(&name).await?,
        // The news are for a call.
        Purpose::Later => parts.sandboxes.find(&name).await?.map(attached),
    };
    let opened = match running {
        // It goes on as it was made.
        Some(opened) => opened,
        None => launch(purpose, parts, session, &name, &mut wanted).await?,
    };
    uploads::place(parts, session, &opened, wanted).await?;
    network::attach(parts, session, &opened.sandbox).await?;
    repositories::place(parts, session, &opened.sandbox).await?;
    Ok(opened)
}

/// Makes the sandbox of its files, or anew. What was known of the one before is forgotten first: if
/// this is given up halfway, the next one to open finds a sandbox that runs, and no more.
async fn launch(
    purpose: Purpose,
    parts: &Parts,
    session: SessionId,
    name: &SandboxName,
    wanted: &mut Wanted,
) -> Result<Opened, SandboxError> {
    wanted.expect_nothing();
    parts.networks.forget(session);
    checkpoints::bring_back(parts, session, name).await?;
    if !parts.sandboxes.has_files(name).await {
        // The directories will be new: that they are empty doesn't mean that files were deleted.
        outputs::forget(parts, session).await?;
        repositories::forget(parts, session).await?;
    }
    let mut spec = match parts.sandboxes.made_with(name).await? {
        Some(spec) => spec,
        None => spec(parts, session).await?,
    };
    spec.network = parts.networks.access();
    spec.upload_links.clone_from(&wanted.links);
    secrets::equip(parts, session, &mut spec).await?;
    match purpose {
        Purpose::Call => parts.sandboxes.open(name, &spec).await,
        Purpose::Later => parts.sandboxes.prepare(name, &spec).await,
    }
}

fn attached(sandbox: Sandbox) -> Opened {
    Opened {
        sandbox,
        provenance: Provenance::Attached,
        news: None,
    }
}

/// What the session's environment asks for. It may have to be fetched and installed first.
async fn spec(parts: &Parts, session: SessionId) -> Result<Spec, SandboxError> {
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

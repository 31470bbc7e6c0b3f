//! The sandbox of a session: what it is made with, and what is done to it before a tool may use it.

use hostler_protocol::id::SessionId;
use hostler_sandbox::{Opened, SandboxError, SandboxName, Spec};

use crate::options::Parts;

/// Finds the session's sandbox, or makes it.
pub(crate) async fn open(parts: &Parts, session: SessionId) -> Result<Opened, SandboxError> {
    parts
        .sandboxes
        .open(&name(session)?, &Spec::default())
        .await
}

/// A session's sandbox has the session's id for a name.
pub(crate) fn name(session: SessionId) -> Result<SandboxName, SandboxError> {
    let name = session.to_string().parse();
    name.map_err(|error| SandboxError::Refused {
        reason: format!("{error}"),
    })
}

//! Making a session's sandbox while the model is being called, so that the first tool call of a
//! turn finds it ready.
//!
//! It is a bet and nothing depends on it: a tool call opens the sandbox itself, waits for one
//! that is being made, and meets and reports what fails.

use std::sync::Arc;

use hostler_domain::tools::needs_sandbox;
use hostler_protocol::agent::SessionAgent;
use hostler_protocol::id::SessionId;
use tokio::task::JoinSet;

use crate::options::Parts;
use crate::session_sandbox;

/// Of one runner, which owns what is under way: dropping it gives that up.
#[derive(Default)]
pub(crate) struct Preparation {
    /// At most one, beside the model call and not in its task: to start a process takes longer
    /// than the first word of a model may.
    under_way: JoinSet<()>,
    has_begun: bool,
}

impl Preparation {
    /// Once for each runner, and only for an agent that has tools which run there. A sandbox that
    /// is known to be alive is left alone: a turn that follows another pays nothing.
    pub(crate) fn begin(&mut self, parts: &Arc<Parts>, session: SessionId, agent: &SessionAgent) {
        if self.has_begun || !needs_sandbox(agent) {
            return;
        }
        self.has_begun = true;
        let Ok(name) = session_sandbox::name(session) else {
            return;
        };
        if parts.sandboxes.is_known_alive(&name) {
            return;
        }
        let parts = Arc::clone(parts);
        self.under_way.spawn(async move {
            if let Err(error) = session_sandbox::prepare(&parts, session).await {
                tracing::debug!(%session, %error, "a sandbox was not ready ahead of its first call");
            }
        });
    }
}

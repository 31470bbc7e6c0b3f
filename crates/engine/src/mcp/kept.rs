//! MCP servers that run in sandboxes of sessions which no runner has at the moment.
//!
//! A session at rest gives its runner back within a second, and its sandbox much later. What its servers have in their
//! memory is worth keeping as long as the sandbox is: until it is stopped, or this process ends.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hostler_protocol::id::SessionId;

use super::servers::{Server, Servers};

/// Of a session only what runs: as many as there are sandboxes, see [`KeptServers::end_others`].
#[derive(Default)]
pub(crate) struct KeptServers(Mutex<HashMap<SessionId, BTreeMap<String, Server>>>);

impl KeptServers {
    /// For the runner that has the session from now on.
    pub(crate) fn take(&self, session: SessionId) -> Servers {
        Servers::with(self.lock().remove(&session).unwrap_or_default())
    }

    /// From the runner that gives it back.
    pub(crate) async fn keep(&self, session: SessionId, servers: &Servers) {
        let started = servers.take_started().await;
        if !started.is_empty() {
            self.lock().insert(session, started);
        }
    }

    /// Ends those of a session whose sandbox is to be stopped.
    pub(crate) async fn end(&self, session: SessionId) {
        let servers = self.lock().remove(&session).unwrap_or_default();
        let ending = servers.into_values().map(Server::end);
        futures::future::join_all(ending).await;
    }

    /// Forgets those whose sandboxes have ended, and they with them.
    pub(crate) fn end_others(&self, alive: &HashSet<SessionId>) {
        self.lock().retain(|session, _| alive.contains(session));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, BTreeMap<String, Server>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

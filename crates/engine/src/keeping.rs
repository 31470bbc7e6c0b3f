//! Archives that are being written, beside the sweeps and at most a few at once: a sandbox may take
//! minutes to pack, and nothing that a sweep does waits for that.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use hostler_protocol::id::SessionId;
use tokio::task::{Id, JoinError, JoinSet};

use crate::checkpoints;
use crate::limits::ARCHIVES_AT_ONCE;
use crate::options::Parts;
use crate::session_sandbox;

/// Of one engine. What is lost with it is found again by the next sweep over all sandboxes.
#[derive(Default)]
pub(crate) struct Keeping {
    /// Each session once: there are no more than sandboxes.
    waiting: VecDeque<SessionId>,
    under_way: JoinSet<()>,
    sessions: HashMap<Id, SessionId>,
}

impl Keeping {
    /// The sessions whose sandboxes a sweep leaves alone meanwhile: to look at one that is being
    /// packed would end that, as any use of it does.
    pub(crate) fn sessions(&self) -> HashSet<SessionId> {
        let under_way = self.sessions.values();
        self.waiting.iter().chain(under_way).copied().collect()
    }

    /// Sandboxes that rest.
    pub(crate) fn add(&mut self, parts: &Arc<Parts>, rested: Vec<SessionId>) {
        let known = self.sessions();
        let new = rested
            .into_iter()
            .filter(|session| !known.contains(session));
        self.waiting.extend(new);
        self.begin(parts);
    }

    /// `None` if nothing is under way. Cancel-safe.
    pub(crate) async fn ended(&mut self) -> Option<Result<(Id, ()), JoinError>> {
        self.under_way.join_next_with_id().await
    }

    pub(crate) fn after(&mut self, parts: &Arc<Parts>, ended: Result<(Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let session = self.sessions.remove(&id);
        if let Err(error) = ended {
            tracing::error!(?session, %error, "the archive of a sandbox broke off");
        }
        self.begin(parts);
    }

    fn begin(&mut self, parts: &Arc<Parts>) {
        while self.under_way.len() < ARCHIVES_AT_ONCE
            && let Some(session) = self.waiting.pop_front()
        {
            let parts = Arc::clone(parts);
            let task = self
                .under_way
                .spawn(async move { keep(&parts, session).await });
            self.sessions.insert(task.id(), session);
        }
    }
}

async fn keep(parts: &Parts, session: SessionId) {
    let kept = match session_sandbox::name(session) {
        Ok(name) => checkpoints::keep(parts, session, &name).await,
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        tracing::error!(%session, %error, "a sandbox can't be kept as an archive");
    }
}

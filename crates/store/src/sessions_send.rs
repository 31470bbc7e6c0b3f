//! What clients send to a session. It is by far the most frequent change, so that it reads what the
//! decision needs and nothing else: not the agent, nor what is mounted.

use std::sync::Arc;

use hostler_domain::session::Summary;
use hostler_protocol::event::Draft;
use hostler_protocol::id::{SessionId, WorkspaceId};
use tokio::time::Instant;

use crate::db::{Scope, Tx};
use crate::log::{Appended, Writer, insert_events};
use crate::parameter::Parameter;
use crate::{ChangeError, Store, StoreError};

const SUMMARY: &str = "select summary from sessions where workspace_id = $1 and id = $2";

impl Store {
    /// Appends what `decide`, which must say something, says on seeing the summary of the session,
    /// in one transaction.
    ///
    /// # Errors
    /// See [`ChangeError`]. [`StoreError::Busy`] where it would wait for too long, at once.
    pub async fn send_to_session<R: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        id: SessionId,
        decide: impl FnOnce(&Summary) -> Result<Vec<Draft>, R> + Send + 'static,
    ) -> Result<(), ChangeError<R>> {
        let place = self.load.enter(workspace, Instant::now());
        let place = place.ok_or(ChangeError::Store(StoreError::Busy))?;
        let send = move |tx: &Tx<'_>| {
            let parameters: [&dyn Parameter; 2] = [&workspace.to_string(), &id.to_string()];
            let summary: Option<Summary> = tx.one(SUMMARY, &parameters, |row| row.json(0))?;
            let summary = summary.ok_or(ChangeError::NoSuchSession)?;
            let drafts = decide(&summary).map_err(ChangeError::Refused)?;
            Ok(insert_events(tx, id, &Writer::Client(&summary), drafts)?)
        };
        let hub = Arc::clone(&self.hub);
        // It keeps its place until it is done, even if nobody waits for that any more.
        let tell = move |appended: &Appended| {
            place.done(Instant::now());
            hub.wake(id, Some(appended.last));
            hub.wake_supervisor_for(id, &appended.summary);
        };
        let scope = Scope::Session(id);
        self.db.write_in(scope, send, tell).await.map(|_| ())
    }
}

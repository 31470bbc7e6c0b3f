//! What clients send to a session. It is by far the most frequent change, so that it reads what the
//! decision needs and nothing else: not the agent, nor what is mounted.

use std::sync::Arc;

use hostler_domain::session::Summary;
use hostler_protocol::event::{Draft, Event, Seq};
use hostler_protocol::id::{SessionId, WorkspaceId};
use tokio::time::Instant;

use crate::db::{Scope, Tx};
use crate::hub::{Growth, Urgency};
use crate::log::{Appended, LogEnd, Writer, insert_events};
use crate::parameter::Parameter;
use crate::{ChangeError, Place, Store};

const LOG_END: &str = "\
    select key, last_seq, summary from sessions where workspace_id = $1 and id = $2";

impl Store {
    /// Appends what `decide`, which must say something, says on seeing the summary of the session,
    /// in one transaction. `place` is of [`crate::Wanted::Changes`].
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn send_to_session<R: Send + 'static>(
        &self,
        place: Place,
        workspace: WorkspaceId,
        id: SessionId,
        decide: impl FnOnce(&Summary) -> Result<Vec<Draft>, R> + Send + 'static,
    ) -> Result<(), ChangeError<R>> {
        let send = move |tx: &Tx<'_>| {
            let parameters: [&dyn Parameter; 2] = [&workspace.to_string(), &id.to_string()];
            let end = tx.one(LOG_END, &parameters, |row| {
                Ok(LogEnd {
                    key: row.integer(0)?,
                    last: Seq(row.integer(1)?),
                    summary: row.json(2)?,
                })
            })?;
            let end = end.ok_or(ChangeError::NoSuchSession)?;
            let drafts = decide(&end.summary).map_err(ChangeError::Refused)?;
            let urgency = urgency(&drafts);
            let appended = insert_events(tx, id, &Writer::Client(&end), drafts)?;
            Ok((appended, urgency))
        };
        let hub = Arc::clone(&self.hub);
        // It keeps its place until it is done, even if nobody waits for that any more.
        let tell = move |(appended, urgency): &(Appended, Urgency)| {
            place.done(Instant::now());
            hub.wake(id, Growth::To(appended.last, *urgency));
            hub.wake_supervisor_for(id, &appended.summary);
        };
        let scope = Scope::Session(id);
        self.db.write_in(scope, send, tell).await.map(|_| ())
    }
}

/// A message waits for the end of a step; an interrupt ends it, and a call that is allowed joins it.
fn urgency(drafts: &[Draft]) -> Urgency {
    let breaks_in = |draft: &Draft| {
        matches!(
            draft.event,
            Event::UserInterrupt(_) | Event::UserToolConfirmation(_)
        )
    };
    match drafts.iter().any(breaks_in) {
        true => Urgency::BreaksIn,
        false => Urgency::Waits,
    }
}

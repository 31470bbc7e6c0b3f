//! Calls that a runner which is gone began: their results are fetched, and none is run again.
//!
//! A command goes on in its sandbox when the server dies, and the sandbox keeps its answer. What
//! can't be had any more is told as unknown, which is what the log knew before.

use hostler_domain::session::State;
use hostler_protocol::id::{EventId, SessionId};
use hostler_sandbox::{Call, Output, Parting, SandboxError};

use crate::limits::CANCEL_TIME_MAX;
use crate::options::Parts;
use crate::session_sandbox;

/// What the call answered, or answers in the end, if its sandbox still lives and knows of it.
pub(crate) async fn resume(
    parts: &Parts,
    session: SessionId,
    call: Call,
    parting: &Parting,
) -> Option<Output> {
    let id = call.id.clone();
    let resumed = async {
        match session_sandbox::find(parts, session).await? {
            Some(found) => {
                // Opened like for any call: what runs there has a gateway again.
                let opened = session_sandbox::open(parts, session).await;
                if let Err(error) = &opened {
                    tracing::warn!(%session, %error, "a call is resumed in a bare sandbox");
                }
                let sandbox = opened.map_or(found, |opened| opened.sandbox);
                sandbox.resume(call, parting).await
            }
            None => Ok(None),
        }
    };
    match resumed.await {
        Ok(Some(output)) => {
            tracing::info!(%session, call = id, "the result of a call was fetched after a restart");
            Some(output)
        }
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(%session, call = id, %error, "a call can't be resumed");
            None
        }
    }
}

/// Ends in the sandbox those of `calls` that the log has closed, by an interrupt: an earlier
/// server began them, so there is no activity whose end would end them.
pub(crate) async fn cancel_closed(
    parts: &Parts,
    session: SessionId,
    calls: &[EventId],
    state: &State,
) {
    let closed = |id: &&EventId| state.unanswered_call(**id).is_none();
    let closed: Vec<String> = calls
        .iter()
        .filter(closed)
        .map(EventId::to_string)
        .collect();
    if closed.is_empty() {
        return;
    }
    let cancel = async {
        if let Some(sandbox) = session_sandbox::find(parts, session).await? {
            for id in &closed {
                sandbox.cancel(id).await;
            }
        }
        Ok::<_, SandboxError>(())
    };
    match tokio::time::timeout(CANCEL_TIME_MAX, cancel).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%session, %error, "calls can't be cancelled"),
        Err(_) => tracing::warn!(%session, "calls can't be cancelled in time"),
    }
}

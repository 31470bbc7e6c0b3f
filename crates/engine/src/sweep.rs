//! What nobody is waiting for: sandboxes of sessions that are gone, and sessions whose runner
//! keeps failing.

use hostler_domain::session::SessionStatus;
use hostler_protocol::event::{
    Empty, Event, RetryStatus, SessionError, SessionErrorEvent, SessionErrorKind, ThreadStatus,
};
use hostler_protocol::id::SessionId;
use hostler_store::AppendError;

use crate::limits::LEASE;
use crate::options::Parts;

/// Ends the sandboxes of deleted and archived sessions.
pub(crate) async fn leftover_sandboxes(parts: &Parts) {
    let listed = match parts.sandboxes.list().await {
        Ok(listed) => listed,
        Err(error) => {
            tracing::error!(%error, "sandboxes can't be listed");
            return;
        }
    };
    for sandbox in listed {
        let name = sandbox.name;
        let Ok(session) = name.as_str().parse::<SessionId>() else {
            continue;
        };
        match parts.store.session_brief(session).await {
            Ok(Some(brief)) if brief.summary.status != SessionStatus::Terminated => {}
            Ok(_) => {
                if let Err(error) = parts.sandboxes.destroy(&name).await {
                    tracing::error!(%session, %error, "a sandbox can't be removed");
                }
            }
            Err(error) => tracing::error!(%session, %error, "a session can't be looked up"),
        }
    }
}

/// A session whose runner panics again and again is terminated, and says so. The log is not
/// folded for it: that may be just what fails.
pub(crate) async fn give_up(parts: &Parts, session: SessionId) {
    if let Err(error) = terminate(parts, session).await {
        tracing::error!(%session, %error, "a failing session can't be terminated");
    }
}

async fn terminate(parts: &Parts, session: SessionId) -> Result<(), AppendError> {
    let owner = &parts.options.owner;
    let claimed = parts
        .store
        .claim(session, owner, parts.env.now(), LEASE)
        .await;
    let Some(lease) = claimed.map_err(AppendError::Store)? else {
        return Ok(());
    };
    let brief = parts
        .store
        .session_brief(session)
        .await
        .map_err(AppendError::Store)?;
    let Some(brief) = brief else { return Ok(()) };
    let error = SessionError {
        kind: SessionErrorKind::UnknownError,
        message: "the server failed on this session again and again; the service log says how"
            .to_owned(),
        retry_status: RetryStatus::Terminal,
    };
    let thread = ThreadStatus {
        session_thread_id: brief.summary.thread,
        agent_name: brief.summary.agent_name.clone(),
    };
    let events = [
        Event::SessionError(SessionErrorEvent { error }),
        Event::SessionThreadStatusTerminated(thread),
        Event::SessionStatusTerminated(Empty {}),
    ];
    let drafts = events.map(|event| parts.draft(event)).into();
    parts.store.append(&lease, brief.last_seq, drafts).await?;
    parts
        .store
        .release(&lease)
        .await
        .map_err(AppendError::Store)
}

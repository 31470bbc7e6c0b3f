//! Sessions that no runner can bring to their end: they are terminated, and say why. Their logs are not
//! folded for it, since that may be just what fails.

use hostler_protocol::event::{
    Empty, Event, RetryStatus, SessionError, SessionErrorEvent, SessionErrorKind, ThreadStatus,
};
use hostler_protocol::id::SessionId;
use hostler_store::{AppendError, Claim, Lease};

use crate::limits::GIVE_UP_TRIES;
use crate::options::Parts;

/// What fails again and again under a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its runner panics.
    Runner,
    /// The whole process ends.
    Process,
    /// Its log is not what was written.
    Log,
}

impl Fault {
    /// For the client. How it failed is the operator's business.
    fn message(self) -> &'static str {
        match self {
            Self::Runner => {
                "the server failed on this session again and again; the service log says how"
            }
            Self::Log => {
                "the log of this session is damaged on the server's disk, so nothing can go on from it; the \
                 service log says where"
            }
            Self::Process => {
                "the server ended again and again while it worked on this session, which got no \
                 further; it was given up so that other sessions can go on"
            }
        }
    }
}

/// Whoever has the session now, or will have it, keeps it.
pub(crate) async fn give_up(parts: &Parts, session: SessionId, fault: Fault) {
    let (owner, ttl) = (&parts.options.owner, parts.options.lease);
    let claim = parts
        .store
        .claim(session, owner, parts.env.now(), ttl, u32::MAX)
        .await;
    let given_up = match claim {
        Ok(Claim::Taken(lease)) => terminate(parts, &lease, fault).await,
        Ok(Claim::NotFree | Claim::Suspect { .. }) => return,
        Err(error) => Err(AppendError::Store(error)),
    };
    if let Err(error) = given_up {
        tracing::error!(%session, %error, "a failing session can't be terminated");
    }
}

pub(crate) async fn terminate(
    parts: &Parts,
    lease: &Lease,
    fault: Fault,
) -> Result<(), AppendError> {
    let mut tries = 1;
    loop {
        match append_end(parts, lease, fault).await {
            // A client has sent something in the meantime.
            Err(AppendError::Moved) if tries < GIVE_UP_TRIES => tries += 1,
            Ok(()) => break,
            Err(error) => return Err(error),
        }
    }
    let released = parts.store.release(lease).await;
    released.map_err(AppendError::Store)
}

async fn append_end(parts: &Parts, lease: &Lease, fault: Fault) -> Result<(), AppendError> {
    let brief = parts.store.session_brief(lease.session).await;
    let Some(brief) = brief.map_err(AppendError::Store)? else {
        return Ok(());
    };
    let kind = SessionErrorKind::UnknownError;
    let error = SessionError::new(kind, fault.message(), RetryStatus::Terminal);
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
    parts.store.append(lease, brief.last_seq, drafts).await
}

//! Changes to a session that are not input: update and archive. Each answers the events that
//! record it.

use std::collections::BTreeMap;

use hostler_protocol::agent::SessionAgent;
use hostler_protocol::event::{Empty, Event, SessionUpdated, ThreadStatus};

use super::accept::Refusal;
use super::summary::{SessionStatus, Summary};

/// New values; `None` where nothing changes.
#[derive(Debug, Clone, Default)]
pub struct SessionChange {
    /// `Some(None)` clears.
    pub title: Option<Option<String>>,
    /// The whole bag after the change.
    pub metadata: Option<BTreeMap<String, String>>,
    pub agent: Option<Box<SessionAgent>>,
}

/// An update of title, metadata or the agent's tools. No event if nothing changed.
pub fn update(summary: &Summary, change: &SessionChange) -> Result<Vec<Event>, Refusal> {
    if summary.status == SessionStatus::Terminated {
        return Err(Refusal::Terminated);
    }
    if change.agent.is_some() && summary.status != SessionStatus::Idle {
        let status = summary.status.as_str();
        return Err(Refusal::Busy {
            operation: "update the agent of this",
            status,
        });
    }
    if change.title.is_none() && change.metadata.is_none() && change.agent.is_none() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::SessionUpdated(SessionUpdated {
        title: change.title.clone(),
        metadata: change
            .metadata
            .clone()
            .filter(|metadata| !metadata.is_empty()),
        agent: change.agent.clone(),
    })])
}

/// An archived session is read-only for ever. Archiving twice changes nothing.
pub fn archive(summary: &Summary) -> Result<Vec<Event>, Refusal> {
    match summary.status {
        SessionStatus::Terminated => Ok(Vec::new()),
        SessionStatus::Idle => Ok(vec![
            Event::SessionThreadStatusTerminated(ThreadStatus {
                session_thread_id: summary.thread,
                agent_name: summary.agent_name.clone(),
            }),
            Event::SessionStatusTerminated(Empty {}),
        ]),
        SessionStatus::Running | SessionStatus::Rescheduling => Err(Refusal::Busy {
            operation: "archive",
            status: summary.status.as_str(),
        }),
    }
}

//! What an id that a client answers stands for. A call that waits is in the session's summary; any
//! other is looked for in the log, which is not done for more than a few in one request: the log
//! has no index of its events' ids.

use std::collections::HashMap;

use hostler_domain::session::{CallSeen, Summary};
use hostler_protocol::event::{AgentMcpToolUse, AgentToolUse, EvaluatedPermission, Event};
use hostler_protocol::id::{EventId, SessionId, WorkspaceId};

use crate::checksum::EventRow;
use crate::db::Tx;
use crate::parameter::Parameter;
use crate::{Store, StoreError};

const SESSION: &str = "\
    select key, summary from sessions where workspace_id = $1 and id = $2";

pub(crate) const CALL: &str = "\
    select session_key, seq, id, type, visibility, source_seq, thread_id, epoch, at, body, checksum \
    from events where session_key = $1 and id = $2 \
    and (type = 'agent.tool_use' or type = 'agent.mcp_tool_use' or type = 'agent.custom_tool_use') order by seq desc limit 1";

/// What is known of the calls that a request answers.
#[derive(Debug, Clone, Default)]
pub struct CallsSeen {
    pub seen: HashMap<EventId, CallSeen>,
    /// More of them than are looked for don't wait.
    pub too_many: bool,
}

impl Store {
    /// What `ids` stand for in a session. At most `late_max` that don't wait are looked for. Without
    /// such a session nothing is known.
    pub async fn calls_seen(
        &self,
        workspace: WorkspaceId,
        session: SessionId,
        ids: Vec<EventId>,
        late_max: usize,
    ) -> Result<CallsSeen, StoreError> {
        self.db
            .read(move |tx| {
                let parameters: [&dyn Parameter; 2] =
                    [&workspace.to_string(), &session.to_string()];
                let found_session = tx.one(SESSION, &parameters, |row| {
                    Ok((row.integer(0)?, row.json::<Summary>(1)?))
                })?;
                let mut found = CallsSeen::default();
                let Some((key, summary)) = found_session else {
                    return Ok(found);
                };
                let mut late = 0;
                for id in ids {
                    if found.seen.contains_key(&id) {
                        continue;
                    }
                    let awaited = summary.awaited.iter().find(|awaited| awaited.id == id);
                    let seen = match awaited {
                        Some(awaited) => Some(awaited.awaits.into()),
                        None if late >= late_max => {
                            found.too_many = true;
                            return Ok(found);
                        }
                        None => {
                            late += 1;
                            call_seen(tx, (key, session), id)?
                        }
                    };
                    found.seen.extend(seen.map(|seen| (id, seen)));
                }
                Ok(found)
            })
            .await
    }
}

fn call_seen(
    tx: &Tx<'_>,
    (key, session): (i64, SessionId),
    id: EventId,
) -> Result<Option<CallSeen>, StoreError> {
    let call = tx.one(CALL, &[&key, &id.to_string()], |row| {
        EventRow::read(row, 0, &session.to_string())
    })?;
    let Some(call) = call else {
        return Ok(None);
    };
    if call.name == "agent.custom_tool_use" {
        return Ok(Some(CallSeen::Custom));
    }
    let event = Event::from_json(&call.name, &call.body).map_err(|error| StoreError::Corrupt {
        what: error.to_string(),
    })?;
    let is_asked = matches!(
        &event,
        Event::AgentToolUse(AgentToolUse { evaluated_permission, .. })
            | Event::AgentMcpToolUse(AgentMcpToolUse { evaluated_permission, .. })
            if *evaluated_permission == EvaluatedPermission::Ask
    );
    Ok(Some(match is_asked {
        true => CallSeen::Asked,
        false => CallSeen::Other,
    }))
}

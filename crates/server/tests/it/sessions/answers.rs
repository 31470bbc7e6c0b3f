//! What a client says to calls that wait for it.

use hostler_domain::session::{CallSeen, Input};
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{
    Confirmed, CustomToolResult, Event, Recorded, StopReason, ToolConfirmation,
};
use hostler_protocol::id::{EventId, SessionId};
use serde_json::{Value, json};

use super::world::World;

/// The built-in tools, with a policy for each of them.
pub(super) fn toolset(policy: &str) -> Value {
    json!({
        "type": "agent_toolset_20260401",
        "default_config": {"enabled": true, "permission_policy": {"type": policy}},
        "configs": [],
    })
}

/// The built-in tools, with another policy for one of them.
pub(super) fn toolset_but(policy: &str, tool: &str, other: &str) -> Value {
    let mut toolset = toolset(policy);
    toolset["configs"] = json!([{
        "type": tool, "name": tool, "enabled": true, "permission_policy": {"type": other},
    }]);
    toolset
}

pub(super) fn custom_tool(name: &str) -> Value {
    json!({
        "type": "custom", "name": name, "description": "Looks things up.",
        "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}},
    })
}

pub(super) fn allow(call: EventId) -> Input {
    confirmation(call, Confirmed::Allow, None)
}

pub(super) fn deny(call: EventId, message: &str) -> Input {
    confirmation(call, Confirmed::Deny, Some(message.to_owned()))
}

fn confirmation(call: EventId, result: Confirmed, deny_message: Option<String>) -> Input {
    let confirmation = ToolConfirmation {
        tool_use_id: call,
        result,
        deny_message,
    };
    Input::Confirmation(confirmation, Some(CallSeen::Asked))
}

pub(super) fn give(call: EventId, text: &str) -> Input {
    give_all(call, vec![ContentBlock::text(text)])
}

pub(super) fn give_all(call: EventId, content: Vec<ContentBlock>) -> Input {
    let result = CustomToolResult {
        custom_tool_use_id: call,
        content,
        is_error: false,
    };
    Input::CustomToolResult(result, Some(CallSeen::Custom))
}

/// The calls that the session waits for, if it does.
pub(super) fn waits_for(log: &[Recorded]) -> Vec<EventId> {
    match log.last().map(|row| &row.event) {
        Some(Event::SessionStatusIdle(idle)) => match &idle.stop_reason {
            StopReason::RequiresAction { event_ids } => event_ids.clone(),
            StopReason::EndTurn | StopReason::RetriesExhausted | StopReason::Refusal => Vec::new(),
        },
        _ => Vec::new(),
    }
}

impl World {
    /// The calls that the session waits for, once it waits for this many.
    pub(super) async fn waiting(&self, session: SessionId, count: usize) -> Vec<EventId> {
        let log = self.log_when(session, |log| waits_for(log).len() == count);
        waits_for(&log.await)
    }

    /// The log once a turn has ended this often.
    pub(super) async fn log_after_ends(&self, session: SessionId, ends: usize) -> Vec<Recorded> {
        let ended = |row: &&Recorded| {
            matches!(&row.event, Event::SessionStatusIdle(idle)
                if !matches!(idle.stop_reason, StopReason::RequiresAction { .. }))
        };
        let enough = |log: &[Recorded]| log.iter().filter(ended).count() >= ends;
        self.log_when(session, enough).await
    }
}

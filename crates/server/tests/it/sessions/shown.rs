//! A log as clients see it, in few words.

use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{EvaluatedPermission, Event, Recorded, StopReason};

/// What clients see, one word or two for each event.
pub(super) fn public(log: &[Recorded]) -> Vec<String> {
    log.iter().filter_map(|row| words(&row.event)).collect()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever has no words of its own is shown by its name"
)]
fn words(event: &Event) -> Option<String> {
    let name = event.name();
    Some(match event {
        Event::UserMessage(_) | Event::UserInterrupt(_) | Event::SystemMessage(_) => return None,
        Event::InputProcessed(processed) => processed.event_type.clone(),
        Event::AgentMessage(message) => format!("says {}", text(&message.content)),
        Event::AgentToolUse(call) if call.evaluated_permission == EvaluatedPermission::Ask => {
            format!("would use {}", call.name)
        }
        Event::AgentToolUse(call) => format!("uses {}", call.name),
        Event::AgentMcpToolUse(call) if call.evaluated_permission == EvaluatedPermission::Ask => {
            format!("would use {} of {}", call.name, call.mcp_server_name)
        }
        Event::AgentMcpToolUse(call) => format!("uses {} of {}", call.name, call.mcp_server_name),
        Event::AgentCustomToolUse(call) => format!("asks for {}", call.name),
        Event::UserCustomToolResult(result) => format!("is given {}", text(&result.content)),
        Event::UserToolConfirmation(confirmation) => format!("{:?}s", confirmation.result),
        Event::AgentToolResult(result) if result.is_error => {
            format!("fails {}", text(&result.content))
        }
        Event::AgentToolResult(result) => format!("gives {}", text(&result.content)),
        Event::AgentMcpToolResult(result) if result.is_error => {
            format!("fails {}", text(&result.content))
        }
        Event::AgentMcpToolResult(result) => format!("gives {}", text(&result.content)),
        Event::SessionStatusIdle(idle) => match &idle.stop_reason {
            StopReason::RequiresAction { event_ids } => format!("waits for {}", event_ids.len()),
            reason @ (StopReason::EndTurn | StopReason::RetriesExhausted | StopReason::Refusal) => {
                format!("idle {reason:?}")
            }
        },
        Event::SessionError(error) => {
            format!(
                "error {:?} {:?}",
                error.error.kind, error.error.retry_status
            )
        }
        _ if name.starts_with("hostler.") => return None,
        _ => name.to_owned(),
    })
}

pub(super) fn text(content: &[ContentBlock]) -> String {
    content
        .iter()
        .map(|block| match block {
            ContentBlock::Text { text } => text.as_str(),
            ContentBlock::Image { .. } => "[image]",
            ContentBlock::Document { .. } => "[document]",
            ContentBlock::SearchResult { .. } => "[search result]",
        })
        .collect::<Vec<_>>()
        .join(" ")
}

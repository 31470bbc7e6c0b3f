//! `POST /v1/sessions/{id}/events`: what clients send to a session that is there.

use serde_json::Value;

use crate::content::ContentBlock;
use crate::decode::{At, Fields, Invalid};
use crate::event::{
    Confirmed, CustomToolResult, SystemMessage, ToolConfirmation, UserInterrupt, UserMessage,
};
use crate::id::EventId;
use crate::limits::{
    DENY_MESSAGE_CHARS_MAX, EVENT_CONTENT_BLOCKS_MAX, SENT_EVENTS_MAX, SYSTEM_CONTENT_BLOCKS,
};
use crate::session::user_message;

/// An event that a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentEvent {
    Message(UserMessage),
    Interrupt(UserInterrupt),
    Confirmation(ToolConfirmation),
    CustomToolResult(CustomToolResult),
    System(SystemMessage),
}

impl SentEvent {
    /// The call that it answers, and the key that names it.
    pub fn answers(&self) -> Option<EventId> {
        match self {
            Self::Confirmation(confirmation) => Some(confirmation.tool_use_id),
            Self::CustomToolResult(result) => Some(result.custom_tool_use_id),
            Self::Message(_) | Self::Interrupt(_) | Self::System(_) => None,
        }
    }

    /// What may name files.
    pub fn content(&self) -> &[ContentBlock] {
        match self {
            Self::Message(message) => &message.content,
            Self::CustomToolResult(result) => &result.content,
            Self::System(_) | Self::Interrupt(_) | Self::Confirmation(_) => &[],
        }
    }
}

/// One to [`SENT_EVENTS_MAX`] events, all or none.
pub fn decode_sent_events(body: &Value) -> Result<Vec<SentEvent>, Invalid> {
    let mut fields = At::root(body).fields()?;
    let read = |at: At<'_>| at.list(1..=SENT_EVENTS_MAX, sent_event);
    let events = fields.required("events", read)?;
    fields.finish()?;
    check_system_messages(&events)?;
    Ok(events)
}

fn sent_event(at: At<'_>) -> Result<SentEvent, Invalid> {
    const TYPES: &[&str] = &[
        "user.message",
        "user.interrupt",
        "user.tool_confirmation",
        "user.custom_tool_result",
        "system.message",
    ];
    let path = at.path.clone();
    let mut fields = at.fields()?;
    let event = match fields.tag()? {
        "user.message" => SentEvent::Message(user_message(&mut fields)?),
        "user.interrupt" => SentEvent::Interrupt(UserInterrupt {
            session_thread_id: fields.nullable("session_thread_id", |at| at.id())?,
        }),
        "user.tool_confirmation" => SentEvent::Confirmation(confirmation(&mut fields)?),
        "user.custom_tool_result" => SentEvent::CustomToolResult(custom_result(&mut fields)?),
        "system.message" => SentEvent::System(SystemMessage {
            content: fields.required("content", |at| {
                at.list(SYSTEM_CONTENT_BLOCKS, ContentBlock::decode_system)
            })?,
        }),
        "user.tool_result" => {
            let message = "user.tool_result is taken by sessions of self_hosted environments only";
            return Err(Invalid::new(format!("{path}.type"), message));
        }
        "user.define_outcome" => {
            let path = format!("{path}.type");
            return Err(Invalid::unsupported(path, "user.define_outcome"));
        }
        other => return Err(fields.unknown_tag(other, TYPES)),
    };
    fields.finish()?;
    Ok(event)
}

fn confirmation(fields: &mut Fields<'_>) -> Result<ToolConfirmation, Invalid> {
    const RESULTS: &[(&str, Confirmed)] = &[("allow", Confirmed::Allow), ("deny", Confirmed::Deny)];
    let tool_use_id = fields.required("tool_use_id", |at| at.id())?;
    let result = fields.required("result", |at| at.word(RESULTS))?;
    let deny_message = fields.nullable("deny_message", |at| {
        if result == Confirmed::Allow {
            return Err(at.invalid("only a 'deny' can have a message"));
        }
        at.text(0..=DENY_MESSAGE_CHARS_MAX)
    })?;
    Ok(ToolConfirmation {
        tool_use_id,
        result,
        deny_message,
    })
}

fn custom_result(fields: &mut Fields<'_>) -> Result<CustomToolResult, Invalid> {
    let blocks = 0..=EVENT_CONTENT_BLOCKS_MAX;
    let read = |at: At<'_>| at.list(blocks.clone(), ContentBlock::decode_result);
    Ok(CustomToolResult {
        custom_tool_use_id: fields.required("custom_tool_use_id", |at| at.id())?,
        content: fields.nullable("content", read)?.unwrap_or_default(),
        is_error: fields
            .nullable("is_error", |at| at.boolean())?
            .unwrap_or(false),
    })
}

/// One at most, as the last event, right behind what it accompanies, or alone.
fn check_system_messages(events: &[SentEvent]) -> Result<(), Invalid> {
    let is_system = |event: &SentEvent| matches!(event, SentEvent::System(_));
    let Some(position) = events.iter().position(is_system) else {
        return Ok(());
    };
    let refused = |message: &str| Err(Invalid::new(format!("events.{position}"), message));
    if position + 1 < events.len() {
        return refused("a system.message should be the last event of its request");
    }
    match position.checked_sub(1).map(|before| &events[before]) {
        None | Some(SentEvent::Message(_) | SentEvent::CustomToolResult(_)) => Ok(()),
        Some(SentEvent::Interrupt(_) | SentEvent::Confirmation(_) | SentEvent::System(_)) => {
            refused(
                "a system.message should stand directly behind a user.message or a \
                 user.custom_tool_result, or alone",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CALL: &str = "sevt_011111111111111111111114";

    fn refusal(events: Value) -> String {
        decode_sent_events(&json!({"events": events}))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn sent_events_are_all_or_none() {
        let text = json!({"type": "text", "text": "hi"});
        let good = json!({"events": [{"type": "user.message", "content": [text]}, {"type": "user.interrupt"}]});
        assert_eq!(decode_sent_events(&good).unwrap().len(), 2);
        for (events, message) in [
            (json!([]), "events: List should have at least 1 item(s)"),
            (
                json!([{"type": "user.message", "content": []}]),
                "events.0.content: List should have at least 1 item(s)",
            ),
            (
                json!([{"type": "user.message"}]),
                "events.0.content: Field required",
            ),
            (
                json!([{"type": "agent.message"}]),
                "events.0.type: 'agent.message' is not one of 'user.message', 'user.interrupt', \
                 'user.tool_confirmation', 'user.custom_tool_result', 'system.message'",
            ),
            (
                json!([{"type": "user.tool_result"}]),
                "events.0.type: user.tool_result is taken by sessions of self_hosted environments only",
            ),
        ] {
            assert_eq!(refusal(events), message);
        }
        let later = json!({"events": [{"type": "user.define_outcome"}]});
        let later = decode_sent_events(&later).unwrap_err();
        assert_eq!(later.code, Some("feature_not_supported"));
    }

    #[test]
    fn answers_are_read_strictly() {
        let confirm = |more: Value| {
            let mut event = json!({"type": "user.tool_confirmation", "tool_use_id": CALL});
            event
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            json!([event])
        };
        let deny = confirm(json!({"result": "deny", "deny_message": "no"}));
        assert!(decode_sent_events(&json!({"events": deny})).is_ok());
        assert_eq!(
            refusal(confirm(json!({"result": "allow", "deny_message": "no"}))),
            "events.0.deny_message: only a 'deny' can have a message"
        );
        assert_eq!(
            refusal(confirm(json!({"result": "maybe"}))),
            "events.0.result: Input should be 'allow', 'deny'"
        );
        assert_eq!(
            refusal(confirm(
                json!({"result": "allow", "session_thread_id": null})
            )),
            "events.0.session_thread_id: Extra inputs are not permitted"
        );
        let result = json!({"type": "user.custom_tool_result", "custom_tool_use_id": CALL, "content": [
            {"type": "search_result", "source": "https://example.com", "title": "t",
             "content": [{"type": "text", "text": "x"}], "citations": {"enabled": false}}]});
        assert!(decode_sent_events(&json!({"events": [result]})).is_ok());
        let bare = json!({"type": "user.custom_tool_result", "custom_tool_use_id": CALL});
        let events = decode_sent_events(&json!({"events": [bare]})).unwrap();
        assert!(events[0].content().is_empty());
    }

    #[test]
    fn a_system_message_stands_last_behind_what_it_accompanies() {
        let text = json!([{"type": "text", "text": "x"}]);
        let system = json!({"type": "system.message", "content": text});
        let user = json!({"type": "user.message", "content": text});
        let result = json!({"type": "user.custom_tool_result", "custom_tool_use_id": CALL});
        for good in [
            json!([system]),
            json!([user, system]),
            json!([result, system]),
        ] {
            assert!(decode_sent_events(&json!({"events": good})).is_ok());
        }
        assert_eq!(
            refusal(json!([system, user])),
            "events.0: a system.message should be the last event of its request"
        );
        assert!(refusal(json!([system, system])).starts_with("events.0: "));
        assert!(
            refusal(json!([{"type": "user.interrupt"}, system]))
                .starts_with("events.1: a system.message should stand directly behind")
        );
        let image = json!({"type": "image", "source": {"type": "url", "url": "https://x"}});
        assert_eq!(
            refusal(json!([{"type": "system.message", "content": [image]}])),
            "events.0.content.0.type: 'image' is not one of 'text'"
        );
    }
}

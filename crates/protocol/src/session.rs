//! Sessions on the wire: the object, and the requests that make, change and feed one.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::Timestamp;
use crate::agent::{SessionAgent, SessionAgentParams, SessionAgentUpdate};
use crate::content::{ContentBlock, Source};
use crate::decode::{At, Fields, Invalid, Metadata, Patch, metadata, metadata_patch};
use crate::event::{SessionUsage, UserMessage};
use crate::id::{EnvironmentId, SessionId, VaultId};
use crate::limits::{
    EVENT_CONTENT_BLOCKS_MAX, FILE_DOCUMENTS_MAX, INITIAL_EVENTS_MAX, SESSION_TITLE_CHARS_MAX,
    SESSION_VAULTS_MAX,
};
use crate::session_resource::{MountResource, SessionResource, decode_resources};

/// A session, as every operation on one answers it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Session {
    pub id: SessionId,
    /// Always `session`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What holds in this session, overrides and updates included.
    pub agent: SessionAgent,
    pub environment_id: EnvironmentId,
    /// `idle`, `running`, `rescheduling` or `terminated`.
    pub status: &'static str,
    pub title: Option<String>,
    pub metadata: Metadata,
    /// What is mounted, oldest first.
    pub resources: Vec<SessionResource>,
    /// Where its credentials are looked for, in this order. One that was deleted stays in the list.
    pub vault_ids: Vec<VaultId>,
    /// Null: this version has no budgets.
    pub budget: (),
    pub stats: SessionStats,
    pub usage: SessionUsage,
    /// Empty: this version has no outcomes.
    #[schema(value_type = Vec<Object>)]
    pub outcome_evaluations: Vec<()>,
    /// Null: this version has no deployments.
    pub deployment_id: (),
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub archived_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct SessionStats {
    /// Seconds of work.
    pub active_seconds: f64,
    /// Age in seconds; stands still once the session is terminated.
    pub duration_seconds: f64,
}

/// The answer to a delete.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeletedSession {
    pub id: SessionId,
    /// Always `session_deleted`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// `POST /v1/sessions`.
#[derive(Debug, Clone)]
pub struct CreateSession {
    pub agent: SessionAgentParams,
    pub environment_id: EnvironmentId,
    pub title: Option<String>,
    pub metadata: Metadata,
    pub resources: Vec<MountResource>,
    pub initial_events: Vec<UserMessage>,
    pub vault_ids: Vec<VaultId>,
}

impl CreateSession {
    pub fn decode(body: &Value) -> Result<Self, Invalid> {
        let mut fields = At::root(body).fields()?;
        if body.get("agent").is_none() && body.get("agent_id").is_some() {
            let message = "Extra inputs are not permitted (did you mean 'agent'?)";
            return Err(Invalid::new("agent_id", message));
        }
        let agent = fields.required("agent", SessionAgentParams::decode)?;
        let environment_id = fields.required("environment_id", environment)?;
        let title = fields.nullable("title", title)?;
        let metadata = fields
            .optional("metadata", |at| metadata(&at))?
            .unwrap_or_default();
        let resources = fields.optional("resources", |at| decode_resources(&at))?;
        let vault_ids = fields
            .optional("vault_ids", |at| {
                at.list(0..=SESSION_VAULTS_MAX, |at| at.id())
            })?
            .unwrap_or_default();
        refuse(&mut fields, "budget", "a budget")?;
        let initial_events = fields
            .optional("initial_events", |at| {
                at.list(0..=INITIAL_EVENTS_MAX, initial_event)
            })?
            .unwrap_or_default();
        check_documents(&initial_events)?;
        fields.finish()?;
        Ok(Self {
            agent,
            environment_id,
            title,
            metadata,
            resources: resources.unwrap_or_default(),
            initial_events,
            vault_ids,
        })
    }
}

/// `POST /v1/sessions/{id}`.
#[derive(Debug, Clone)]
pub struct UpdateSession {
    pub title: Patch<String>,
    pub metadata: Vec<(String, Option<String>)>,
    pub agent: Option<SessionAgentUpdate>,
}

impl UpdateSession {
    pub fn decode(body: &Value) -> Result<Self, Invalid> {
        let mut fields = At::root(body).fields()?;
        let title = fields.patch("title", title)?;
        let metadata = fields
            .nullable("metadata", |at| metadata_patch(&at))?
            .unwrap_or_default();
        let agent = fields.optional("agent", SessionAgentUpdate::decode)?;
        if let Some(at) = fields.take("vault_ids") {
            return Err(at.invalid("the vaults of a session can't be changed"));
        }
        refuse(&mut fields, "budget", "a budget")?;
        fields.finish()?;
        Ok(Self {
            title,
            metadata,
            agent,
        })
    }
}

fn initial_event(at: At<'_>) -> Result<UserMessage, Invalid> {
    let path = at.path.clone();
    let mut fields = at.fields()?;
    let message = match fields.tag()? {
        "user.message" => user_message(&mut fields)?,
        "user.define_outcome" => return Err(Invalid::unsupported(path, "user.define_outcome")),
        other => return Err(fields.unknown_tag(other, &["user.message", "user.define_outcome"])),
    };
    fields.finish()?;
    Ok(message)
}

pub(crate) fn user_message(fields: &mut Fields<'_>) -> Result<UserMessage, Invalid> {
    let blocks = 1..=EVENT_CONTENT_BLOCKS_MAX;
    let content = fields.required("content", |at| at.list(blocks, ContentBlock::decode_user))?;
    Ok(UserMessage { content })
}

fn check_documents(messages: &[UserMessage]) -> Result<(), Invalid> {
    let from_file = |block: &&ContentBlock| {
        matches!(
            block,
            ContentBlock::Document {
                source: Source::File { .. },
                ..
            }
        )
    };
    let documents = messages
        .iter()
        .flat_map(|message| &message.content)
        .filter(from_file)
        .count();
    if documents > FILE_DOCUMENTS_MAX {
        let message = format!("at most {FILE_DOCUMENTS_MAX} documents may come from files");
        return Err(Invalid::new("initial_events", message));
    }
    Ok(())
}

/// An id that is no environment's can't be found either.
fn environment(at: At<'_>) -> Result<EnvironmentId, Invalid> {
    at.id().map_err(|invalid| {
        if at.value.is_string() {
            invalid.with_code("environment_not_found")
        } else {
            invalid
        }
    })
}

fn title(at: At<'_>) -> Result<String, Invalid> {
    at.text(0..=SESSION_TITLE_CHARS_MAX)
}

/// A key of a later feature: absent and null are fine.
fn refuse(fields: &mut Fields<'_>, key: &'static str, feature: &str) -> Result<(), Invalid> {
    match fields.take(key) {
        Some(at) if !at.value.is_null() => Err(Invalid::unsupported(at.path, feature)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const AGENT: &str = "agent_011111111111111111111111";
    const ENVIRONMENT: &str = "env_011111111111111111111111";

    fn refusal(body: Value) -> String {
        CreateSession::decode(&body).unwrap_err().to_string()
    }

    #[test]
    fn a_session_is_read_and_later_features_are_named() {
        let body = json!({"agent": AGENT, "environment_id": ENVIRONMENT, "title": null,
            "resources": [], "vault_ids": [], "budget": null, "initial_events": []});
        assert!(CreateSession::decode(&body).is_ok());
        assert_eq!(
            refusal(json!({"agent_id": AGENT})),
            "agent_id: Extra inputs are not permitted (did you mean 'agent'?)"
        );
        assert_eq!(
            refusal(json!({"agent": AGENT})),
            "environment_id: Field required"
        );
        let with = |key: &str, value: Value| {
            let mut body = body.clone();
            body[key] = value;
            refusal(body)
        };
        assert!(with("budget", json!({})).starts_with("budget: a budget is not supported"));
        assert!(with("vault_ids", json!(["vlt_1"])).starts_with("vault_ids.0: "));
        let vaults = vec!["vlt_011111111111111111111111"; SESSION_VAULTS_MAX + 1];
        assert_eq!(
            with("vault_ids", json!(vaults)),
            "vault_ids: List should have at most 50 items"
        );
        assert_eq!(
            with("resources", json!([{}])),
            "resources.0.type: Field required"
        );
        assert_eq!(
            with("initial_events", json!([{"type": "user.interrupt"}])),
            "initial_events.0.type: 'user.interrupt' is not one of 'user.message', 'user.define_outcome'"
        );
    }
}

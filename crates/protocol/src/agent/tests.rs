//! Requests in, normalised configurations or refusals out.

mod multiagent;
mod session;
mod tools;
mod update;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Agent, AgentConfig, CreateAgent, EffortLevel, FoundAgents, ModelFacts};
use crate::Timestamp;
use crate::decode::At;
use crate::id::AgentId;

fn agent_id(number: u128) -> AgentId {
    AgentId::from(Uuid::from_u128(number))
}

fn models(id: &str) -> Option<ModelFacts> {
    (id == "big" || id == "small").then(|| ModelFacts {
        default_effort: if id == "big" {
            EffortLevel::High
        } else {
            EffortLevel::Low
        },
        efforts: vec![EffortLevel::Low, EffortLevel::High, EffortLevel::Max],
        supports_fast: id == "big",
        supports_inference_geo: true,
    })
}

/// The configuration that a create request makes, for agent 1.
fn create_with(body: &Value, found: &FoundAgents) -> Result<AgentConfig, String> {
    CreateAgent::decode(At::root(body))
        .and_then(|create| create.draft(&models))
        .and_then(|draft| draft.resolve(agent_id(1), found, &[], &models))
        .map_err(|error| error.to_string())
}

fn create(body: &Value) -> Result<AgentConfig, String> {
    create_with(body, &[])
}

fn agent(config: AgentConfig, number: u128, version: u32) -> Agent {
    let moment = Timestamp::from_micros(0);
    Agent::new(agent_id(number), version, config, moment, moment)
}

/// `base` with the keys of `changes` put over it.
fn with(base: &Value, changes: &Value) -> Value {
    let mut merged = base.clone();
    for (key, value) in changes.as_object().unwrap() {
        merged[key] = value.clone();
    }
    merged
}

fn minimal() -> Value {
    json!({"name": "a", "model": "big"})
}

#[test]
fn a_minimal_request_reads_back_with_every_default() {
    let config = create(&minimal()).unwrap();
    assert_eq!(
        serde_json::to_value(agent(config, 1, 1)).unwrap(),
        json!({
            "id": agent_id(1).to_string(),
            "type": "agent",
            "version": 1,
            "name": "a",
            "description": null,
            "system": null,
            "model": {"id": "big", "effort": {"type": "high"}, "speed": "standard"},
            "tools": [],
            "mcp_servers": [],
            "skills": [],
            "multiagent": null,
            "execution_identity": {"type": "service_account"},
            "metadata": {},
            "created_at": "1970-01-01T00:00:00.000000Z",
            "updated_at": "1970-01-01T00:00:00.000000Z",
            "archived_at": null,
        })
    );
}

#[test]
fn empty_and_null_fields_are_none() {
    let body = with(
        &minimal(),
        &json!({"description": "", "system": null, "multiagent": null, "execution_identity": null}),
    );
    assert_eq!(create(&body), create(&minimal()));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn refusals_of_plain_fields_name_the_field() {
    for (changes, message) in [
        (
            json!({"name": ""}),
            "name: String should have at least 1 character",
        ),
        (
            json!({"name": "n".repeat(257)}),
            "name: String should have at most 256 characters",
        ),
        (
            json!({"name": null}),
            "name: Input should be a valid string",
        ),
        (
            json!({"description": "d".repeat(2049)}),
            "description: String should have at most 2048 characters",
        ),
        (
            json!({"system": "s".repeat(100_001)}),
            "system: String should have at most 100000 characters",
        ),
        (
            json!({"model": null}),
            "model: Input should be a model id or an object",
        ),
        (
            json!({"tools": null}),
            "tools: Input should be a valid array",
        ),
        (
            json!({"tool": []}),
            "tool: Extra inputs are not permitted (did you mean 'tools'?)",
        ),
        (
            json!({"metadata": {"k": 1}}),
            "metadata.k: Input should be a valid string",
        ),
        (
            json!({"execution_identity": {"type": "aws_role"}}),
            "execution_identity.role_arn: Field required",
        ),
        (
            json!({"execution_identity": {"type": "root"}}),
            "execution_identity.type: 'root' is not one of 'service_account', 'aws_role'",
        ),
        (
            json!({"skills": [{"type": "anthropic", "skill_id": "pdf"}]}),
            "tools: skills need the 'read' tool of agent_toolset_20260401 to be enabled",
        ),
        (
            json!({
                "skills": [{"type": "anthropic", "skill_id": "pdf", "version": "latest"}],
                "tools": [{"type": "agent_toolset_20260401"}],
            }),
            "skills.0.skill_id: skill not found: this server has no skills of the type 'anthropic'; \
             upload your own, of the type 'custom'",
        ),
        (
            json!({"skills": [
                {"type": "anthropic", "skill_id": "pdf"},
                {"type": "custom", "skill_id": "pdf"},
            ]}),
            "skills.1.skill_id: skill_id is listed twice",
        ),
        (
            json!({"skills": [{"type": "other", "skill_id": "pdf"}]}),
            "skills.0.type: 'other' is not one of 'anthropic', 'custom'",
        ),
    ] {
        let body = with(&minimal(), &changes);
        assert_eq!(create(&body).unwrap_err(), message);
    }
    assert_eq!(
        create(&json!({"name": "a"})).unwrap_err(),
        "model: Field required"
    );
    assert_eq!(create(&json!([])).unwrap_err(), "Input should be an object");
}

#[test]
fn a_role_is_kept() {
    let identity = json!({"type": "aws_role", "role_arn": "arn:aws:iam::1:role/r"});
    let config = create(&with(&minimal(), &json!({"execution_identity": identity}))).unwrap();
    assert_eq!(
        serde_json::to_value(config.execution_identity).unwrap(),
        identity
    );
}

//! Updates: what is kept, replaced, merged and cleared.

use serde_json::{Value, json};

use super::super::{AgentConfig, UpdateAgent};
use super::{agent_id, create, minimal, models, with};
use crate::decode::At;

fn full() -> AgentConfig {
    create(&with(
        &minimal(),
        &json!({
            "description": "d",
            "system": "s",
            "model": {"id": "big", "effort": "max", "speed": "fast", "inference_geo": "us"},
            "tools": [
                {"type": "agent_toolset_20260401"},
                {"type": "mcp_toolset", "mcp_server_name": "m"},
            ],
            "mcp_servers": [{"type": "url", "name": "m", "url": "https://m.example.com"}],
            "execution_identity": {"type": "aws_role", "role_arn": "arn"},
            "metadata": {"a": "1", "b": "2"},
        }),
    ))
    .unwrap()
}

fn update(current: &AgentConfig, body: &Value) -> Result<AgentConfig, String> {
    UpdateAgent::decode(At::root(body))
        .and_then(|update| update.draft(current, &models))
        .and_then(|draft| draft.resolve(agent_id(1), &[], &[], &models))
        .map_err(|error| error.to_string())
}

#[test]
fn nothing_changes_what_is_left_out_or_the_same() {
    let current = full();
    for body in [
        json!({}),
        json!({"version": 1}),
        json!({"metadata": null}),
        json!({"metadata": {}}),
        json!({"metadata": {"a": "1", "zzz": null}}),
        json!({"name": "a", "system": "s"}),
        json!({"tools": [
            {"type": "agent_toolset_20260401", "configs": []},
            {"type": "mcp_toolset", "mcp_server_name": "m", "default_config": null},
        ]}),
        json!({"model": {"id": "big", "speed": "fast", "inference_geo": "us"}}),
    ] {
        assert_eq!(update(&current, &body), Ok(current.clone()), "{body}");
    }
}

#[test]
fn each_field_changes_by_its_own_rule() {
    let current = full();
    for (body, field, expected) in [
        (json!({"name": "b"}), "name", json!("b")),
        (json!({"description": null}), "description", Value::Null),
        (json!({"description": ""}), "description", Value::Null),
        (json!({"system": null}), "system", Value::Null),
        (json!({"system": ""}), "system", Value::Null),
        (
            json!({"metadata": {"a": null, "b": "", "c": "3"}}),
            "metadata",
            json!({"b": "", "c": "3"}),
        ),
        (
            json!({"execution_identity": null}),
            "execution_identity",
            json!({"type": "service_account"}),
        ),
        (
            json!({"model": "big"}),
            "model",
            json!({"id": "big", "effort": {"type": "max"}, "speed": "standard"}),
        ),
        (
            json!({"model": "small"}),
            "model",
            json!({"id": "small", "effort": {"type": "low"}, "speed": "standard"}),
        ),
        (
            json!({"tools": null, "mcp_servers": null}),
            "tools",
            json!([]),
        ),
        (
            json!({"tools": null, "mcp_servers": []}),
            "mcp_servers",
            json!([]),
        ),
    ] {
        let before = serde_json::to_value(&current).unwrap();
        let after = serde_json::to_value(update(&current, &body).unwrap()).unwrap();
        assert_eq!(after[field], expected, "{body}");
        for (key, value) in before.as_object().unwrap() {
            let touched = key == field || body.get(key).is_some();
            assert!(touched || after[key] == *value, "{body} changed {key}");
        }
    }
}

#[test]
fn refusals_concern_the_result() {
    let current = full();
    let many: Value = (0..16)
        .map(|number| (format!("k{number}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (body, message) in [
        (
            json!({"name": null}),
            "name: Input should be a valid string",
        ),
        (
            json!({"model": null}),
            "model: Input should be a model id or an object",
        ),
        (
            json!({"version": 0}),
            "version: Input should be greater than or equal to 1",
        ),
        (
            json!({"version": "1"}),
            "version: Input should be a valid integer",
        ),
        (json!({"id": "x"}), "id: Extra inputs are not permitted"),
        (
            json!({"tools": []}),
            "mcp_servers.0.name: no mcp_toolset in tools names this server",
        ),
        (
            json!({"mcp_servers": null}),
            "tools.1.mcp_server_name: no server of this name is in mcp_servers",
        ),
        (
            json!({ "metadata": many }),
            "metadata: Dictionary should have at most 16 items",
        ),
        (
            json!({"skills": [{"type": "custom", "skill_id": "x"}]}),
            "skills.0.skill_id: skill not found",
        ),
    ] {
        assert_eq!(update(&current, &body).unwrap_err(), message, "{body}");
    }
}

//! The agent of a session: overrides, the roster in full, and what can't run yet.

use serde_json::{Value, json};

use super::super::{Agent, Reference, SessionAgent, SessionAgentParams, SessionAgentUpdate};
use super::{agent, agent_id, create, create_with, minimal, models, with};
use crate::decode::At;

fn base(changes: &Value) -> Agent {
    agent(create(&with(&minimal(), changes)).unwrap(), 1, 3)
}

fn effective(agent: &Agent, param: Value) -> Result<Value, String> {
    let body = json!({ "agent": param });
    let mut fields = At::root(&body).fields().unwrap();
    SessionAgentParams::decode(fields.take("agent").unwrap())
        .and_then(|params| params.effective(agent, &[], &[], &models))
        .map(|session| serde_json::to_value(session).unwrap())
        .map_err(|error| error.to_string())
}

fn overrides(changes: &Value) -> Value {
    with(
        &json!({"type": "agent_with_overrides", "id": agent_id(1).to_string()}),
        changes,
    )
}

#[test]
fn every_form_of_reference_gives_the_snapshot() {
    let agent = base(&json!({"system": "s"}));
    let id = agent_id(1).to_string();
    for param in [
        json!(id),
        json!({"type": "agent", "id": id}),
        json!({"type": "agent", "id": id, "version": 3}),
        overrides(&json!({})),
    ] {
        assert_eq!(
            effective(&agent, param),
            Ok(json!({
                "type": "agent", "id": id, "version": 3, "name": "a", "description": null,
                "system": "s",
                "model": {"id": "big", "effort": {"type": "high"}, "speed": "standard"},
                "tools": [], "mcp_servers": [], "skills": [],
                "execution_identity": {"type": "service_account"}, "multiagent": null,
            }))
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn overrides_replace_or_clear() {
    let agent = base(&json!({
        "system": "s",
        "model": {"id": "big", "effort": "max", "inference_geo": "us", "speed": "fast"},
        "tools": [{"type": "mcp_toolset", "mcp_server_name": "m"}],
        "mcp_servers": [{"type": "url", "name": "m", "url": "https://m.example.com"}],
    }));
    for (changes, field, expected) in [
        (json!({"system": null}), "system", Value::Null),
        (json!({"system": "t"}), "system", json!("t")),
        (
            json!({"model": "big"}),
            "model",
            json!({"id": "big", "effort": {"type": "high"}, "speed": "standard"}),
        ),
        (
            json!({"model": {"id": "small", "effort": "max"}}),
            "model",
            json!({"id": "small", "effort": {"type": "max"}, "speed": "standard"}),
        ),
        (
            json!({"tools": null, "mcp_servers": null}),
            "tools",
            json!([]),
        ),
        (json!({"skills": null}), "skills", json!([])),
    ] {
        assert_eq!(
            effective(&agent, overrides(&changes)).unwrap()[field],
            expected,
            "{changes}"
        );
    }
    for (changes, message) in [
        (
            json!({"model": null}),
            "agent.model: a session's agent needs a model",
        ),
        (
            json!({"mcp_servers": []}),
            "agent.tools.0.mcp_server_name: no server of this name is in mcp_servers",
        ),
        (
            json!({"tools": []}),
            "agent.mcp_servers.0.name: no mcp_toolset in tools names this server",
        ),
        (
            json!({"tools": [{"type": "custom", "name": "ant__x", "description": "d", "input_schema": {"type": "object"}}]}),
            "agent.tools.0.name: the prefix 'ant__' is reserved",
        ),
        (
            json!({"name": "b"}),
            "agent.name: Extra inputs are not permitted",
        ),
    ] {
        assert_eq!(effective(&agent, overrides(&changes)).unwrap_err(), message);
    }
    let body = overrides(&json!({"model": null}));
    let refusal = SessionAgentParams::decode(At::root(&body)).unwrap_err();
    assert_eq!(refusal.code, Some("agent_model_required"));
    assert_eq!(
        effective(
            &agent,
            json!({"type": "agent", "id": agent_id(1).to_string(), "system": "x"})
        )
        .unwrap_err(),
        "agent.system: Extra inputs are not permitted"
    );
    assert_eq!(
        effective(&agent, json!(7)).unwrap_err(),
        "agent: Input should be an agent id or an object"
    );
}

#[test]
fn the_roster_is_shown_in_full_and_self_with_its_overrides() {
    let other = agent(create(&minimal()).unwrap(), 2, 5);
    let newest = Reference {
        id: other.id,
        version: None,
    };
    let block = json!({"type": "coordinator", "agents": [
        other.id.to_string(), {"type": "self"}, {"type": "advisor", "model": "small"},
    ]});
    let body = with(&minimal(), &json!({ "multiagent": block }));
    let owner = agent(
        create_with(&body, &[(newest, other.clone())]).unwrap(),
        1,
        3,
    );
    let pinned = Reference {
        id: other.id,
        version: Some(5),
    };
    assert_eq!(owner.roster(), [pinned]);
    let param = overrides(&json!({"system": "t"}));
    let session = SessionAgentParams::decode(At::root(&param))
        .and_then(|params| params.effective(&owner, &[(pinned, other)], &[], &models))
        .unwrap();
    let shown = serde_json::to_value(&session.multiagent).unwrap();
    assert_eq!(shown["agents"][0]["type"], "agent");
    assert_eq!(shown["agents"][0]["version"], 5);
    assert_eq!(shown["agents"][0].get("multiagent"), None);
    assert_eq!(shown["agents"][1]["system"], "t");
    assert_eq!(
        shown["agents"][2],
        json!({"type": "advisor", "model": "small"})
    );
    assert_eq!(session.unsupported().unwrap().path, "agent.multiagent");
    let stored = serde_json::to_string(&session).unwrap();
    assert_eq!(
        serde_json::from_str::<SessionAgent>(&stored).unwrap(),
        session
    );
}

#[test]
fn what_a_session_cannot_do_yet_is_named() {
    let toolset =
        |value: Value| json!({"tools": [with(&json!({"type": "agent_toolset_20260401"}), &value)]});
    let ask = json!({"type": "always_ask"});
    let refused = [
        (
            json!({"model": {"id": "big", "inference_geo": "us"}}),
            "agent.model.inference_geo",
        ),
        (
            json!({"execution_identity": {"type": "aws_role", "role_arn": "arn"}}),
            "agent.execution_identity",
        ),
    ];
    for (changes, path) in refused {
        let refusal = SessionAgent::snapshot(&base(&changes), &[])
            .unwrap()
            .unsupported()
            .unwrap();
        assert_eq!(refusal.path, path);
        assert_eq!(refusal.code, Some("feature_not_supported"));
    }
    for changes in [
        json!({}),
        toolset(json!({})),
        toolset(json!({"default_config": {"permission_policy": ask}})),
        toolset(json!({"configs": [{"name": "bash", "permission_policy": {"type": "auto"}}]})),
        json!({"tools": [{"type": "custom", "name": "c", "description": "d", "input_schema": {"type": "object"}}]}),
        toolset(
            json!({"default_config": {"enabled": false, "permission_policy": ask}, "configs":
            [{"name": "bash", "enabled": true, "permission_policy": {"type": "always_allow"}}]}),
        ),
        toolset(json!({"configs": [{"name": "web_fetch"}, {"name": "web_search"}]})),
    ] {
        let session = SessionAgent::snapshot(&base(&changes), &[]).unwrap();
        assert_eq!(session.unsupported(), None, "{changes}");
    }
}

#[test]
fn an_update_of_a_session_replaces_lists() {
    let session = SessionAgent::snapshot(
        &base(&json!({"tools": [{"type": "agent_toolset_20260401"}]})),
        &[],
    )
    .unwrap();
    let apply = |body: Value| {
        SessionAgentUpdate::decode(At::root(&body))
            .and_then(|update| update.apply(&session))
            .map(|next| serde_json::to_value(next.tools).unwrap())
            .map_err(|error| error.to_string())
    };
    assert_eq!(apply(json!({"tools": []})), Ok(json!([])));
    assert_eq!(
        apply(json!({})).unwrap()[0]["type"],
        "agent_toolset_20260401"
    );
    assert_eq!(
        apply(json!({"model": "big"})).unwrap_err(),
        "model: Extra inputs are not permitted"
    );
}

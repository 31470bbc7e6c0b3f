//! `multiagent`: both forms, their defaults, merging and the rules between agents.

use serde_json::{Value, json};

use super::super::{Agent, AgentConfig, FoundAgents, Reference, UpdateAgent};
use super::{agent, agent_id, create, create_with, minimal, models, with};
use crate::Timestamp;
use crate::decode::At;

fn id(number: u128) -> String {
    agent_id(number).to_string()
}

fn named(number: u128, version: u32, changes: &Value) -> Agent {
    agent(create(&with(&minimal(), changes)).unwrap(), number, version)
}

/// Agents 2 (at 7, and pinned at 3), 3 (archived), 4 (a coordinator), 5 (in another region),
/// 6 (named like the advisor).
fn others() -> Vec<(Reference, Agent)> {
    let newest = |number| Reference {
        id: agent_id(number),
        version: None,
    };
    let pinned = |number, version| Reference {
        id: agent_id(number),
        version: Some(version),
    };
    let plain = json!({});
    let mut archived = named(3, 1, &plain);
    archived.archived_at = Some(Timestamp::from_micros(1));
    let coordinator = named(
        4,
        1,
        &json!({"multiagent": {"type": "multiagent_20261001"}}),
    );
    let abroad = named(
        5,
        1,
        &json!({"model": {"id": "big", "inference_geo": "global"}}),
    );
    vec![
        (newest(2), named(2, 7, &plain)),
        (pinned(2, 3), named(2, 3, &plain)),
        (pinned(2, 7), named(2, 7, &plain)),
        (newest(3), archived.clone()),
        (pinned(3, 1), archived),
        (newest(4), coordinator),
        (newest(5), abroad),
        (
            newest(6),
            named(6, 1, &json!({"name": "anthropic.advisor"})),
        ),
    ]
}

fn read_back(changes: &Value) -> Result<Value, String> {
    create_with(&with(&minimal(), changes), &others())
        .map(|config| serde_json::to_value(agent(config, 1, 1).multiagent).unwrap())
}

#[test]
fn a_coordinator_pins_versions_and_shows_its_advisor_last() {
    let given = json!({"type": "coordinator", "agents": [
        {"type": "advisor", "model": "small"}, id(2), {"type": "self"},
    ]});
    assert_eq!(
        read_back(&json!({ "multiagent": given })),
        Ok(json!({"type": "coordinator", "agents": [
            {"type": "agent", "id": id(2), "version": 7},
            {"type": "agent", "id": id(1), "version": 1},
            {"type": "advisor", "model": "small"},
        ]}))
    );
}

#[test]
fn the_newer_form_always_has_three_members() {
    let enabled =
        json!({"type": "enabled", "inline_agents": {"type": "enabled"}, "predefined_agents": []});
    let disabled = json!({"type": "disabled"});
    for (given, advisor, subagents, workflows) in [
        (json!({}), &disabled, &enabled, &enabled),
        (
            json!({"workflows": null, "subagents": null, "advisor": null}),
            &disabled,
            &enabled,
            &enabled,
        ),
        (
            json!({"workflows": disabled, "subagents": {"type": "enabled", "predefined_agents": null}}),
            &disabled,
            &enabled,
            &disabled,
        ),
    ] {
        let given = with(&json!({"type": "multiagent_20261001"}), &given);
        assert_eq!(
            read_back(&json!({ "multiagent": given })),
            Ok(
                json!({"type": "multiagent_20261001", "advisor": advisor, "subagents": subagents, "workflows": workflows})
            )
        );
    }
    let given = json!({"type": "multiagent_20261001", "advisor": {"type": "enabled", "model": "small"},
        "subagents": {"type": "enabled", "inline_agents": {"type": "disabled"},
                      "predefined_agents": [{"type": "agent", "id": id(2), "version": 3}]},
        "workflows": {"type": "enabled", "predefined_agents": [id(2), {"type": "self"}]}});
    assert_eq!(
        read_back(&json!({ "multiagent": given })),
        Ok(
            json!({"type": "multiagent_20261001", "advisor": {"type": "enabled", "model": "small"},
            "subagents": {"type": "enabled", "inline_agents": {"type": "disabled"},
                          "predefined_agents": [{"type": "agent", "id": id(2), "version": 3}]},
            "workflows": {"type": "enabled", "inline_agents": {"type": "enabled"},
                          "predefined_agents": [{"type": "agent", "id": id(2), "version": 7},
                                                {"type": "agent", "id": id(1), "version": 1}]}})
        )
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn refusals_name_the_member() {
    let advisor = json!({"type": "advisor", "model": "small"});
    let roster = |agents: Value| json!({"multiagent": {"type": "coordinator", "agents": agents}});
    let newer =
        |block: Value| json!({"multiagent": with(&json!({"type": "multiagent_20261001"}), &block)});
    for (changes, message) in [
        (
            roster(json!([])),
            "agents: List should have at least 1 item(s)",
        ),
        (
            roster(json!(vec![id(2); 21])),
            "agents: List should have at most 20 items",
        ),
        (
            roster(json!([id(2), {"type": "agent", "id": id(2), "version": 3}])),
            "agents.1: agent is listed twice",
        ),
        (
            roster(json!([{"type": "self"}, {"type": "self"}])),
            "agents.1: agent is listed twice",
        ),
        (
            roster(json!([advisor, id(2), advisor])),
            "agents.2: there should be at most one advisor",
        ),
        (roster(json!([id(9)])), "agents.0: agent not found"),
        (
            roster(json!([{"type": "agent", "id": id(2), "version": 4}])),
            "agents.0: agent not found",
        ),
        (roster(json!([id(2), id(3)])), "agents.1: agent is archived"),
        (
            roster(json!([id(4)])),
            "agents.0: an agent with a multiagent of its own can't be a member",
        ),
        (
            roster(json!([advisor, id(6)])),
            "agents.1: an agent beside an advisor should not be named 'anthropic.advisor'",
        ),
        (
            roster(json!([{"type": "advisor", "model": "none"}])),
            "agents.0.model: model 'none' is not available",
        ),
        (roster(json!(["x"])), "agents.0: not a valid agent id"),
        (
            roster(json!([{"type": "team"}])),
            "agents.0.type: 'team' is not one of 'agent', 'self', 'advisor'",
        ),
        (
            roster(json!([{"type": "self", "id": id(1)}])),
            "agents.0.id: Extra inputs are not permitted",
        ),
        (
            newer(json!({"advisor": {"type": "enabled"}})),
            "advisor.model: Field required",
        ),
        (
            newer(json!({"advisor": {"model": "small"}})),
            "advisor.type: Field required",
        ),
        (
            newer(json!({"subagents": {"type": "enabled", "inline_agents": {"type": "disabled"}}})),
            "subagents.predefined_agents: List should have at least 1 item where inline_agents is disabled",
        ),
        (
            newer(json!({"workflows": {"type": "enabled", "predefined_agents": [id(2), id(2)]}})),
            "workflows.predefined_agents.1: agent is listed twice",
        ),
        (
            newer(json!({"subagents": {"type": "enabled", "predefined_agents": [advisor]}})),
            "subagents.predefined_agents.0.type: 'advisor' is not one of 'agent', 'self'",
        ),
        (
            newer(json!({"agents": []})),
            "agents: Extra inputs are not permitted (did you mean 'subagents'?)",
        ),
        (
            json!({"multiagent": {"type": "swarm"}}),
            "type: 'swarm' is not one of 'coordinator', 'multiagent_20261001'",
        ),
    ] {
        assert_eq!(
            read_back(&changes).unwrap_err(),
            format!("multiagent.{message}")
        );
    }
    let here = json!({"model": {"id": "big", "inference_geo": "us"}});
    let abroad = with(&here, &roster(json!([id(2), id(5)])));
    assert_eq!(
        read_back(&abroad).unwrap_err(),
        "multiagent.agents.1: inference_geo should be the same in all agents"
    );
    assert!(read_back(&roster(json!([id(2), id(5)]))).is_ok());
}

fn stored(block: Value) -> AgentConfig {
    create_with(
        &with(&minimal(), &json!({ "multiagent": block })),
        &others(),
    )
    .unwrap()
}

fn update(current: &AgentConfig, body: &Value, found: &FoundAgents) -> Result<Value, String> {
    UpdateAgent::decode(At::root(body))
        .and_then(|update| update.draft(current, &models))
        .and_then(|draft| draft.resolve(agent_id(1), found, &[], &models))
        .map(|config| serde_json::to_value(agent(config, 1, 2).multiagent).unwrap())
        .map_err(|error| error.to_string())
}

#[test]
fn two_newer_blocks_merge_level_by_level() {
    let current = stored(json!({"type": "multiagent_20261001",
        "advisor": {"type": "enabled", "model": "small"},
        "subagents": {"type": "enabled", "inline_agents": {"type": "disabled"}, "predefined_agents": [id(2)]},
        "workflows": {"type": "disabled"}}));
    let pinned = json!({"type": "agent", "id": id(2), "version": 7});
    let enabled =
        json!({"type": "enabled", "inline_agents": {"type": "enabled"}, "predefined_agents": []});
    for (block, field, expected) in [
        (
            json!({}),
            "advisor",
            json!({"type": "enabled", "model": "small"}),
        ),
        (
            json!({"advisor": null}),
            "advisor",
            json!({"type": "disabled"}),
        ),
        (json!({"workflows": null}), "workflows", enabled.clone()),
        (
            json!({"workflows": {"type": "enabled"}}),
            "workflows",
            enabled.clone(),
        ),
        (json!({"subagents": null}), "subagents", enabled.clone()),
        (
            json!({"subagents": {"type": "enabled"}}),
            "subagents",
            json!({"type": "enabled", "inline_agents": {"type": "disabled"}, "predefined_agents": [pinned]}),
        ),
        (
            json!({"subagents": {"type": "enabled", "inline_agents": null, "predefined_agents": null}}),
            "subagents",
            enabled,
        ),
        (
            json!({"subagents": {"type": "enabled", "predefined_agents": [{"type": "self"}]}}),
            "subagents",
            json!({"type": "enabled", "inline_agents": {"type": "disabled"},
                   "predefined_agents": [{"type": "agent", "id": id(1), "version": 2}]}),
        ),
        (
            json!({"subagents": {"type": "disabled"}}),
            "subagents",
            json!({"type": "disabled"}),
        ),
    ] {
        let block = with(&json!({"type": "multiagent_20261001"}), &block);
        let after = update(&current, &json!({ "multiagent": block }), &others()).unwrap();
        assert_eq!(after[field], expected, "{block}");
    }
    let emptied = json!({"multiagent": {"type": "multiagent_20261001",
        "subagents": {"type": "enabled", "predefined_agents": []}}});
    assert_eq!(
        update(&current, &emptied, &others()).unwrap_err(),
        "multiagent.subagents.predefined_agents: List should have at least 1 item where inline_agents is disabled"
    );
}

#[test]
fn every_other_combination_replaces() {
    let newer = stored(json!({"type": "multiagent_20261001", "workflows": {"type": "disabled"}}));
    let older = stored(json!({"type": "coordinator", "agents": [id(2)]}));
    let minimal = json!({"multiagent": {"type": "multiagent_20261001"}});
    let after = update(&older, &minimal, &others()).unwrap();
    assert_eq!(after["workflows"]["type"], "enabled");
    let coordinator = json!({"multiagent": {"type": "coordinator", "agents": [{"type": "self"}]}});
    for current in [&newer, &older] {
        assert_eq!(
            update(current, &coordinator, &others()),
            Ok(
                json!({"type": "coordinator", "agents": [{"type": "agent", "id": id(1), "version": 2}]})
            )
        );
        assert_eq!(
            update(current, &json!({"multiagent": null}), &[]),
            Ok(Value::Null)
        );
    }
}

#[test]
fn an_untouched_roster_keeps_its_pins_even_when_a_member_was_archived() {
    let current = stored(json!({"type": "coordinator", "agents": [id(2)]}));
    let mut found = others();
    for (_, agent) in &mut found {
        agent.archived_at = Some(Timestamp::from_micros(1));
    }
    let pinned =
        json!({"type": "coordinator", "agents": [{"type": "agent", "id": id(2), "version": 7}]});
    assert_eq!(update(&current, &json!({"name": "b"}), &found), Ok(pinned));
    let again = json!({"multiagent": {"type": "coordinator", "agents": [id(2)]}});
    assert_eq!(
        update(&current, &again, &found).unwrap_err(),
        "multiagent.agents.0: agent is archived"
    );
}

"""Agents: what is stored is normalised as documented, and an update does exactly what it says."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from wire import Ledger, Wire

TOOLSET = "agent_toolset_20260401"
ALLOW = {"type": "always_allow"}


def create(wire: Wire, **fields: Any) -> dict[str, Any]:
    return wire.post("/v1/agents", {"name": "n", "model": "claude-opus-5-5"} | fields)


def test_the_least_agent(client: anthropic.Anthropic) -> None:
    agent = client.beta.agents.create(name="Least", model="claude-opus-5-5")
    assert (agent.version, agent.model.id, agent.model.speed) == (1, "claude-opus-5-5", "standard")
    assert agent.model.effort is not None and agent.model.effort.type in ("low", "medium", "high", "xhigh", "max")
    assert (agent.tools, agent.mcp_servers, agent.skills, agent.metadata) == ([], [], [], {})
    assert (agent.description, agent.system, agent.multiagent, agent.archived_at) == (None, None, None, None)
    assert agent.execution_identity.type == "service_account"
    assert client.beta.agents.retrieve(agent.id) == agent


@pytest.mark.parametrize(("given", "stored"), [
    ({"type": TOOLSET},
     {"type": TOOLSET, "default_config": {"enabled": True, "permission_policy": ALLOW}, "configs": []}),
    ({"type": TOOLSET, "default_config": None, "configs": None},
     {"type": TOOLSET, "default_config": {"enabled": True, "permission_policy": ALLOW}, "configs": []}),
    ({"type": TOOLSET, "default_config": {"enabled": False}, "configs": [{"name": "bash"}, {"name": "read", "enabled": True}]},
     {"type": TOOLSET, "default_config": {"enabled": False, "permission_policy": ALLOW}, "configs": [
         {"type": "bash", "name": "bash", "enabled": False, "permission_policy": ALLOW},
         {"type": "read", "name": "read", "enabled": True, "permission_policy": ALLOW}]}),
    ({"type": TOOLSET, "default_config": {"permission_policy": {"type": "always_ask"}},
      "configs": [{"name": "grep", "permission_policy": ALLOW}, {"name": "glob", "type": "glob"}]},
     {"type": TOOLSET, "default_config": {"enabled": True, "permission_policy": {"type": "always_ask"}}, "configs": [
         {"type": "grep", "name": "grep", "enabled": True, "permission_policy": ALLOW},
         {"type": "glob", "name": "glob", "enabled": True, "permission_policy": {"type": "always_ask"}}]}),
    ({"type": "custom", "name": "t", "description": "d",
      "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}},
     {"type": "custom", "name": "t", "description": "d",
      "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}}),
])
def test_tools_are_normalised(wire: Wire, given: dict[str, Any], stored: dict[str, Any]) -> None:
    assert create(wire, tools=[given])["tools"] == [stored]


def test_web_tools_keep_their_fields(wire: Wire) -> None:
    agent = create(wire, tools=[{"type": TOOLSET, "configs": [
        {"name": "web_fetch", "blocked_domains": ["example.com"], "max_content_tokens": 5,
         "url_sources": {"user_input": "none"}},
        {"name": "web_search", "allowed_domains": ["example.org/docs"],
         "user_location": {"type": "approximate", "country": "CH", "timezone": "Europe/Zurich"}}]}])
    fetch, search = agent["tools"][0]["configs"]
    assert fetch["blocked_domains"] == ["example.com"]
    assert fetch["max_content_tokens"] == 5
    assert fetch["url_sources"] == {"user_input": {"type": "none"}, "client_tool_results": None,
                                    "server_tool_results": None}
    assert search["allowed_domains"] == ["example.org/docs"]
    assert search["user_location"]["country"] == "CH"


def test_what_sessions_cannot_use_yet_is_stored_all_the_same(wire: Wire) -> None:
    agent = create(
        wire, tools=[{"type": TOOLSET}, {"type": "mcp_toolset", "mcp_server_name": "s"}],
        mcp_servers=[{"type": "url", "name": "s", "url": "https://example.com/mcp"}],
        multiagent={"type": "multiagent_20261001", "workflows": {"type": "disabled"}},
        execution_identity={"type": "aws_role", "role_arn": "arn:aws:iam::1:role/r"})
    assert agent["tools"][1] == {"type": "mcp_toolset", "mcp_server_name": "s", "configs": [],
                                 "default_config": {"enabled": True, "permission_policy": {"type": "always_ask"}}}
    assert agent["mcp_servers"] == [{"type": "url", "name": "s", "url": "https://example.com/mcp"}]
    assert agent["multiagent"] == {
        "type": "multiagent_20261001", "advisor": {"type": "disabled"}, "workflows": {"type": "disabled"},
        "subagents": {"type": "enabled", "inline_agents": {"type": "enabled"}, "predefined_agents": []}}
    assert agent["execution_identity"] == {"type": "aws_role", "role_arn": "arn:aws:iam::1:role/r"}


def test_a_coordinator_pins_its_roster(wire: Wire) -> None:
    member = create(wire, name="member")
    agent = create(wire, multiagent={"type": "coordinator", "agents": [
        {"type": "advisor", "model": "claude-opus-5-5"}, member["id"], {"type": "self"}]})
    assert agent["multiagent"]["agents"] == [
        {"type": "agent", "id": member["id"], "version": 1}, {"type": "agent", "id": agent["id"], "version": 1},
        {"type": "advisor", "model": "claude-opus-5-5"}]


def test_an_update_without_effect_makes_no_version(wire: Wire) -> None:
    agent = create(wire, description="d", metadata={"a": "1"}, tools=[{"type": TOOLSET}])
    path = f"/v1/agents/{agent['id']}"
    for nothing in [{}, {"name": "n"}, {"version": 1}, {"metadata": {"a": "1"}}, {"metadata": None},
                    {"model": "claude-opus-5-5"}, {"tools": [{"type": TOOLSET}]}, {"metadata": {"absent": None}},
                    {"description": "d", "system": None, "skills": []}]:
        assert wire.post(path, nothing) == agent, nothing


def test_each_field_is_replaced_cleared_or_kept(wire: Wire) -> None:
    agent = create(wire, description="d", system="s", metadata={"a": "1", "b": "2"}, tools=[{"type": TOOLSET}],
                   execution_identity={"type": "aws_role", "role_arn": "r"})
    path = f"/v1/agents/{agent['id']}"
    second = wire.post(path, {"description": None, "metadata": {"a": None, "c": "3"}})
    assert (second["version"], second["description"], second["system"]) == (2, None, "s")
    assert second["metadata"] == {"b": "2", "c": "3"}
    third = wire.post(path, {"system": "", "tools": None, "execution_identity": None, "version": 2})
    assert (third["version"], third["system"], third["tools"]) == (3, None, [])
    assert third["execution_identity"] == {"type": "service_account"}
    assert third["created_at"] == agent["created_at"]
    assert wire.get(path, version=1)["metadata"] == {"a": "1", "b": "2"}
    assert wire.get(path, version=2) == second
    assert wire.get(path) == third
    assert [a["version"] for a in wire.get(f"{path}/versions")["data"]] == [3, 2, 1]


def test_a_model_is_replaced_whole_but_keeps_its_effort(wire: Wire) -> None:
    agent = create(wire, model={"id": "claude-opus-5-5", "effort": "low"})
    path = f"/v1/agents/{agent['id']}"
    assert agent["model"]["effort"] == {"type": "low"}
    assert wire.post(path, {"model": {"id": "claude-opus-5-5"}})["version"] == 1
    assert wire.post(path, {"model": {"id": "claude-opus-5-5", "effort": {"type": "max"}}})["model"]["effort"] == {"type": "max"}
    changed = wire.post(path, {"model": "claude-sonnet-5-5"})["model"]
    default = create(wire, model="claude-sonnet-5-5")["model"]
    assert changed == default


def test_multiagent_is_merged_level_by_level(wire: Wire) -> None:
    agent = create(wire, multiagent={"type": "multiagent_20261001", "workflows": {"type": "disabled"},
                                     "advisor": {"type": "enabled", "model": "claude-opus-5-5"}})
    path = f"/v1/agents/{agent['id']}"
    merged = wire.post(path, {"multiagent": {"type": "multiagent_20261001", "subagents": {"type": "disabled"}}})
    assert merged["multiagent"] == {
        "type": "multiagent_20261001", "workflows": {"type": "disabled"}, "subagents": {"type": "disabled"},
        "advisor": {"type": "enabled", "model": "claude-opus-5-5"}}
    reset = wire.post(path, {"multiagent": {"type": "multiagent_20261001", "advisor": None, "workflows": None}})
    assert reset["multiagent"]["advisor"] == {"type": "disabled"}
    assert reset["multiagent"]["workflows"]["type"] == "enabled"
    assert wire.post(path, {"multiagent": None})["multiagent"] is None


def test_a_stale_version_is_refused_once(client: anthropic.Anthropic, ledger: Ledger) -> None:
    """`x-should-retry: false` keeps the SDK from posting a hopeless update three times."""
    agent = client.beta.agents.create(name="n", model="claude-opus-5-5")
    with pytest.raises(anthropic.ConflictError):
        client.beta.agents.update(agent.id, version=7, name="n")
    assert ledger.statuses("agents.update") == [409]


def test_too_much_metadata_has_its_own_exception(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.beta.agents.create(name="n", model="claude-opus-5-5", metadata={str(i): "v" for i in range(17)})
    assert refused.value.error_code == "invalid_metadata"


def test_an_archived_agent_stays_readable(wire: Wire) -> None:
    agent = create(wire)
    path = f"/v1/agents/{agent['id']}"
    archived = wire.post(f"{path}/archive", {})
    assert archived["archived_at"]
    assert wire.post(f"{path}/archive") == archived == wire.get(path)
    ids = [a["id"] for a in wire.get("/v1/agents", limit=100)["data"]]
    assert agent["id"] not in ids
    ids = [a["id"] for a in wire.get("/v1/agents", limit=100, include_archived="true")["data"]]
    assert agent["id"] in ids

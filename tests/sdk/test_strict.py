"""The checker checked: right samples pass, and each single mutation of one is found."""

from __future__ import annotations

import copy
from typing import Any, Callable

import pytest

import shapes
from sse import Parser

AGENT: dict[str, Any] = {
    "id": "agent_011CZkZ9X2dpNyB7HsEFoRfW", "type": "agent", "version": 1, "name": "n", "description": None,
    "system": None, "model": {"id": "claude-opus-5-5", "effort": {"type": "high"}, "speed": "standard"},
    "tools": [
        {"type": "agent_toolset_20260401",
         "default_config": {"enabled": True, "permission_policy": {"type": "always_allow"}},
         "configs": [{"type": "bash", "name": "bash", "enabled": True, "permission_policy": {"type": "always_ask"}}]},
        {"type": "custom", "name": "t", "description": "d",
         "input_schema": {"type": "object", "additionalProperties": False}},
    ],
    "mcp_servers": [], "skills": [], "multiagent": None, "execution_identity": {"type": "service_account"},
    "metadata": {"k": "v"}, "created_at": "2026-10-20T08:44:58.752121Z", "updated_at": "2026-10-20T08:44:58Z",
    "archived_at": None,
}

ENVIRONMENT: dict[str, Any] = {
    "id": "env_011CZkZ9X2dpNyB7HsEFoRfW", "type": "environment", "name": "e", "description": None, "metadata": {},
    "config": {"type": "cloud", "networking": {"type": "unrestricted"},
               "packages": {"type": "packages", "apt": [], "cargo": [], "gem": [], "go": [], "npm": [], "pip": []}},
    "scope": "organization", "created_at": "2026-10-20T08:44:58Z", "updated_at": "2026-10-20T08:44:58Z",
    "archived_at": None,
}

IDLE: dict[str, Any] = {
    "id": "sevt_011CZkZ9X2dpNyB7HsEFoRfW", "type": "session.status_idle", "processed_at": "2026-10-20T08:44:58.1Z",
    "stop_reason": {"type": "requires_action", "event_ids": ["sevt_1"]}, "stop_details": None,
}

DELTA: dict[str, Any] = {
    "type": "event_delta", "event_id": "sevt_1",
    "delta": {"type": "content_delta", "index": 0, "content": {"type": "text", "text": "x"}},
}


def put(*path: Any, to: Any) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to
    return change


def drop(*path: Any) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]
    return change


def test_right_answers_pass() -> None:
    assert shapes.response_problems("agents.retrieve", AGENT) == []
    assert shapes.response_problems("environments.create", ENVIRONMENT) == []
    assert shapes.response_problems("agents.list", {"data": [AGENT], "next_page": None}) == []
    assert shapes.frame_problems("session.status_idle", IDLE) == []
    assert shapes.frame_problems("event_delta", DELTA) == []
    assert shapes.frame_problems("ping", {"type": "ping"}) == []


@pytest.mark.parametrize(("change", "where"), [
    (drop("name"), "$.name"), (drop("description"), "$.description"), (drop("archived_at"), "$.archived_at"),
    (drop("execution_identity"), "$.execution_identity"), (drop("tools", 0, "configs"), "$.tools.0.configs"),
    (drop("tools", 0, "configs", 0, "type"), "$.tools.0.configs.0"), (drop("model", "effort"), "$.model.effort"),
    (drop("model", "speed"), "$.model.speed"), (put("surplus", to=1), "$.surplus"),
    (put("model", "surplus", to=1), "$.model.surplus"), (put("tools", to=None), "$.tools"),
    (put("metadata", to=None), "$.metadata"), (put("metadata", "k", to=1), "$.metadata.k"),
    (put("version", to="1"), "$.version"), (put("version", to=True), "$.version"), (put("version", to=1.5), "$.version"),
    (put("type", to="agents"), "$.type"), (put("id", to="agt_1"), "$.id"), (put("id", to="agent_"), "$.id"),
    (put("created_at", to="2026-10-20 08:44:58"), "$.created_at"),
    (put("created_at", to="2026-10-20T08:44:58+00:00"), "$.created_at"), (put("created_at", to=None), "$.created_at"),
    (put("model", to="claude-opus-5-5"), "$.model"), (put("model", "effort", to="high"), "$.model.effort"),
    (put("model", "speed", to="slow"), "$.model.speed"), (put("model", "inference_geo", to=None), "$.model.inference_geo"),
    (put("tools", 0, "type", to="nothing"), "$.tools.0.type"), (put("tools", 1, "input_schema", "type", to="array"),
                                                               "$.tools.1.input_schema.type"),
    (put("tools", 0, "default_config", "enabled", to=None), "$.tools.0.default_config.enabled"),
])
def test_each_mutation_of_an_agent_is_found(change: Callable[[Any], None], where: str) -> None:
    mutant = copy.deepcopy(AGENT)
    change(mutant)
    assert any(p.startswith(where) for p in shapes.response_problems("agents.retrieve", mutant))


@pytest.mark.parametrize(("change", "where"), [
    (drop("stop_details"), "$.stop_details"), (drop("stop_reason"), "$.stop_reason"),
    (put("stop_reason", "type", to="done"), "$.stop_reason.type"), (drop("stop_reason", "event_ids"), "$.stop_reason"),
    (put("id", to="evt_1"), "$.id"), (put("processed_at", to=None), "$.processed_at"), (put("x", to=1), "$.x"),
    (put("type", to="session.status_running"), "$"),
])
def test_each_mutation_of_a_frame_is_found(change: Callable[[Any], None], where: str) -> None:
    mutant = copy.deepcopy(IDLE)
    change(mutant)
    assert any(p.startswith(where) for p in shapes.frame_problems("session.status_idle", mutant))


def test_pages_must_be_exact() -> None:
    page = {"data": [ENVIRONMENT], "next_page": None}
    assert shapes.response_problems("environments.list", page) == []
    for wrong in [{"data": [ENVIRONMENT]}, {**page, "has_more": False}, {"data": None, "next_page": None},
                  {"data": [], "next_page": "page_x"}, {"data": [{}], "next_page": None}, []]:
        assert shapes.response_problems("environments.list", wrong)
    assert shapes.response_problems("sessions.list", {"data": [], "next_page": None})
    assert shapes.response_problems("sessions.list", {"data": [], "next_page": None, "prev_page": None}) == []


def test_error_envelopes_must_be_exact() -> None:
    headers = {"request-id": "req_1", "content-type": "application/json"}
    right = b'{"type":"error","error":{"type":"not_found_error","message":"m"},"request_id":"req_1"}'
    assert shapes.error_problems(404, headers, right) == []
    assert shapes.error_problems(400, headers, right)
    assert shapes.error_problems(404, {**headers, "request-id": "req_2"}, right)
    assert shapes.error_problems(404, headers, right.replace(b'"m"', b'""'))
    assert shapes.error_problems(404, headers, b"Not found")
    conflict = right.replace(b"not_found_error", b"conflict_error")
    assert shapes.error_problems(409, headers, conflict)
    assert shapes.error_problems(409, {**headers, "x-should-retry": "false"}, conflict) == []


def test_routes_are_told_apart() -> None:
    assert len(shapes.operations()) == 120
    found = {shapes.operation_of(o.method, o.path.replace("{", "").replace("}", "")) for o in shapes.operations()}
    assert found == set(shapes.operations())
    poll = shapes.operation_of("GET", "/v1/environments/env_1/work/poll")
    assert poll is not None and poll.name == "environments.work.poll"


def test_frames_are_read_over_any_cut() -> None:
    raw = b': hello\r\nid: 7\r\nevent: ping\r\ndata: {"type":"ping"}\r\n\r\nevent: a\ndata: {"x":\ndata: 1}\n\n'
    for cut in range(len(raw)):
        parser = Parser()
        frames = [*parser.feed(raw[:cut]), *parser.feed(raw[cut:])]
        assert [(f.event, f.data, f.id) for f in frames] == [("ping", {"type": "ping"}, "7"), ("a", {"x": 1}, None)]

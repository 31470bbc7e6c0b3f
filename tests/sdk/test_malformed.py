"""Malformed and forbidden requests, from `refusals/`: the documented status, an error that names the field, no 500.

That each error's envelope is exact and carries the `request-id` of its response is checked for all of them by
the transport that every request of these tests goes through.
"""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from hostler_process import Hostler
from refusals import agents, environments, events, files, lists, sessions, skills, transport
from refusals.case import UNSET, Case, filled
from wire import Ledger, Wire

CASES: list[Case] = [case for module in (transport, agents, environments, sessions, events, files, lists, skills)
                     for case in module.CASES]

TOOLSET = "agent_toolset_20260401"


@pytest.fixture(scope="module")
def world(shared_server: Hostler) -> Iterator[dict[str, str]]:
    """One of each thing that the refused requests speak of."""
    wire = Wire(shared_server.base_url, shared_server.api_key, Ledger())

    def agent(**fields: Any) -> str:
        return wire.post("/v1/agents", {"name": "n", "model": "claude-opus-5-5", **fields})["id"]

    def environment(**config: Any) -> str:
        return wire.post("/v1/environments", {"name": "e", **({"config": config} if config else {})})["id"]

    plain, env = agent(tools=[{"type": TOOLSET}]), environment()
    world = {
        "agent": plain, "env": env, "archived_agent": agent(), "archived_env": environment(),
        "multi_agent": agent(multiagent={"type": "multiagent_20261001"}),
        "role_agent": agent(execution_identity={"type": "aws_role", "role_arn": "arn:aws:iam::1:role/r"}),
        "self_hosted_env": environment(type="self_hosted"),
        "session": wire.post("/v1/sessions", {"agent": plain, "environment_id": env})["id"],
        "archived_session": wire.post("/v1/sessions", {"agent": plain, "environment_id": env})["id"],
        "file": wire.ok("POST", "/v1/files", files={"file": ("a.txt", b"x", "text/plain")})["id"],
    }
    wire.post(f"/v1/agents/{world['archived_agent']}/archive")
    wire.post(f"/v1/environments/{world['archived_env']}/archive")
    wire.post(f"/v1/sessions/{world['archived_session']}/archive")
    wire.close()
    yield world


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_refused(case: Case, wire: Wire, world: dict[str, str]) -> None:
    options: dict[str, Any] = {"headers": case.headers}
    if case.json is not UNSET:
        options["json"] = filled(case.json, world)
    if case.raw is not None:
        options["content"] = case.raw
    if case.files is not None:
        options["files"] = case.files
    if case.form is not None:
        options["data"] = case.form
    if case.query:
        options["params"] = [(k, filled(v, world)) for k, v in case.query]
    response = wire.call(case.method, filled(case.path, world), **options)
    assert response.status_code == case.status, response.text[:1000]
    error = response.json()["error"]
    assert case.says in error["message"], f"{case.says!r} is not in {error['message']!r:.1000}"
    assert len(error["message"]) <= 4096, "an error echoes the request at length"
    if case.code is not None:
        assert error.get("details", {}).get("error_code") == case.code


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 200
    assert len({c.name for c in CASES}) == len(CASES)


def test_nothing_was_changed_by_a_refused_request(wire: Wire, world: dict[str, str]) -> None:
    """All-or-nothing: after all the refusals above, what they were aimed at is as it was."""
    assert wire.get(f"/v1/agents/{world['agent']}")["version"] == 1
    session = wire.get(f"/v1/sessions/{world['session']}")
    assert (session["status"], session["title"], session["metadata"]) == ("idle", None, {})
    assert wire.events(world["session"]) == []
    environment = wire.get(f"/v1/environments/{world['env']}")
    assert (environment["name"], environment["archived_at"]) == ("e", None)

"""Lists: every page once, in order, forwards and backwards, with each filter."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from fake_model import FakeModel, Reply, text, tool_use
from subscriber import Subscriber
from wire import Wire

COUNT = 7


@pytest.fixture
def seven(wire: Wire, agent: dict[str, Any], environment: dict[str, Any]) -> list[str]:
    """The ids of seven sessions of an agent of their own, oldest first."""
    return [wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": environment["id"], "title": str(n)})["id"]
            for n in range(COUNT)]


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["data"]]


def test_sessions_forwards_and_back(wire: Wire, agent: dict[str, Any], seven: list[str]) -> None:
    newest_first = seven[::-1]
    first = wire.get("/v1/sessions", agent_id=agent["id"], limit=3)
    second = wire.get("/v1/sessions", agent_id=agent["id"], limit=3, page=first["next_page"])
    third = wire.get("/v1/sessions", agent_id=agent["id"], limit=3, page=second["next_page"])
    assert ids(first) + ids(second) + ids(third) == newest_first
    assert (first["prev_page"], third["next_page"]) == (None, None)
    back = wire.get("/v1/sessions", agent_id=agent["id"], limit=3, page=third["prev_page"])
    assert ids(back) == ids(second)
    start = wire.get("/v1/sessions", agent_id=agent["id"], limit=3, page=back["prev_page"])
    assert ids(start) == ids(first)
    assert start["prev_page"] is None
    ascending = wire.get("/v1/sessions", agent_id=agent["id"], order="asc")
    assert ids(ascending) == seven


def test_a_cursor_keeps_its_order(wire: Wire, agent: dict[str, Any], seven: list[str]) -> None:
    page = wire.get("/v1/sessions", agent_id=agent["id"], limit=2)["next_page"]
    refused = wire.call("GET", "/v1/sessions", params={"page": page, "order": "asc", "agent_id": agent["id"]})
    assert refused.status_code == 400
    assert "order" in refused.json()["error"]["message"]
    wider = wire.get("/v1/sessions", agent_id=agent["id"], limit=4, page=page)
    assert ids(wider) == seven[::-1][2:6]


def test_the_sdk_reads_every_page(client: anthropic.Anthropic, agent: dict[str, Any], seven: list[str]) -> None:
    assert [s.id for s in client.beta.sessions.list(agent_id=agent["id"], limit=2)] == seven[::-1]
    agents = [a.id for a in client.beta.agents.list(limit=3)]
    assert agent["id"] in agents and len(set(agents)) == len(agents)
    environments = [e.id for e in client.beta.environments.list(limit=3)]
    assert len(set(environments)) == len(environments)
    files = [f.id for f in client.beta.files.list(limit=3)]
    assert len(set(files)) == len(files)
    models = [m.id for m in client.beta.models.list(limit=2)]
    assert len(models) > 2 and len(set(models)) == len(models)


def test_sessions_by_filter(wire: Wire, agent: dict[str, Any], seven: list[str], model: FakeModel) -> None:
    def found(**query: Any) -> set[str]:
        return set(ids(wire.get("/v1/sessions", agent_id=agent["id"], limit=100, **query)))

    wire.post(f"/v1/sessions/{seven[0]}/archive")
    assert found() == set(seven[1:])
    assert found(include_archived="true") == set(seven)
    assert found(**{"statuses[]": "idle"}) == set(seven[1:])
    assert found(**{"statuses[]": ["terminated", "running"], "include_archived": "true"}) == {seven[0]}
    assert found(agent_version=1) == set(seven[1:])
    assert found(agent_version=2) == set()
    middle = wire.get(f"/v1/sessions/{seven[3]}")["created_at"]
    assert found(**{"created_at[gte]": middle}) == set(seven[3:])
    assert found(**{"created_at[gt]": middle}) == set(seven[4:])
    assert found(**{"created_at[lt]": middle}) == set(seven[1:3])
    assert found(**{"created_at[lte]": middle}) == set(seven[1:4])
    assert found(deployment_id="depl_011CZkZ9X2dpNyB7HsEFoRfW") == set()
    assert found(memory_store_id="memstore_011CZkZ9X2dpNyB7HsEFoRfW") == set()
    assert found(beta="true", something="unknown") == set(seven[1:])


def test_events_by_filter(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say(Reply([text("Looking."), tool_use("bash", command="true")]), "Done.")
    with Subscriber(wire, session["id"]) as stream:
        wire.say(session["id"], "Go.")
        stream.wait_for_idle()
    everything = wire.events(session["id"])
    assert wire.events(session["id"], limit=2) == everything
    assert wire.events(session["id"], order="desc") == everything[::-1]
    assert wire.events(session["id"], order="desc", limit=3) == everything[::-1]
    assert wire.events(session["id"], limit=100_000) == everything
    messages = wire.events(session["id"], **{"types[]": ["agent.message", "user.message"]})
    assert messages == [e for e in everything if e["type"] in ("agent.message", "user.message")]
    assert wire.events(session["id"], limit=1, **{"types[]": "agent.message"}) == [
        e for e in everything if e["type"] == "agent.message"]
    assert wire.events(session["id"], types=["agent.message"]) == [e for e in everything if e["type"] == "agent.message"]
    middle = everything[len(everything) // 2]["processed_at"]
    late = wire.events(session["id"], **{"created_at[gt]": middle})
    early = wire.events(session["id"], **{"created_at[lte]": middle})
    assert early + late == everything
    cursor = wire.get(f"/v1/sessions/{session['id']}/events", limit=2)["next_page"]
    wrong = wire.call("GET", f"/v1/sessions/{session['id']}/events", params={"page": cursor, "order": "desc"})
    assert wrong.status_code == 400


def test_agent_and_version_pages(wire: Wire) -> None:
    agent = wire.post("/v1/agents", {"name": "0", "model": "claude-opus-5-5"})
    path = f"/v1/agents/{agent['id']}"
    for n in range(1, 5):
        wire.post(path, {"name": str(n)})
    first = wire.get(f"{path}/versions", limit=3)
    rest = wire.get(f"{path}/versions", limit=3, page=first["next_page"])
    assert [a["version"] for a in first["data"] + rest["data"]] == [5, 4, 3, 2, 1]
    assert rest["next_page"] is None
    created = agent["created_at"]
    assert agent["id"] in ids(wire.get("/v1/agents", limit=100, **{"created_at[gte]": created, "created_at[lte]": created}))


def test_models_page_by_id(wire: Wire) -> None:
    everything = wire.get("/v1/models", limit=1000)
    assert everything["has_more"] is False
    known = ids(everything)
    assert (everything["first_id"], everything["last_id"]) == (known[0], known[-1])
    first = wire.get("/v1/models", limit=2)
    assert (ids(first), first["has_more"]) == (known[:2], len(known) > 2)
    after = wire.get("/v1/models", limit=2, after_id=first["last_id"])
    assert ids(after) == known[2:4]
    before = wire.get("/v1/models", limit=2, before_id=after["first_id"])
    assert ids(before) == known[:2]

"""Environments: defaults, deep merges, and when one may go."""

from __future__ import annotations

from typing import Any

import anthropic

from wire import Wire

NO_PACKAGES = {"type": "packages", "apt": [], "cargo": [], "gem": [], "go": [], "npm": [], "pip": []}


def create(wire: Wire, **fields: Any) -> dict[str, Any]:
    return wire.post("/v1/environments", {"name": "e"} | fields)


def test_the_least_environment_is_a_cloud_without_limits(wire: Wire) -> None:
    cloud = {"type": "cloud", "networking": {"type": "unrestricted"}, "packages": NO_PACKAGES}
    for config in [{}, {"config": None}, {"config": {"type": "cloud"}},
                   {"config": {"type": "cloud", "networking": None, "packages": None}}]:
        environment = create(wire, **config)
        assert environment["config"] == cloud
        assert (environment["description"], environment["metadata"], environment["archived_at"]) == (None, {}, None)


def test_names_need_not_be_unique(wire: Wire) -> None:
    assert create(wire)["id"] != create(wire)["id"]


def test_self_hosted_is_just_that(wire: Wire) -> None:
    assert create(wire, config={"type": "self_hosted"})["config"] == {"type": "self_hosted"}


def test_limited_networking_is_filled_up(wire: Wire) -> None:
    environment = create(wire, config={"type": "cloud", "networking": {"type": "limited"}})
    assert environment["config"]["networking"] == {"type": "limited", "allowed_hosts": [], "allow_mcp_servers": False,
                                                   "allow_package_managers": False}


def test_an_update_merges_deeply(wire: Wire) -> None:
    environment = create(wire, description="d", metadata={"a": "1", "b": "2"}, config={
        "type": "cloud", "packages": {"pip": ["pandas==2.2.0"], "apt": ["graphviz"]},
        "networking": {"type": "limited", "allowed_hosts": ["example.com"], "allow_package_managers": True}})
    path = f"/v1/environments/{environment['id']}"
    second = wire.post(path, {"config": {"type": "cloud", "packages": {"pip": []}},
                              "metadata": {"a": None, "b": "", "c": "3"}, "description": None})
    assert second["config"]["packages"] == {**NO_PACKAGES, "apt": ["graphviz"]}
    assert second["config"]["networking"] == environment["config"]["networking"]
    assert (second["metadata"], second["description"], second["name"]) == ({"c": "3"}, None, "e")
    third = wire.post(path, {"config": {"type": "cloud", "networking": {"type": "limited", "allow_mcp_servers": True}}})
    assert third["config"]["networking"] == {"type": "limited", "allowed_hosts": ["example.com"],
                                             "allow_mcp_servers": True, "allow_package_managers": True}
    fourth = wire.post(path, {"config": {"type": "cloud", "networking": {"type": "unrestricted"}}})
    assert fourth["config"]["networking"] == {"type": "unrestricted"}
    assert wire.post(path, {"description": ""})["description"] == ""


def test_archive_and_delete(client: anthropic.Anthropic) -> None:
    environment = client.beta.environments.create(name="short-lived")
    archived = client.beta.environments.archive(environment.id)
    assert archived.archived_at
    assert client.beta.environments.archive(environment.id) == archived
    assert environment.id not in [e.id for e in client.beta.environments.list(limit=100)]
    assert environment.id in [e.id for e in client.beta.environments.list(limit=100, include_archived=True)]
    assert client.beta.environments.delete(environment.id).id == environment.id


def test_an_environment_goes_when_its_last_session_has_gone(wire: Wire, session: dict[str, Any]) -> None:
    path = f"/v1/environments/{session['environment_id']}"
    assert wire.call("DELETE", path).status_code == 409
    wire.delete(f"/v1/sessions/{session['id']}")
    assert wire.delete(path) == {"id": session["environment_id"], "type": "environment_deleted"}
    assert wire.call("GET", path).status_code == 404


def test_a_session_keeps_the_archived_environment_that_it_has(wire: Wire, session: dict[str, Any]) -> None:
    wire.post(f"/v1/environments/{session['environment_id']}/archive")
    assert wire.get(f"/v1/sessions/{session['id']}")["environment_id"] == session["environment_id"]

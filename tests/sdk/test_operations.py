"""Walks all 120 operations of the contract: each is done, with an answer of the right shape, or refused by name.

Nothing may be forgotten (404 on a known route) or accepted and ignored. The table at the end of the run lists both.
"""

from __future__ import annotations

from typing import Any

import pytest

import shapes
from fake_model import FakeModel
from subscriber import Subscriber
from wire import Ledger, Wire, user_message

REFUSED = tuple(o for o in shapes.operations() if o.name not in shapes.DONE)

# The longest prefix of the operation's name decides which words its refusal must contain one of.
FEATURE_WORDS = {
    "environments.work": ("work",), "sessions.threads": ("thread",), "sessions.resources": ("resource",),
    "vaults": ("vault", "credential"), "memory_stores": ("memor",),
    "deployments": ("deployment",), "deployment_runs": ("deployment",), "dreams": ("dream",),
    "tunnels": ("tunnel",), "user_profiles": ("user profile", "user_profile"), "organization.webhooks": ("webhook",),
}

# Bodies that would be right if the feature were there: a refusal must not hide behind a validation error.
BODIES: dict[str, Any] = {
    "memory_stores.create": {"name": "m"},
    "memory_stores.memories.create": {"path": "/a.md", "content": "x"},
    "dreams.create": {"inputs": [], "model": "claude-opus-5-5"},
    "deployments.create": {"name": "d", "agent": "agent_1", "environment_id": "env_1",
                           "initial_events": [user_message("go")]},
    "tunnels.create": {"display_name": "t"},
    "user_profiles.create": {"name": "u"},
    "organization.webhooks.create": {"name": "w", "url": "https://example.com/hook", "enabled_events": ["session.idled"]},
}

PLACES = {
    "work_id": "work_011CZkZ9X2dpNyB7HsEFoRfW", "resource_id": "sesrsc_011CZkZ9X2dpNyB7HsEFoRfW",
    "thread_id": "sthr_011CZkZ9X2dpNyB7HsEFoRfW", "vault_id": "vlt_011CZkZ9X2dpNyB7HsEFoRfW",
    "credential_id": "vcrd_011CZkZ9X2dpNyB7HsEFoRfW", "memory_store_id": "memstore_011CZkZ9X2dpNyB7HsEFoRfW",
    "memory_id": "mem_011CZkZ9X2dpNyB7HsEFoRfW", "memory_version_id": "memver_011CZkZ9X2dpNyB7HsEFoRfW",
    "deployment_id": "depl_011CZkZ9X2dpNyB7HsEFoRfW", "deployment_run_id": "drun_011CZkZ9X2dpNyB7HsEFoRfW",
    "dream_id": "drm_011CZkZ9X2dpNyB7HsEFoRfW", "tunnel_id": "tnl_011CZkZ9X2dpNyB7HsEFoRfW",
    "certificate_id": "tcrt_011CZkZ9X2dpNyB7HsEFoRfW", "user_profile_id": "uprof_011CZkZ9X2dpNyB7HsEFoRfW",
    "webhook_endpoint_id": "whep_011CZkZ9X2dpNyB7HsEFoRfW",
}


def feature_words(name: str) -> tuple[str, ...]:
    prefix = max((p for p in FEATURE_WORDS if name.startswith(p + ".")), key=len)
    return FEATURE_WORDS[prefix]


@pytest.mark.parametrize("operation", REFUSED, ids=lambda o: o.name)
def test_refused_by_name(operation: shapes.Operation, wire: Wire, walked: dict[str, str],
                         session: dict[str, Any]) -> None:
    places = PLACES | {"session_id": session["id"], "environment_id": session["environment_id"]}
    body = {"json": BODIES.get(operation.name, {})} if operation.method == "POST" else {}
    response = wire.call(operation.method, operation.path.format(**places), **body)
    walked[operation.name] = f"{response.status_code}?"
    error = response.json()["error"]
    assert response.status_code == 400, error
    assert error["type"] == "invalid_request_error"
    assert error.get("details") == {"error_code": "feature_not_supported"}
    assert any(word in error["message"].lower() for word in feature_words(operation.name)), error["message"]
    walked[operation.name] = "refused"


def walk_agents(wire: Wire) -> dict[str, Any]:
    agent = wire.post("/v1/agents", {"name": "Walker", "model": "claude-opus-5-5",
                                     "tools": [{"type": "agent_toolset_20260401"}]})
    path = f"/v1/agents/{agent['id']}"
    assert wire.get(path) == agent
    updated = wire.post(path, {"description": "walks"})
    assert updated["version"] == 2
    assert [a["version"] for a in wire.get(f"{path}/versions")["data"]] == [2, 1]
    assert updated in wire.get("/v1/agents")["data"]
    return updated


def walk_environments(wire: Wire) -> dict[str, Any]:
    environment = wire.post("/v1/environments", {"name": "walked"})
    path = f"/v1/environments/{environment['id']}"
    assert wire.get(path) == environment
    assert wire.post(path, {"description": "d"})["description"] == "d"
    assert environment["id"] in [e["id"] for e in wire.get("/v1/environments")["data"]]
    spare = wire.post("/v1/environments", {"name": "spare"})
    assert wire.post(f"/v1/environments/{spare['id']}/archive")["archived_at"]
    assert wire.delete(f"/v1/environments/{spare['id']}")["type"] == "environment_deleted"
    return environment


def walk_sessions(wire: Wire, model: FakeModel, agent_id: str, environment_id: str) -> None:
    session = wire.post("/v1/sessions", {"agent": agent_id, "environment_id": environment_id})
    path = f"/v1/sessions/{session['id']}"
    model.say("Hello.")
    with Subscriber(wire, session["id"]) as stream:
        wire.say(session["id"], "Hi.")
        stream.wait_for_idle()
    assert [e["id"] for e in wire.events(session["id"])] == [e["id"] for e in stream.events]
    assert wire.get(path)["status"] == "idle"
    assert wire.post(path, {"title": "Walked"})["title"] == "Walked"
    assert session["id"] in [s["id"] for s in wire.get("/v1/sessions")["data"]]
    walk_resources(wire, path)
    walk_repository(wire, agent_id, environment_id)
    assert wire.post(f"{path}/archive")["status"] == "terminated"
    assert wire.delete(path) == {"id": session["id"], "type": "session_deleted"}


def walk_resources(wire: Wire, session: str) -> None:
    file = wire.ok("POST", "/v1/files", files={"file": ("in.txt", b"hello", "text/plain")})
    added = wire.post(f"{session}/resources", {"type": "file", "file_id": file["id"], "mount_path": "/in.txt"})
    assert wire.get(f"{session}/resources") == {"data": [added], "next_page": None}
    assert wire.get(session)["resources"] == [added]
    path = f"{session}/resources/{added['id']}"
    assert wire.get(path) == added
    assert wire.delete(path) == {"id": added["id"], "type": "session_resource_deleted"}
    assert wire.get(f"{session}/resources") == {"data": [], "next_page": None}


def walk_repository(wire: Wire, agent_id: str, environment_id: str) -> None:
    given = {"type": "github_repository", "url": "https://github.com/a/b", "authorization_token": "t"}
    made = wire.post("/v1/sessions", {"agent": agent_id, "environment_id": environment_id, "resources": [given]})
    [repository] = made["resources"]
    path = f"/v1/sessions/{made['id']}"
    updated = wire.post(f"{path}/resources/{repository['id']}", {"authorization_token": "u"})
    assert updated | {"updated_at": repository["updated_at"]} == repository
    wire.delete(path)


def walk_files(wire: Wire) -> None:
    file = wire.ok("POST", "/v1/files", files={"file": ("notes.txt", b"hello", "text/plain")})
    path = f"/v1/files/{file['id']}"
    assert wire.get(path) == file
    assert file in wire.get("/v1/files")["data"]
    content = wire.call("GET", f"{path}/content")
    if file["downloadable"]:
        assert (content.status_code, content.content) == (200, b"hello")
    else:
        assert content.status_code == 400
        assert content.json()["error"]["details"]["error_code"] == "file_not_downloadable"
    assert wire.delete(path)["type"] == "file_deleted"
    assert wire.call("GET", path).status_code == 404


def walk_skills(wire: Wire) -> None:
    files = [("files[]", ("f/SKILL.md", b"---\nname: walked\ndescription: Walks.\n---\n", "text/markdown"))]
    skill = wire.ok("POST", "/v1/skills", files=files)
    path = f"/v1/skills/{skill['id']}"
    assert wire.get(path) == skill
    assert skill in wire.get("/v1/skills")["data"]
    version = wire.ok("POST", f"{path}/versions", files=files)
    inner = f"{path}/versions/{version['id']}"
    assert wire.get(inner) == version == wire.get(f"{path}/versions/latest")
    assert version in wire.get(f"{path}/versions")["data"]
    assert wire.call("GET", f"{inner}/content").content.startswith(b"PK")
    assert wire.delete(inner) == {"id": version["id"], "type": "skill_version_deleted"}
    assert wire.delete(path) == {"id": skill["id"], "type": "skill_deleted"}


def walk_vaults(wire: Wire) -> None:
    vault = wire.post("/v1/vaults", {"display_name": "walked"})
    path = f"/v1/vaults/{vault['id']}"
    assert wire.get(path) == vault
    assert vault in wire.get("/v1/vaults")["data"]
    assert wire.post(path, {"metadata": {"a": "b"}})["metadata"] == {"a": "b"}
    # Nobody listens there, and it is no public address either.
    auth = {"type": "mcp_oauth", "access_token": "t", "mcp_server_url": "http://127.0.0.1:9"}
    credential = wire.post(f"{path}/credentials", {"auth": auth})
    inner = f"{path}/credentials/{credential['id']}"
    assert wire.get(inner) == credential
    assert wire.get(f"{path}/credentials") == {"data": [credential], "next_page": None}
    assert wire.post(inner, {"display_name": "d"})["display_name"] == "d"
    assert wire.post(f"{inner}/mcp_oauth_validate")["status"] == "unknown"
    assert wire.post(f"{inner}/archive")["archived_at"]
    assert wire.delete(inner) == {"id": credential["id"], "type": "vault_credential_deleted"}
    assert wire.post(f"{path}/archive")["archived_at"]
    assert wire.delete(path) == {"id": vault["id"], "type": "vault_deleted"}


def walk_models(wire: Wire) -> None:
    page = wire.get("/v1/models")
    assert page["data"], "an installation without a model cannot run anything"
    first = page["data"][0]
    assert wire.get(f"/v1/models/{first['id']}") == first


def test_everything_else_is_done(wire: Wire, ledger: Ledger, model: FakeModel, walked: dict[str, str]) -> None:
    agent = walk_agents(wire)
    environment = walk_environments(wire)
    walk_sessions(wire, model, agent["id"], environment["id"])
    walk_files(wire)
    walk_models(wire)
    walk_vaults(wire)
    walk_skills(wire)
    assert wire.post(f"/v1/agents/{agent['id']}/archive")["archived_at"]
    for name in sorted(shapes.DONE):
        statuses = ledger.statuses(name)
        # An upload cannot be downloaded, as on the hosted service: its refusal is the documented answer.
        done = 200 in statuses or (name in shapes.BINARY and 400 in statuses)
        walked[name] = "done" if done else f"{statuses}?"
        assert done, f"{name}: {statuses}"


def test_no_operation_is_forgotten() -> None:
    assert len(shapes.operations()) == 120
    assert shapes.DONE <= {o.name for o in shapes.operations()}
    assert all(feature_words(o.name) for o in REFUSED)
    assert set(BODIES) <= {o.name for o in REFUSED}

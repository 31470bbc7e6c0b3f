"""Vaults and credentials through the official SDK, and where their secrets must never be."""

from __future__ import annotations

import json
import secrets
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import anthropic
import pytest

from conftest import SETTINGS
from fake_model import FakeModel
from hostler_process import Hostler, binary, contents
from wire import Wire

UNRESTRICTED = {"type": "unrestricted"}


def variable(name: str, value: str) -> dict[str, Any]:
    return {"type": "environment_variable", "secret_name": name, "secret_value": value, "networking": UNRESTRICTED}


def oauth(token: str, refresh_token: str, client_secret: str) -> dict[str, Any]:
    return {"type": "mcp_oauth", "access_token": token, "mcp_server_url": "https://mcp.example.com/sse",
            "refresh": {"client_id": "c", "refresh_token": refresh_token,
                        "token_endpoint": "https://auth.example.com/token",
                        "token_endpoint_auth": {"type": "client_secret_basic", "client_secret": client_secret}}}


def test_the_life_of_a_vault(client: anthropic.Anthropic) -> None:
    vault = client.beta.vaults.create(display_name="Prod", metadata={"team": "ops"})
    assert client.beta.vaults.retrieve(vault.id) == vault
    renamed = client.beta.vaults.update(vault.id, display_name="Production", metadata={"team": None})
    assert (renamed.display_name, renamed.metadata) == ("Production", {})
    assert vault.id in [v.id for v in client.beta.vaults.list(limit=100)]
    assert client.beta.vaults.archive(vault.id).archived_at
    assert vault.id not in [v.id for v in client.beta.vaults.list(limit=100)]
    assert vault.id in [v.id for v in client.beta.vaults.list(limit=100, include_archived=True)]
    assert client.beta.vaults.delete(vault.id).type == "vault_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.beta.vaults.retrieve(vault.id)


def test_the_life_of_a_credential(client: anthropic.Anthropic) -> None:
    vault = client.beta.vaults.create(display_name="v")
    credentials = client.beta.vaults.credentials
    made = credentials.create(vault.id, auth=oauth("a", "r", "s"), display_name="d")  # type: ignore[arg-type]
    assert credentials.retrieve(made.id, vault_id=vault.id) == made
    assert made.auth.type == "mcp_oauth" and made.auth.refresh and made.auth.refresh.client_id == "c"
    updated = credentials.update(made.id, vault_id=vault.id, auth={"type": "mcp_oauth", "access_token": "b",
                                                                   "expires_at": "2030-01-01T00:00:00Z"})
    assert updated.auth.type == "mcp_oauth" and updated.auth.expires_at
    with pytest.raises(anthropic.ConflictError):
        credentials.create(vault.id, auth={"type": "static_bearer", "token": "t",
                                           "mcp_server_url": "https://MCP.example.com:443/sse/"})
    assert credentials.archive(made.id, vault_id=vault.id).archived_at
    assert [c.id for c in credentials.list(vault.id)] == []
    assert [c.id for c in credentials.list(vault.id, include_archived=True)] == [made.id]
    assert credentials.delete(made.id, vault_id=vault.id).type == "vault_credential_deleted"


def test_each_kind_keeps_its_secrets_to_itself(wire: Wire, server: Hostler) -> None:
    canaries = [secrets.token_hex(16) for _ in range(5)]
    path = f"/v1/vaults/{wire.post('/v1/vaults', {'display_name': 'v'})['id']}/credentials"
    for auth in [oauth(*canaries[:3]), variable("KEY", canaries[3]),
                 {"type": "static_bearer", "token": canaries[4], "mcp_server_url": "https://b.example.com"}]:
        answer = json.dumps(wire.post(path, {"auth": auth}))
        assert not any(canary in answer for canary in canaries)
    # Neither is one of them in a file of the data folder, nor in what the server says of itself.
    for file, content in contents(server.folder):
        assert not any(canary.encode() in content for canary in canaries), file


def test_a_session_is_given_vaults(client: anthropic.Anthropic, agent: dict[str, Any], environment: dict[str, Any]) -> None:
    first, second, archived = (client.beta.vaults.create(display_name=name) for name in "abc")
    client.beta.vaults.archive(archived.id)
    given = [second.id, first.id]
    session = client.beta.sessions.create(agent=agent["id"], environment_id=environment["id"], vault_ids=given)
    assert session.vault_ids == given
    assert client.beta.sessions.update(session.id, title="t").vault_ids == given
    with pytest.raises(anthropic.BadRequestError, match=rf"vault_ids\.1: {archived.id} is archived"):
        client.beta.sessions.create(agent=agent["id"], environment_id=environment["id"], vault_ids=[first.id, archived.id])
    with pytest.raises(anthropic.BadRequestError, match="vault_ids"):
        client.beta.sessions.update(session.id, vault_ids=[first.id])
    # Running sessions go on without it, and say so by naming it still.
    client.beta.vaults.delete(second.id)
    assert client.beta.sessions.retrieve(session.id).vault_ids == given
    assert session.id in [one.id for one in client.beta.sessions.list(limit=100)]


def test_a_wrong_one_is_refused_by_its_path_and_not_repeated(wire: Wire) -> None:
    path = f"/v1/vaults/{wire.post('/v1/vaults', {'display_name': 'v'})['id']}/credentials"
    canary = secrets.token_hex(16)
    for auth, at in [
        ({"type": "static_bearer", "token": canary}, "auth.mcp_server_url"),
        ({"type": "static_bearer", "token": f"{canary}\n", "mcp_server_url": "https://a.example"}, "auth.token"),
        (variable("PATH", canary), "auth.secret_name"),
        (variable("A", canary) | {"injection_location": None}, "auth.injection_location"),
        ({"type": "mcp_oauth", "access_token": canary, "mcp_server_url": "https://a.example",
          "expires_at": "2020-01-01T00:00:00Z"}, "auth.expires_at"),
        ({"type": "password", "token": canary}, "auth.type"),
    ]:
        answer = wire.call("POST", path, json={"auth": auth})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith(f"{at}: ")
        assert canary not in answer.text


def run(server: Hostler, *arguments: str, **settings: str) -> str:
    environment = server._environment() | settings
    command = [str(binary()), *arguments, "--data-dir", str(server.data)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_server_makes_its_own_key_and_changes_it(fake_model: FakeModel, tmp_path: Path) -> None:
    settings = {k: v for k, v in SETTINGS.items() if not k.startswith("HOSTLER__VAULTS__")}
    server = Hostler(tmp_path, fake_model.url, settings, database="").start()
    key = server.data / "vault.key"
    assert key.stat().st_mode & 0o777 == 0o600
    client = anthropic.Anthropic(base_url=server.base_url, api_key=server.api_key)
    vault = client.beta.vaults.create(display_name="v")
    made = client.beta.vaults.credentials.create(vault.id, auth=variable("KEY", "one"))  # type: ignore[arg-type]
    server.kill()

    # A new key seals, the old one opens; the server runs while all is moved to the new one.
    (tmp_path / "new.key").write_text(subprocess.check_output(["openssl", "rand", "-base64", "32"], text=True))
    server.settings |= {"HOSTLER__VAULTS__MASTER_KEY_FILE": str(tmp_path / "new.key"),
                         "HOSTLER__VAULTS__OTHER_MASTER_KEY_FILES": f'["{key}"]'}
    server.start()
    assert "which it opens" in run(server, "vaults", "keys")
    assert run(server, "vaults", "rewrap").startswith("1 credentials are sealed with ")
    assert run(server, "vaults", "rewrap").startswith("0 credentials")
    assert len(run(server, "vaults", "keys").splitlines()) == 1
    server.stop()

    # The old one can go: the secret is still there to be changed.
    key.unlink()
    del server.settings["HOSTLER__VAULTS__OTHER_MASTER_KEY_FILES"]
    server.start()
    client = anthropic.Anthropic(base_url=server.base_url, api_key=server.api_key)
    updated = client.beta.vaults.credentials.update(made.id, vault_id=vault.id, display_name="kept")
    assert updated.display_name == "kept"
    server.stop()
    sealed = sqlite3.connect(server.data / "hostler.db").execute("select sealed_by, version from credentials")
    assert [version for _, version in sealed.fetchall()] == [2]


def test_a_lost_key_is_named_and_the_rest_works(fake_model: FakeModel, tmp_path: Path) -> None:
    settings = {k: v for k, v in SETTINGS.items() if not k.startswith("HOSTLER__VAULTS__")}
    server = Hostler(tmp_path, fake_model.url, settings, database="").start()
    client = anthropic.Anthropic(base_url=server.base_url, api_key=server.api_key)
    vault = client.beta.vaults.create(display_name="v")
    made = client.beta.vaults.credentials.create(vault.id, auth=variable("KEY", "one"))  # type: ignore[arg-type]
    server.stop()
    (server.data / "vault.key").unlink()
    server.start()
    assert "a master key that this server does not have" in server.logs()
    client = anthropic.Anthropic(base_url=server.base_url, api_key=server.api_key, max_retries=0)
    with pytest.raises(anthropic.BadRequestError, match="master key"):
        client.beta.vaults.credentials.update(made.id, vault_id=vault.id, display_name="d")
    assert client.beta.vaults.credentials.archive(made.id, vault_id=vault.id).archived_at
    client.beta.vaults.credentials.create(vault.id, auth=variable("KEY", "two"))  # type: ignore[arg-type]
    server.stop()


@pytest.mark.parametrize("command", ["exit 3", "true", "echo short"])
def test_a_command_that_gives_no_key_keeps_the_server_from_starting(command: str, fake_model: FakeModel,
                                                                    tmp_path: Path) -> None:
    program = tmp_path / "key"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    server = Hostler(tmp_path, fake_model.url, {}, database="")
    environment = server._environment() | {"HOSTLER__VAULTS__MASTER_KEY_COMMAND": f'["{program}"]'}
    done = subprocess.run([str(binary()), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(server.data)],
                          env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "vaults.master_key_command" in done.stderr

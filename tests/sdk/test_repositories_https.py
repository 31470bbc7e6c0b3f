"""Tokens over TLS: a Git server whose certificate a private authority has signed, which the server trusts by its
environment. The sandbox sees the certificate of its gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest

from conftest import SETTINGS
from fake_model import FakeModel
from git_server import GitServer
from hostler_process import Hostler
from secret_host import certify
from test_repositories import (  # noqa: F401 - they run here with the fixtures below
    HOST, given, made, output, repositories, run, test_a_token_clones_fetches_and_pushes_and_is_never_inside,
    test_a_token_is_rotated_in_a_running_session)
from wire import Ledger, Wire


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return certify(tmp_path_factory.mktemp("authority"), HOST)


@pytest.fixture(scope="module")
def git_server(authority: tuple[Path, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(repositories(tmp_path_factory.mktemp("git")), authority[1:]) as server:
        yield server


def settings(server: GitServer) -> dict[str, str]:
    return SETTINGS | {
        "HOSTLER__REPOSITORIES__ALLOWED_HOSTS": f'["{HOST}:{server.port}"]',
        f"HOSTLER__NETWORK__HOSTS__{HOST}": "127.0.0.1",
    }


@pytest.fixture(scope="module")
def shared_server(fake_model: FakeModel, git_server: GitServer, authority: tuple[Path, Path, Path],
                  tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostler]:
    trusting = settings(git_server) | {"SSL_CERT_FILE": str(authority[0])}
    server = Hostler(tmp_path_factory.mktemp("hostler"), fake_model.url, trusting).start()
    yield server
    server.stop()


def test_the_authority_of_the_operator_counts_without_a_token_too(
        wire: Wire, model: FakeModel, agent: dict[str, Any], environment: dict[str, Any],
        git_server: GitServer) -> None:
    session = made(wire, agent, environment, given(git_server, None, "/tool.git"))
    events = run(wire, model, session["id"], "cat tool/README")
    assert output(events) == "A tool.\n", events


@pytest.mark.parametrize("token", ["ghp_for_the_right_one_only", None])
def test_a_host_that_nobody_vouches_for_is_told_apart_and_gets_no_token(
        token: str | None, model: FakeModel, fake_model: FakeModel, ledger: Ledger, git_server: GitServer,
        tmp_path: Path) -> None:
    hostler = Hostler(tmp_path / "h", fake_model.url, settings(git_server)).start()
    wire = Wire(hostler.base_url, hostler.api_key, ledger)
    agent: dict[str, Any] = wire.post("/v1/agents", {"name": "A", "model": "claude-opus-5-5",
                                                     "tools": [{"type": "agent_toolset_20260401"}]})
    environment = wire.post("/v1/environments", {"name": "E"})
    asked = (len(git_server.sign_ins), len(git_server.asked))
    session = made(wire, agent, environment, given(git_server, token, "/tool.git"))
    events = run(wire, model, session["id"], "ls")
    [error] = [event["error"] for event in events if event["type"] == "session.error"]
    assert error["type"] == "repository_clone_error", error
    cause = f"The host {HOST} does not prove who it is, so nothing was sent to it: invalid peer certificate: UnknownIssuer"
    assert cause in error["message"] and error["message"] in output(events), error
    assert (len(git_server.sign_ins), len(git_server.asked)) == asked
    hostler.stop()

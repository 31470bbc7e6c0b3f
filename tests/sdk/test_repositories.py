"""Git repositories of sessions, from a real Git server on loopback to the tools that work in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import anthropic
import pytest

from conftest import SETTINGS
from fake_model import FakeModel, Reply, tool_use
from git_server import GitServer, git
from hostler_process import Hostler
from subscriber import Subscriber, settle
from test_crash import finish, sandbox, workspace
from wire import Ledger, Wire

HOST = "git.test"


def settings(server: GitServer) -> dict[str, str]:
    return SETTINGS | {
        "HOSTLER__REPOSITORIES__ALLOWED_HOSTS": f'["http://{HOST}:{server.port}"]',
        f"HOSTLER__NETWORK__HOSTS__{HOST}": "127.0.0.1",
    }


@pytest.fixture(scope="module")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    root = tmp_path_factory.mktemp("git")
    work = root / "work"
    work.mkdir()
    git("init", "-q", "-b", "main", at=work)
    (work / "README").write_text("A tool.\n")
    (work / "data").write_bytes(bytes(2_000_000))
    git("add", ".", at=work)
    git("commit", "-qm", "first", at=work)
    git("branch", "next", at=work)
    git("clone", "-q", "--bare", "work", "tool.git", at=root)
    with GitServer(root) as server:
        yield server


@pytest.fixture(scope="module")
def shared_server(fake_model: FakeModel, git_server: GitServer, disk: dict[str, str],
                  tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostler]:
    """Permits the Git server; nothing else in a run of the tests does."""
    server = Hostler(tmp_path_factory.mktemp("hostler"), fake_model.url, settings(git_server) | disk).start()
    yield server
    if server.running:
        server.stop()


def url(server: GitServer, path: str) -> str:
    return f"http://{HOST}:{server.port}{path}"


def output(events: list[dict[str, Any]]) -> str:
    [result] = [event for event in events if event["type"] == "agent.tool_result"]
    return "".join(block["text"] for block in result["content"])


def run(wire: Wire, model: FakeModel, session_id: str, command: str) -> list[dict[str, Any]]:
    """A turn in which one command runs."""
    model.say(Reply([tool_use("bash", command=command)]), "Done.")
    return settle(wire, session_id, "Go.")


def test_a_repository_comes_with_its_session_and_stays(client: anthropic.Anthropic, wire: Wire, model: FakeModel,
                                                       agent: dict[str, Any], environment: dict[str, Any],
                                                       git_server: GitServer) -> None:
    address = url(git_server, "/tool.git")
    session = client.beta.sessions.create(agent=agent["id"], environment_id=environment["id"], resources=[
        {"type": "github_repository", "url": address},
        {"type": "github_repository", "url": address, "mount_path": "/workspace/deep/er",
         "checkout": {"type": "branch", "name": "next"}},
    ])
    default, named = session.resources
    assert default.type == "github_repository" and default.id.startswith("sesrsc_")
    assert (default.url, default.mount_path, default.checkout) == (address, "/workspace/tool", None)
    assert named.mount_path == "/workspace/deep/er" and named.checkout.name == "next"
    resources = client.beta.sessions.resources
    assert list(resources.list(session.id)) == session.resources
    assert resources.retrieve(named.id, session_id=session.id) == named
    looked = output(run(wire, model, session.id, "cat tool/README && git -C tool status --short --branch && "
                        "git -C deep/er branch --show-current && git -C tool remote get-url origin"))
    assert looked == f"A tool.\n## main...origin/main\nnext\n{address}\n"
    with pytest.raises(anthropic.BadRequestError, match="can't be removed"):
        resources.delete(default.id, session_id=session.id)
    with pytest.raises(anthropic.BadRequestError, match="not supported"):
        resources.update(default.id, session_id=session.id, authorization_token="secret")
    file = client.beta.files.upload(file=("x", b"x", "text/plain"))
    with pytest.raises(anthropic.BadRequestError, match="mount_path: another resource"):
        resources.add(session.id, type="file", file_id=file.id, mount_path="/workspace/tool/x")
    client.beta.sessions.delete(session.id)
    with pytest.raises(anthropic.NotFoundError):
        resources.retrieve(named.id, session_id=session.id)


def test_a_session_goes_on_without_what_cannot_be_had(wire: Wire, model: FakeModel, agent: dict[str, Any],
                                                      environment: dict[str, Any], git_server: GitServer) -> None:
    wanted = [("/private/tool.git", None, "repository_authentication_error"),
              ("/forbidden/tool.git", None, "repository_forbidden_error"),
              ("/nothing.git", None, "repository_not_found_error"),
              ("/tool.git", {"type": "branch", "name": "gone"}, "repository_checkout_error")]
    session = wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": environment["id"], "resources": [
        {"type": "github_repository", "url": url(git_server, path), "checkout": checkout,
         "mount_path": f"/workspace/{kind}"} for path, checkout, kind in wanted]})
    events = run(wire, model, session["id"], "echo works")
    errors = [event["error"] for event in events if event["type"] == "session.error"]
    assert {error["type"] for error in errors} == {kind for _, _, kind in wanted}
    assert all(error["retry_status"] == {"type": "retrying"} for error in errors)
    assert {error["repository_url"] for error in errors} == {url(git_server, path) for path, _, _ in wanted}
    told = output(events)
    assert told.startswith("works\n") and all(error["message"] in told for error in errors)
    assert len(wire.get(f"/v1/sessions/{session['id']}/resources")["data"]) == len(wanted)


def test_a_token_is_refused_and_kept_nowhere(wire: Wire, agent: dict[str, Any], environment: dict[str, Any],
                                             git_server: GitServer, server: Hostler) -> None:
    token = "ghp_Zq83nVerySecretToken"
    for repository in ({"authorization_token": token}, {"url": f"http://{token}@{HOST}/tool.git"}):
        response = wire.call("POST", "/v1/sessions", json={
            "agent": agent["id"], "environment_id": environment["id"],
            "resources": [{"type": "github_repository", "url": url(git_server, "/tool.git"), **repository}]})
        assert response.status_code == 400 and token not in response.text
    assert "resources.0.url" in response.json()["error"]["message"]
    for path in server.folder.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path


def is_in_workspace(server: Hostler, session: str, name: str) -> bool:
    """Of one that may not have been made yet."""
    was_started = (sandbox(server, session) / "process.json").exists()
    return was_started and (workspace(server, session) / name).exists()


@pytest.mark.parametrize("step", ["boxes/clone_", "trees/", "boxes/checkout_"])
def test_killed_while_a_repository_is_cloned(step: str, fake_model: FakeModel, model: FakeModel, ledger: Ledger,
                                             git_server: GitServer, disk: dict[str, str], tmp_path: Path) -> None:
    """Whatever the killed server left, the next one makes the repository whole."""
    server = Hostler(tmp_path / "hostler", fake_model.url, settings(git_server) | disk).start()
    wire = Wire(server.base_url, server.api_key, ledger)
    agent = wire.post("/v1/agents", {"name": "n", "model": "claude-opus-5-5",
                                     "tools": [{"type": "agent_toolset_20260401"}]})
    environment = wire.post("/v1/environments", {"name": "e"})
    session = wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": environment["id"], "resources": [
        {"type": "github_repository", "url": url(git_server, "/tool.git")}]})
    model.say(Reply([tool_use("bash", command="true")]))
    with Subscriber(wire, session["id"]) as stream:
        wire.say(session["id"], "Go.")
        stream.wait_for("agent.tool_use")
        folder, _, start = step.partition("/")
        sandboxes = server.data / "sandboxes"
        # The step, or the end of all of them if it was over before anybody looked.
        while not (any(path.name.startswith(start) for path in (sandboxes / folder).iterdir())
                   or is_in_workspace(server, session["id"], "tool")):
            pass
        server.kill()
        stream.wait_for_end()
    model.say("Interrupted.")
    server.start()
    wire = Wire(server.base_url, server.api_key, ledger)
    finish(wire, session["id"], stream)
    looked = output(run(wire, model, session["id"], "cd tool && git fsck && git status --short && wc -c < data"))
    assert looked.startswith("2000000\n")
    server.stop()

"""Git repositories of sessions, from a real Git server on loopback to the tools that work in them."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any, Iterator

import anthropic
import pytest

from conftest import SETTINGS
from fake_model import FakeModel, Gate, Reply, text, tool_use
from git_server import GitServer, git
from hostler_process import Hostler, contents
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
    with GitServer(repositories(tmp_path_factory.mktemp("git"))) as server:
        yield server


def repositories(root: Path) -> Path:
    """A folder with two of them."""
    work = root / "work"
    work.mkdir()
    git("init", "-q", "-b", "main", at=work)
    (work / "README").write_text("A tool.\n")
    (work / "data").write_bytes(bytes(2_000_000))
    git("add", ".", at=work)
    git("commit", "-qm", "first", at=work)
    git("branch", "next", at=work)
    git("clone", "-q", "--bare", "work", "tool.git", at=root)
    git("clone", "-q", "--bare", "work", "other.git", at=root)
    return root


@pytest.fixture(scope="module")
def shared_server(fake_model: FakeModel, git_server: GitServer, disk: dict[str, str],
                  tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostler]:
    """Permits the Git server; nothing else in a run of the tests does."""
    server = Hostler(tmp_path_factory.mktemp("hostler"), fake_model.url, settings(git_server) | disk).start()
    yield server
    if server.running:
        server.stop()


def url(server: GitServer, path: str) -> str:
    return f"{server.scheme}://{HOST}:{server.port}{path}"


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


def given(git_server: GitServer, token: str | None, path: str = "/token/tool.git", **more: Any) -> dict[str, Any]:
    return {"type": "github_repository", "url": url(git_server, path), "authorization_token": token, **more}


def made(wire: Wire, agent: dict[str, Any], environment: dict[str, Any], *resources: dict[str, Any]) -> dict[str, Any]:
    return wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": environment["id"],
                                      "resources": list(resources)})


def test_a_token_clones_fetches_and_pushes_and_is_never_inside(
        client: anthropic.Anthropic, wire: Wire, model: FakeModel, agent: dict[str, Any], environment: dict[str, Any],
        git_server: GitServer, server: Hostler) -> None:
    git_server.token = token = f"ghp_{secrets.token_hex(16)}"
    session = made(wire, agent, environment, given(git_server, token, checkout={"type": "branch", "name": "next"}))
    assert token not in json.dumps(session)
    name = f"topic-{secrets.token_hex(4)}"
    worked = output(run(wire, model, session["id"], f"""set -e
        git config --global user.name t; git config --global user.email t@t
        cd tool && git switch -qc {name} && echo new > new && git add new && git commit -qm new && git push -q origin {name}
        git fetch -q && git branch -r --list origin/{name} && git -C /tmp clone -q {url(git_server, "/token/tool.git")} again
        ls /tmp/again; env; git config --list; cat .git/config; cat /proc/*/environ | tr '\\0' '\\n'"""))
    assert f"origin/{name}" in worked and "README" in worked, worked
    assert git("rev-parse", "--verify", f"refs/heads/{name}", at=git_server.root / "tool.git")
    seen = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    assert token not in worked and seen not in worked and "*" * 8 not in worked
    # Only as a whole, and as the user that GitHub wants.
    assert ("Basic", "x-access-token", token) in git_server.sign_ins
    for file, content in contents(server.folder):
        assert token.encode() not in content and seen.encode() not in content, file
    # Nor for another repository of the same host.
    other = url(git_server, "/token/other.git")
    asked = len(git_server.sign_ins)
    run(wire, model, session["id"], f"""sign=$(git config --get-urlmatch http.extraHeader {url(git_server, "/token/tool.git")})
        curl -sS -H "$sign" {other}/info/refs; true""")
    assert asked < len(git_server.sign_ins) and all(password != token for _, _, password in git_server.sign_ins[asked:])


def test_what_was_fetched_with_a_token_is_for_nobody_else(wire: Wire, model: FakeModel, agent: dict[str, Any],
                                                          environment: dict[str, Any], git_server: GitServer) -> None:
    git_server.token = token = f"ghp_{secrets.token_hex(16)}"
    assert "tool" in output(run(wire, model, made(wire, agent, environment, given(git_server, token))["id"], "ls"))
    stranger = made(wire, agent, environment, given(git_server, None))
    events = run(wire, model, stranger["id"], "ls")
    [error] = [event["error"] for event in events if event["type"] == "session.error"]
    assert error["type"] == "repository_authentication_error" and "takes an authorization_token" in error["message"]


def test_a_token_is_rotated_in_a_running_session(client: anthropic.Anthropic, wire: Wire, model: FakeModel,
                                                 agent: dict[str, Any], environment: dict[str, Any],
                                                 git_server: GitServer) -> None:
    git_server.token = right = f"ghp_{secrets.token_hex(16)}"
    session = made(wire, agent, environment, given(git_server, "ghp_wrong_as_can_be"))
    [repository] = session["resources"]
    events = run(wire, model, session["id"], "ls")
    [error] = [event["error"] for event in events if event["type"] == "session.error"]
    assert error["type"] == "repository_authentication_error" and "does not accept" in error["message"]
    resources = client.beta.sessions.resources
    updated = resources.update(repository["id"], session_id=session["id"], authorization_token=right)
    assert updated.type == "github_repository" and updated.updated_at > updated.created_at
    assert right not in updated.model_dump_json()
    # At once, and not when the failure is forgotten.
    assert output(run(wire, model, session["id"], "cat tool/README")) == "A tool.\n"
    # A second one counts from the next request on.
    git_server.token = "ghp_the_third_of_all"
    refused = output(run(wire, model, session["id"], "git -C tool fetch 2>&1"))
    assert "could not read Username" in refused or "Authentication failed" in refused, refused
    resources.update(repository["id"], session_id=session["id"], authorization_token=git_server.token)
    assert output(run(wire, model, session["id"], "git -C tool fetch && echo fetched")) == "fetched\n"


def test_what_has_no_token_cannot_get_one(client: anthropic.Anthropic, wire: Wire, agent: dict[str, Any],
                                          environment: dict[str, Any], git_server: GitServer) -> None:
    file = client.beta.files.upload(file=("x", b"x", "text/plain"))
    session = made(wire, agent, environment, {"type": "file", "file_id": file.id}, given(git_server, "t"))
    resources = client.beta.sessions.resources
    ids = {resource["type"]: resource["id"] for resource in session["resources"]}
    with pytest.raises(anthropic.BadRequestError, match="a file has no token"):
        resources.update(ids["file"], session_id=session["id"], authorization_token="t")
    with pytest.raises(anthropic.NotFoundError):
        resources.update("sesrsc_011CZkZ9X2dpNyB7HsEFoRfW", session_id=session["id"], authorization_token="t")
    for body in ({}, {"authorization_token": None}, {"authorization_token": "a\r\nb"}, {"authorization_token": "t", "url": "x"}):
        path = f"/v1/sessions/{session['id']}/resources/{ids['github_repository']}"
        assert wire.call("POST", path, json=body).status_code == 400
    client.beta.sessions.archive(session["id"])
    with pytest.raises(anthropic.BadRequestError, match="terminated"):
        resources.update(ids["github_repository"], session_id=session["id"], authorization_token="t")


def test_a_url_with_a_secret_is_refused_and_kept_nowhere(wire: Wire, agent: dict[str, Any], environment: dict[str, Any],
                                                         server: Hostler) -> None:
    token = "ghp_Zq83nVerySecretToken"
    response = wire.call("POST", "/v1/sessions", json={
        "agent": agent["id"], "environment_id": environment["id"],
        "resources": [{"type": "github_repository", "url": f"http://{token}@{HOST}/tool.git"}]})
    assert response.status_code == 400 and token not in response.text
    assert "resources.0.url" in response.json()["error"]["message"]
    for path, content in contents(server.folder):
        assert token.encode() not in content, path


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
    next_answer = Gate()
    model.say(Reply([tool_use("bash", command="true")]), Reply([text("Interrupted.")], before=next_answer))
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
    # All of them may have been over so early that the model was asked on: then it is asked again.
    if next_answer.reached.is_set():
        next_answer.wait_abandoned()
        model.say("Interrupted.")
    next_answer.open()
    server.start()
    wire = Wire(server.base_url, server.api_key, ledger)
    finish(wire, session["id"], stream)
    looked = output(run(wire, model, session["id"], "cd tool && git fsck && git status --short && wc -c < data"))
    assert looked.startswith("2000000\n")
    server.stop()

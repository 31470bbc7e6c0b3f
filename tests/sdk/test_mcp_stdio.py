"""MCP servers that run in the session's sandbox and speak over standard input and output."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator
from urllib.parse import quote, urlencode

import anthropic
import pytest

from conftest import SETTINGS
from fake_model import FakeModel, Reply, last_user_content, text, tool_use
from hostler_process import Hostler, binary
from oauth import TOOLS
from subscriber import WAIT_SECONDS, Subscriber
from test_mcp import ALLOW, UNRESTRICTED, of, turn
from wire import Ledger, Wire

NAUGHTY = Path(__file__).resolve().parents[1] / "mcp" / "stdio_server.py"
PLACE = "/mnt/session/uploads"
ANEW = "started anew"


@pytest.fixture(scope="module")
def stdio(fake_model: FakeModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostler]:
    settings = {**SETTINGS, "HOSTLER__MCP__CALL_TIMEOUT": "3s"}
    server = Hostler(tmp_path_factory.mktemp("stdio"), fake_model.url, settings).start()
    yield server
    server.stop()


@pytest.fixture
def server(stdio: Hostler) -> Hostler:
    return stdio


def command(program: str, *arguments: str, **variables: str) -> str:
    """The address of a server that a command line starts."""
    query = [("arg", argument) for argument in arguments]
    query += [("env", f"{name}={value}") for name, value in variables.items()]
    return f"stdio:{quote(program)}?{urlencode(query)}"


def session_with(wire: Wire, url: str, file: tuple[str, bytes], *, policy: dict[str, Any] | None = ALLOW,
                 tools: list[dict[str, Any]] | None = None) -> str:
    """A session whose sandbox has a file, and runs a server that is called `srv`."""
    toolset = {"type": "mcp_toolset", "mcp_server_name": "srv", **({"default_config": policy} if policy else {})}
    agent = wire.post("/v1/agents", {"name": "A", "model": "claude-opus-5-5", "tools": [toolset, *(tools or [])],
                                     "mcp_servers": [{"type": "url", "name": "srv", "url": url}]})
    assert agent["mcp_servers"] == [{"type": "url", "name": "srv", "url": url}]
    place = wire.post("/v1/environments", {"name": f"e-{agent['id']}", "config": UNRESTRICTED})
    uploaded = wire.ok("POST", "/v1/files", files={"file": (*file, "application/octet-stream")})["id"]
    resource = {"type": "file", "file_id": uploaded, "mount_path": f"/{file[0]}"}
    return wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": place["id"], "resources": [resource]})["id"]


def naughty(wire: Wire, *arguments: str, **options: Any) -> str:
    url = command("python3", f"{PLACE}/server.py", *arguments, GREETING="hello")
    return session_with(wire, url, ("server.py", NAUGHTY.read_bytes()), **options)


def reference(wire: Wire, program: str, *arguments: str) -> str:
    """One of the reference servers, which the sandbox gets with all that it needs."""
    if not shutil.which("node", path="/usr/bin:/usr/local/bin"):
        pytest.skip("a sandbox made of this machine's programs has no Node.js")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(TOOLS / "node_modules", "node_modules", filter=lambda entry: None if unneeded(entry.name) else entry)
    main = f"/tmp/node_modules/@modelcontextprotocol/{program}/dist/index.js"
    start = f'tar -xf {PLACE}/servers.tar -C /tmp && exec node {main} "$@"'
    return session_with(wire, command("sh", "-c", start, "sh", *arguments), ("servers.tar", packed.getvalue()))


def unneeded(name: str) -> bool:
    return name.startswith(("node_modules/@modelcontextprotocol/conformance", "node_modules/oidc-provider"))


def results(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {result["mcp_tool_use_id"]: result for result in of(events, "agent.mcp_tool_result")}
    return [found[call["id"]] for call in of(events, "agent.mcp_tool_use")]


def said(event: dict[str, Any]) -> str:
    return "\n".join(block["text"] for block in event["content"])


def wait_for_rest(wire: Wire) -> None:
    """Until no session has a runner."""
    wait_until(lambda: "\nhostler_sessions_running 0\n" in wire.call("GET", "/metrics").text)


def wait_until_it_hangs(server: Hostler, session: str) -> None:
    seen = [str(binary()), "sandboxes", "exec", "--data-dir", str(server.data), session, "--", "test", "-e", "/tmp/hangs"]
    wait_until(lambda: subprocess.run(seen, capture_output=True).returncode == 0)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline


def test_files_of_the_reference_server(wire: Wire, model: FakeModel) -> None:
    session = reference(wire, "server-filesystem", "/workspace")
    model.say(Reply([tool_use("mcp__srv__write_file", path="/workspace/a.txt", content="kept")]),
              Reply([tool_use("mcp__srv__read_text_file", path="/workspace/a.txt"),
                     tool_use("mcp__srv__read_text_file", path="/etc/passwd")]), "Done.")
    written, kept, refused = results(turn(wire, session))
    assert (written["is_error"], kept["is_error"], refused["is_error"]) == (False, False, True)
    assert "kept" in said(kept) and "outside allowed" in said(refused)


def test_everything_of_the_reference_server(wire: Wire, model: FakeModel) -> None:
    session = reference(wire, "server-everything", "stdio")
    model.say(Reply([tool_use("mcp__srv__echo", message="hello"), tool_use("mcp__srv__get-tiny-image"),
                     tool_use("mcp__srv__trigger-long-running-operation", duration=4, steps=4)]), "Done.")
    echo, image, long = results(turn(wire, session))
    assert said(echo) == "Echo: hello" and "image" in str(image["content"])
    # It takes longer than a call may be silent, and reports that it is at work.
    assert not long["is_error"], long


def test_a_server_asks_by_default(client: anthropic.Anthropic, wire: Wire, model: FakeModel) -> None:
    session = naughty(wire, policy=None)
    model.say(Reply([tool_use("mcp__srv__count")]), "Done.")
    with Subscriber(wire, session) as stream:
        wire.say(session, "Go.")
        asked, = stream.wait_for_idle()["stop_reason"]["event_ids"]
        client.beta.sessions.events.send(session, events=[
            {"type": "user.tool_confirmation", "tool_use_id": asked, "result": "allow"}])
        stream.wait_for_idle(2)
        assert said(results(stream.events)[0]) == "1"


def test_its_memory_lasts_while_the_session_rests_and_bash_restarts(wire: Wire, model: FakeModel) -> None:
    session = naughty(wire, tools=[{"type": "agent_toolset_20260401"}])
    model.say(Reply([tool_use("mcp__srv__count")]), Reply([tool_use("bash", restart=True)]),
              Reply([tool_use("mcp__srv__count")]), Reply([tool_use("mcp__srv__variable", variable="GREETING")]), "Done.")
    assert [said(result) for result in results(turn(wire, session))] == ["1", "2", "hello"]
    wait_for_rest(wire)
    model.say(Reply([tool_use("mcp__srv__count")]), "Done.")
    assert [said(result) for result in results(turn(wire, session))] == ["4"]


@pytest.mark.parametrize(("tool", "why"), [
    ("die", "it ended with the exit code 7 and said: I had enough. The call may or may not have taken effect."),
    ("flood", "it wrote over 16 MiB that were no answer"),
])
def test_one_that_fails_in_a_call_is_told_and_started_anew(tool: str, why: str, wire: Wire, model: FakeModel) -> None:
    session = naughty(wire)
    model.say(Reply([tool_use("mcp__srv__count")]), Reply([tool_use(f"mcp__srv__{tool}")]),
              Reply([tool_use("mcp__srv__count")]), Reply([tool_use("mcp__srv__count")]), "Done.")
    first, failed, anew, last = results(turn(wire, session))
    assert said(first) == "1"
    assert failed["is_error"] and why in said(failed)
    assert said(anew).startswith("1\n") and ANEW in said(anew) and not anew["is_error"]
    assert said(last) == "2"


def test_what_is_no_message_is_passed_over(wire: Wire, model: FakeModel) -> None:
    session = naughty(wire)
    model.say(Reply([tool_use("mcp__srv__garbage")]), Reply([tool_use("mcp__srv__count")]), "Done.")
    assert [said(result) for result in results(turn(wire, session))] == ["1", "2"]


def test_one_that_hangs_is_not_waited_for(wire: Wire, model: FakeModel) -> None:
    session = naughty(wire)
    model.say(Reply([tool_use("mcp__srv__hang")]), "I see.")
    hung, = results(turn(wire, session))
    assert hung["is_error"] and "no answer within 3 s" in said(hung)


@pytest.mark.parametrize(("url", "why"), [
    (command("no-such-program"), "the exit code 127 and said: hostler: no-such-program cannot be run"),
    (command("python3", f"{PLACE}/server.py", "broken"), "the exit code 1 and said: no such module [31mred"),
    (command("echo", "hello"), "it ended with the exit code 0"),
])
def test_one_that_does_not_start_costs_its_tools_only(url: str, why: str, wire: Wire, model: FakeModel) -> None:
    session = session_with(wire, url, ("server.py", NAUGHTY.read_bytes()))
    model.say("I can do without.")
    error, = of(turn(wire, session), "session.error")
    assert (error["error"]["type"], error["error"]["mcp_server_name"]) == ("mcp_connection_failed_error", "srv")
    assert why in error["error"]["message"]
    assert not model.requests[0].get("tools")


def test_a_call_that_hostler_died_in_is_told_and_the_server_started_anew(fake_model: FakeModel, model: FakeModel,
                                                                       ledger: Ledger, tmp_path: Path) -> None:
    hostler = Hostler(tmp_path / "h", fake_model.url, SETTINGS).start()
    wire = Wire(hostler.base_url, hostler.api_key, ledger)
    session = naughty(wire)
    model.say(Reply([tool_use("mcp__srv__hang")]), Reply([tool_use("mcp__srv__count")]), "I see.")
    with Subscriber(wire, session) as stream:
        wire.say(session, "Go.")
        stream.wait_for("agent.mcp_tool_use")
        wait_until_it_hangs(hostler, session)
        seen = stream.frames[-1].id
        hostler.kill()
    hostler.start()
    wire = Wire(hostler.base_url, hostler.api_key, ledger)
    with Subscriber(wire, session, after=seen) as stream:
        stream.wait_for_idle()
        lost, anew = of(stream.events, "agent.mcp_tool_result")
    assert lost["is_error"] and "may or may not have taken effect" in said(lost)
    # The one that hung has ended with the server that had started it.
    assert said(anew).startswith("1\n") and ANEW in said(anew)
    assert ANEW in str(last_user_content(fake_model.requests[-1]))
    hostler.stop()


@pytest.mark.parametrize(("url", "why"), [
    ("stdio:", "A program should follow 'stdio:'"),
    ("stdio://npx", "without //"),
    ("stdio:npx?args=-y", "'args' is not known in the query of a stdio URL"),
    ("stdio:npx?env=A", "env should be NAME=value"),
])
def test_an_address_that_starts_nothing_is_refused(url: str, why: str, wire: Wire) -> None:
    body = {"name": "A", "model": "claude-opus-5-5", "mcp_servers": [{"type": "url", "name": "srv", "url": url}],
            "tools": [{"type": "mcp_toolset", "mcp_server_name": "srv"}]}
    answer = wire.call("POST", "/v1/agents", json=body)
    assert answer.status_code == 400 and why in answer.json()["error"]["message"], answer.text


def test_a_limited_environment_permits_it_and_a_vault_takes_no_credential_for_it(wire: Wire) -> None:
    limited = {"type": "cloud", "networking": {"type": "limited", "allowed_hosts": []}}
    place = wire.post("/v1/environments", {"name": "limited-stdio", "config": limited})
    agent = wire.post("/v1/agents", {"name": "A", "model": "claude-opus-5-5",
                                     "mcp_servers": [{"type": "url", "name": "srv", "url": "stdio:true"}],
                                     "tools": [{"type": "mcp_toolset", "mcp_server_name": "srv"}]})
    assert wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": place["id"]})["id"]
    vault = wire.post("/v1/vaults", {"display_name": "v"})["id"]
    auth = {"type": "static_bearer", "mcp_server_url": "stdio:true", "token": "t"}
    answer = wire.call("POST", f"/v1/vaults/{vault}/credentials", json={"auth": auth})
    assert answer.status_code == 400 and "http or https" in answer.json()["error"]["message"]

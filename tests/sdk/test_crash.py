"""The server is killed and started again: nothing acknowledged is lost, and what is unknown is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import IO, Any, Iterator

import pytest

from conftest import SETTINGS
from fake_model import FakeModel, Gate, Reply, last_user_content, text, tool_use
from hostler_process import Hostler
from subscriber import Subscriber
from wire import Ledger, Wire


@pytest.fixture
def own_server(fake_model: FakeModel, disk: dict[str, str], tmp_path: Path) -> Iterator[Hostler]:
    server = Hostler(tmp_path / "hostler", fake_model.url, SETTINGS | disk).start()
    yield server
    if server.running:
        server.stop()


def connect(server: Hostler, ledger: Ledger) -> Wire:
    return Wire(server.base_url, server.api_key, ledger)


def new_session(wire: Wire) -> str:
    agent = wire.post("/v1/agents", {"name": "n", "model": "claude-opus-5-5",
                                     "tools": [{"type": "agent_toolset_20260401"}]})
    environment = wire.post("/v1/environments", {"name": "e"})
    return wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": environment["id"]})["id"]


def test_killed_while_a_tool_runs(own_server: Hostler, model: FakeModel, ledger: Ledger) -> None:
    """The command goes on, the next server delivers its result, and nothing is run twice."""
    session, stream, use, pipe = killed_in_a_command(own_server, model, ledger)
    own_server.start()
    pipe.close()
    events = finish(connect(own_server, ledger), session, stream)
    result, = [e for e in events if e["type"] == "agent.tool_result" and e["tool_use_id"] == use["id"]]
    assert result["content"][0]["text"] == "the end\n"
    assert (workspace(own_server, session) / "ran").read_text() == "ran\n"
    assert events[-1]["stop_reason"] == {"type": "end_turn"}


def test_killed_with_the_sandbox_while_a_tool_runs(own_server: Hostler, model: FakeModel, ledger: Ledger) -> None:
    """The call is not run again: its result says that it was interrupted and may have run."""
    session, stream, use, pipe = killed_in_a_command(own_server, model, ledger)
    record = json.loads((sandbox(own_server, session) / "process.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    pipe.close()
    own_server.start()
    events = finish(connect(own_server, ledger), session, stream)
    result, = [e for e in events if e["type"] == "agent.tool_result" and e["tool_use_id"] == use["id"]]
    assert result["is_error"] is True
    assert "interrupted" in result["content"][0]["text"]
    assert left_in_workspace(own_server, session, "ran") == "ran\n"
    told = [b for b in last_user_content(model.requests[2]) if b["type"] == "tool_result"]
    assert [bool(b.get("is_error")) for b in told] == [True]


def killed_in_a_command(server: Hostler, model: FakeModel, ledger: Ledger) -> tuple[str, Subscriber, Any, IO[str]]:
    """The command that runs waits for the pipe to be closed."""
    wire = connect(server, ledger)
    session = new_session(wire)
    model.say(Reply([tool_use("bash", command="mkfifo -m 666 pipe")]),
              Reply([tool_use("bash", command="echo ran >> ran; read word < pipe; echo the end")]), "I see.")
    with Subscriber(wire, session) as stream:
        wire.say(session, "Run it.")
        stream.wait_for("agent.tool_use")
        use = stream.wait_for("agent.tool_use", 2)
        pipe = open(workspace(server, session) / "pipe", "w")
        server.kill()
        stream.wait_for_end()
    return session, stream, use, pipe


def sandbox(server: Hostler, session: str) -> Path:
    return server.data / "sandboxes" / "boxes" / session


def workspace(server: Hostler, session: str) -> Path:
    """From outside; what is in an image is reached through the sandbox's first process, while it lives."""
    folder = sandbox(server, session)
    if not (folder / "disk.img").exists():
        return folder / "workspace"
    first = json.loads((folder / "process.json").read_text())["pid"]
    return Path(f"/proc/{first}/root/workspace")


def left_in_workspace(server: Hostler, session: str, name: str) -> str:
    """The same of a sandbox that has no processes."""
    folder = sandbox(server, session)
    if not (folder / "disk.img").exists():
        return (folder / "workspace" / name).read_text()
    look = ["/usr/sbin/debugfs", "-R", f"cat /workspace/{name}", str(folder / "disk.img")]
    return subprocess.run(look, check=True, capture_output=True, text=True).stdout


def test_killed_while_the_model_answers(own_server: Hostler, model: FakeModel, ledger: Ledger) -> None:
    """The call is made again, and the log shows both attempts."""
    wire = connect(own_server, ledger)
    session = new_session(wire)
    gate = Gate()
    model.say(Reply([text("Half an"), text(" answer")], midway=gate), "A whole answer.")
    with Subscriber(wire, session) as stream:
        sent = wire.say(session, "Well?")
        gate.wait_reached()
        stream.wait_for("span.model_request_start")
        own_server.kill()
        stream.wait_for_end()
    own_server.start()
    events = finish(connect(own_server, ledger), session, stream)
    types = [e["type"] for e in events]
    assert sent["id"] in [e["id"] for e in events]
    assert [e["content"][0]["text"] for e in events if e["type"] == "agent.message"] == ["A whole answer."]
    assert types.count("span.model_request_start") == types.count("span.model_request_end") == 2
    assert types[-1] == "session.status_idle"


def test_killed_with_a_message_queued(own_server: Hostler, model: FakeModel, ledger: Ledger) -> None:
    wire = connect(own_server, ledger)
    session = new_session(wire)
    gate = Gate()
    model.say(Reply([text("One"), text(" more")], midway=gate))
    model.responder = lambda _: Reply([text("Yes.")])
    with Subscriber(wire, session) as stream:
        wire.say(session, "First.")
        gate.wait_reached()
        stream.wait_for("span.model_request_start")
        queued = wire.say(session, "Second.")
        own_server.kill()
        stream.wait_for_end()
    own_server.start()
    events = finish(connect(own_server, ledger), session, stream)
    assert next(e for e in events if e["id"] == queued["id"])["processed_at"]
    assert "Second." in str(model.requests[-1]["messages"])


def test_a_stream_resumes_over_a_restart(own_server: Hostler, model: FakeModel, ledger: Ledger) -> None:
    wire = connect(own_server, ledger)
    session = new_session(wire)
    model.say("Before.", "After.")
    with Subscriber(wire, session) as stream:
        wire.say(session, "One.")
        stream.wait_for_idle()
        last = stream.frames[-1]
        own_server.stop()
        stream.wait_for_end()
    own_server.start()
    wire = connect(own_server, ledger)
    wire.say(session, "Two.")
    with Subscriber(wire, session, last_event_id=last.id) as resumed:
        resumed.wait_for_idle()
        assert [*stream.events, *resumed.events] == wire.events(session)


def test_the_sandbox_outlives_a_restart_or_says_that_it_did_not(own_server: Hostler, model: FakeModel,
                                                                ledger: Ledger) -> None:
    wire = connect(own_server, ledger)
    session = new_session(wire)
    model.say(Reply([tool_use("write", file_path="kept.txt", content="kept")]), "Written.")
    with Subscriber(wire, session) as stream:
        wire.say(session, "Keep this.")
        stream.wait_for_idle()
    own_server.stop()
    own_server.start()
    wire = connect(own_server, ledger)
    model.say(Reply([tool_use("bash", command="cat kept.txt")]), "Read.")
    with Subscriber(wire, session) as stream:
        wire.say(session, "Read it.")
        stream.wait_for_idle()
        result = stream.wait_for("agent.tool_result")
    said = result["content"][0]["text"]
    assert "kept" in said or "sandbox" in said.lower()


def test_keys_and_resources_are_still_there(own_server: Hostler, ledger: Ledger) -> None:
    wire = connect(own_server, ledger)
    agent: dict[str, Any] = wire.post("/v1/agents", {"name": "kept", "model": "claude-opus-5-5"})
    file = wire.ok("POST", "/v1/files", files={"file": ("kept.txt", b"kept", "text/plain")})
    own_server.kill()
    own_server.start()
    wire = connect(own_server, ledger)
    assert wire.get(f"/v1/agents/{agent['id']}") == agent
    assert wire.get(f"/v1/files/{file['id']}") == file


def finish(wire: Wire, session: str, seen: Subscriber) -> list[dict[str, Any]]:
    """After a restart the turn may already be over; a stream resumed where it broke off shows it either way."""
    with Subscriber(wire, session, last_event_id=seen.frames[-1].id) as stream:
        stream.wait_for_idle()
        rest = stream.events
    events = wire.events(session)
    assert [*seen.events, *rest] == events
    return events

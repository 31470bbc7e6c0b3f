"""The data of every release is opened by this version: all is shown, and sessions go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Iterator

import pytest

from fake_model import FakeModel, Reply, tool_use
from hostler_process import REPOSITORY, Hostler
from make_release import API_KEY, KEPT, read_sql
from subscriber import Subscriber
from wire import Ledger, Wire

RELEASES = sorted(kept for kept in (REPOSITORY / "tests" / "releases").iterdir() if kept.is_dir())


class Release:
    def __init__(self, kept: Path, folder: Path, model_url: str, ledger: Ledger) -> None:
        self.expected: dict[str, Any] = json.loads((kept / "expected.json").read_text())
        self.server = Hostler(folder, model_url, KEPT, database="")
        self.server.api_key = API_KEY
        self.server.data.mkdir()
        read_sql(kept / "hostler.sql", self.server.data / "hostler.db")
        shutil.copytree(kept / "blobs", self.server.data / "blobs")
        self.ledger = ledger

    def start(self) -> Wire:
        self.server.start()
        return Wire(self.server.base_url, API_KEY, self.ledger)


@pytest.fixture(params=RELEASES, ids=lambda kept: kept.name)
def release(request: pytest.FixtureRequest, fake_model: FakeModel, tmp_path: Path, ledger: Ledger) -> Iterator[Release]:
    release = Release(request.param, tmp_path / "hostler", fake_model.url, ledger)
    yield release
    if release.server.running:
        release.server.stop()


def holds(shown: Any, expected: Any) -> bool:
    """A later version may show more of a thing, never less and nothing else."""
    if isinstance(expected, dict):
        return isinstance(shown, dict) and all(key in shown and holds(shown[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return isinstance(shown, list) and len(shown) == len(expected) and all(map(holds, shown, expected))
    return bool(shown == expected)


def test_everything_is_shown_as_it_was(release: Release, model: FakeModel) -> None:
    # The turn that was broken off goes on beside it.
    model.responder = answer
    wire, expected = release.start(), release.expected
    for kind, path in [("agent", "agents"), ("environment", "environments"), ("file", "files"), ("worked", "sessions")]:
        shown = wire.get(f"/v1/{path}/{expected[kind]['id']}")
        # A session that rests gets older all the same.
        as_it_was = {key: value for key, value in expected[kind].items() if key != "stats"}
        assert holds(shown, as_it_was), (shown, as_it_was)
    assert len(wire.get(f"/v1/agents/{expected['agent']['id']}/versions")["data"]) == expected["versions"]
    worked = expected["worked"]["id"]
    assert holds(wire.events(worked), expected["worked_events"])
    with Subscriber(wire, worked, after="0") as stream:
        stream.wait_for_idle()
        assert holds(stream.events, expected["worked_events"])
    assert wire.call("GET", f"/v1/files/{expected['file']['id']}/content").content == b"kept for later\n"
    scoped = wire.ok("GET", "/v1/files", params={"scope_id": worked},
                     headers={"anthropic-beta": "managed-agents-2026-04-01"})
    outputs = [f for f in scoped["data"] if f["filename"] == "result.txt"]
    assert [wire.call("GET", f"/v1/files/{f['id']}/content").content for f in outputs] == [b"result\n"]


def test_a_kept_skill_is_shown_and_used(release: Release, model: FakeModel) -> None:
    if "skill" not in release.expected:
        pytest.skip("that version kept no skills")
    model.responder = answer
    wire, skill, worked = release.start(), release.expected["skill"], release.expected["worked"]["id"]
    assert wire.get(f"/v1/skills/{skill['id']}") == skill
    with Subscriber(wire, worked, after="0") as stream:
        stream.wait_for_idle()
        wire.say(worked, "Which skill?")
        stream.wait_for_idle(2)
    results = [event for event in wire.events(worked) if event["type"] == "agent.tool_result"]
    assert results[-1]["content"][0]["text"].endswith("Kept.\n")


def test_a_kept_credential_is_shown_and_opens(release: Release) -> None:
    if "credential" not in release.expected:
        pytest.skip("that version kept no credentials")
    wire, vault, credential = release.start(), release.expected["vault"], release.expected["credential"]
    assert holds(wire.get(f"/v1/vaults/{vault['id']}"), vault)
    path = f"/v1/vaults/{vault['id']}/credentials/{credential['id']}"
    assert holds(wire.get(path), credential)
    # What is left out stays: it is opened, and sealed anew.
    changed = wire.post(path, {"auth": {"type": "mcp_oauth", "access_token": "new"}})
    assert holds(changed["auth"], credential["auth"])


def test_a_session_goes_on_with_its_conversation_and_its_sandbox(release: Release, model: FakeModel) -> None:
    model.responder = answer
    wire, worked = release.start(), release.expected["worked"]["id"]
    with Subscriber(wire, worked, after="0") as stream:
        stream.wait_for_idle()
        wire.say(worked, "What is there?")
        stream.wait_for_idle(2)
    before = len(release.expected["worked_events"])
    result, = [e for e in wire.events(worked)[before:] if e["type"] == "agent.tool_result"]
    assert result["content"][0]["text"] == "precious\nkept for later\n"
    asked = [r for r in model.requests if "What is there?" in str(r["messages"])][0]
    assert "häßlich 🦀" in str(asked["messages"]) and "All is done." in str(asked["messages"])


def answer(request: dict[str, Any]) -> Reply:
    last = str(request["messages"][-1])
    if "What is there?" in last and "precious" not in last:
        return Reply([tool_use("bash", command="cat kept /mnt/user/notes.txt")])
    if "Which skill?" in last and "Is kept." not in last:
        return Reply([tool_use("bash", command="cat /workspace/skills/kept-skill/SKILL.md")])
    return Reply([{"type": "text", "text": "I see."}])


def test_a_turn_that_was_broken_off_is_brought_to_its_end(release: Release, model: FakeModel) -> None:
    model.say("A whole answer.")
    wire, session = release.start(), release.expected["broken_off"]
    with Subscriber(wire, session, after="0") as stream:
        stream.wait_for_idle()
    events = wire.events(session)
    shown = {e["id"] for e in release.expected["broken_off_events"]}
    assert shown <= {e["id"] for e in events}
    assert [e["content"][0]["text"] for e in events if e["type"] == "agent.message"] == ["A whole answer."]

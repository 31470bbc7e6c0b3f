"""Two servers with data folders of their own, one database and one bucket: files and sandboxes go where sessions go.

They need a PostgreSQL and an S3 server: tests/with-s3 tests/with-postgres tests/run-sdk-tests -k buckets
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator

import pytest

from buckets import Bucket
from conftest import SETTINGS
from fake_model import FakeModel, Reply, tool_use
from hostler_process import Hostler, own_database
from subscriber import Subscriber
from test_crash import new_session
from wire import Ledger, Wire

pytestmark = pytest.mark.skipif(not (os.environ.get("HOSTLER_TEST_POSTGRES") and os.environ.get("HOSTLER_TEST_S3")),
                                reason="this run has no PostgreSQL and S3: see tests/with-postgres and tests/with-s3")
MOVING = {"HOSTLER__SANDBOX__CHECKPOINT": "blobs", "HOSTLER__SANDBOX__IDLE_STOP": "1s",
          "HOSTLER__SERVER__UPLOADS_DOWNLOADABLE": "true"}


class Sharing:
    def __init__(self, folder: Path, model_url: str, ledger: Ledger) -> None:
        self.bucket = Bucket()
        settings, database = {**SETTINGS, **MOVING, **self.bucket.settings()}, own_database()
        self.first = Hostler(folder / "first", model_url, settings, database).start()
        self.second = Hostler(folder / "second", model_url, settings, database)
        self.second.api_key = self.first.api_key
        self.second.start()
        self.one = Wire(self.first.base_url, self.first.api_key, ledger)
        self.two = Wire(self.second.base_url, self.second.api_key, ledger)


@pytest.fixture
def sharing(fake_model: FakeModel, tmp_path: Path, ledger: Ledger) -> Iterator[Sharing]:
    both = Sharing(tmp_path, fake_model.url, ledger)
    yield both
    for server in (both.first, both.second):
        if server.running:
            server.stop()


def run(wire: Wire, session: str, model: FakeModel, command: str) -> str:
    """What the command said."""
    before = len(wire.events(session))
    model.say(Reply([tool_use("bash", command=command)]), "Done.")
    with Subscriber(wire, session, after="0") as stream:
        stream.wait(lambda events: len(events) >= before, "what was there")
        rests = [e["type"] for e in stream.events].count("session.status_idle")
        wire.say(session, "Run it.")
        stream.wait_for_idle(rests + 1)
    results = [e for e in wire.events(session)[before:] if e["type"] == "agent.tool_result"]
    return "\n".join(block["text"] for block in results[-1]["content"])


def test_a_sandbox_goes_on_at_another_server(sharing: Sharing, model: FakeModel) -> None:
    session = new_session(sharing.one)
    run(sharing.one, session, model, "mkdir d; cd d; echo precious > kept; A=5")
    sharing.bucket.wait_for("hostler/checkpoints/")
    sharing.first.kill()
    said = run(sharing.two, session, model, "pwd; cat kept")
    assert said.startswith("/workspace/d\nprecious\n"), said


def test_a_file_is_read_and_mounted_where_it_was_not_uploaded(sharing: Sharing, model: FakeModel) -> None:
    content = bytes(range(256)) * 40_000
    file = sharing.one.ok("POST", "/v1/files", files={"file": ("a.bin", content, "application/octet-stream")})
    assert sharing.two.call("GET", f"/v1/files/{file['id']}/content").content == content
    agent: dict[str, Any] = sharing.two.post("/v1/agents", {
        "name": "n", "model": "claude-opus-5-5", "tools": [{"type": "agent_toolset_20260401"}]})
    environment = sharing.two.post("/v1/environments", {"name": "e"})
    session = sharing.two.post("/v1/sessions", {
        "agent": agent["id"], "environment_id": environment["id"],
        "resources": [{"type": "file", "file_id": file["id"], "mount_path": "/mnt/user/a.bin"}]})
    said = run(sharing.two, session["id"], model, "wc -c < /mnt/user/a.bin; sha256sum < /mnt/user/a.bin")
    assert said.startswith("10240000\n"), said
    assert sharing.one.delete(f"/v1/files/{file['id']}")
    copy, = sharing.bucket.keys("hostler/files/")
    assert file["id"] not in copy


def test_a_bucket_of_another_database_is_refused(sharing: Sharing, fake_model: FakeModel, tmp_path: Path) -> None:
    stranger = Hostler(tmp_path / "stranger", fake_model.url, {**SETTINGS, **sharing.bucket.settings()},
                       own_database())
    with pytest.raises(AssertionError):
        stranger.start()
    assert "holds the files of another database" in stranger.logs()
    assert "not-a-secret" not in stranger.logs()

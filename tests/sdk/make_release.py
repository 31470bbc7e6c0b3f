"""Makes the data that a server of this version leaves, for the tests of all later ones (test_releases.py).

    target/venv/bin/python tests/sdk/make_release.py tests/releases/0.1.0

Run once for each release, with the binary of that release in HOSTLER_BIN, and committed. It is never made again: what
it proves is that data written by a version that is gone can be used. It is text where it can be: the database as SQL.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from conftest import SETTINGS
from fake_model import FakeModel, Gate, Reply, text, tool_use
from hostler_process import Hostler
from subscriber import Subscriber
from wire import Ledger, Wire

# They open nothing but the server of a test.
API_KEY = "sk-hostler-of-a-release-fixture-and-of-nothing-else"
MASTER_KEY = base64.b64encode(b"of a fixture and of nothing else").decode()
KEPT = {**SETTINGS, "HOSTLER__VAULTS__MASTER_KEY": MASTER_KEY, "HOSTLER__SERVER__UPLOADS_DOWNLOADABLE": "true", "HOSTLER__SANDBOX__CHECKPOINT": "blobs",
        "HOSTLER__SANDBOX__IDLE_STOP": "1s"}
SKILL = b"---\nname: kept-skill\ndescription: Is kept.\n---\nKept.\n"
WAIT_SECONDS = 120


def make(folder: Path) -> None:
    model = FakeModel()
    with tempfile.TemporaryDirectory() as work:
        server = Hostler(Path(work), model.url, KEPT, database="")
        server.api_key = API_KEY
        server.start()
        wire = Wire(server.base_url, API_KEY, Ledger())
        try:
            expected = fill(wire, model, server)
        finally:
            # As a power cut: the answer of the model is half there.
            server.kill()
        folder.mkdir(parents=True)
        write_sql(server.data / "hostler.db", folder / "hostler.sql")
        shutil.copytree(server.data / "blobs", folder / "blobs")
        (folder / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
    model.close()


def fill(wire: Wire, model: FakeModel, server: Hostler) -> dict[str, Any]:
    """One of each thing; and what a client has to be shown of it."""
    skill = wire.ok("POST", "/v1/skills", files=[("files[]", ("kept/SKILL.md", SKILL, "text/markdown"))])
    agent = wire.post("/v1/agents", {"name": "Fixture", "model": "claude-opus-5-5", "system": "You are kept.",
                                     "tools": [{"type": "agent_toolset_20260401"}],
                                     "skills": [{"type": "custom", "skill_id": skill["id"]}]})
    agent = wire.post(f"/v1/agents/{agent['id']}", {"version": agent["version"], "description": "changed once"})
    environment = wire.post("/v1/environments", {"name": "fixture"})
    file = wire.ok("POST", "/v1/files", files={"file": ("notes.txt", b"kept for later\n", "text/plain")})
    session = {"agent": agent["id"], "environment_id": environment["id"]}
    worked = wire.post("/v1/sessions", {**session, "title": "worked", "metadata": {"kept": "yes"}, "resources": [
        {"type": "file", "file_id": file["id"], "mount_path": "/mnt/user/notes.txt"}]})
    model.say(Reply([text("I work."), tool_use("bash", command=(
        "echo precious > kept; echo result > /mnt/session/outputs/result.txt; cat /mnt/user/notes.txt"))]),
        "All is done.")
    with Subscriber(wire, worked["id"]) as stream:
        wire.say(worked["id"], "Do your work, häßlich 🦀.")
        stream.wait_for_idle()
    wait_until(lambda: len(list((server.data / "blobs" / "checkpoints").glob("*"))) == 1)
    vault = wire.post("/v1/vaults", {"display_name": "fixture"})
    credential = wire.post(f"/v1/vaults/{vault['id']}/credentials", {"display_name": "fixture", "auth": {
        "type": "mcp_oauth", "access_token": "kept", "mcp_server_url": "https://mcp.example.com/", "refresh": {
            "client_id": "fixture", "refresh_token": "kept", "token_endpoint": "https://auth.example.com/token",
            "token_endpoint_auth": {"type": "client_secret_basic", "client_secret": "kept"}}}})
    broken_off = wire.post("/v1/sessions", {**session, "title": "broken off"})
    gate = Gate()
    model.say(Reply([text("Half of"), text(" an answer")], midway=gate))
    wire.say(broken_off["id"], "Tell me.")
    gate.wait_reached()
    return {
        "agent": wire.get(f"/v1/agents/{agent['id']}"),
        "versions": len(wire.get(f"/v1/agents/{agent['id']}/versions")["data"]),
        "environment": wire.get(f"/v1/environments/{environment['id']}"),
        "skill": wire.get(f"/v1/skills/{skill['id']}"),
        "file": wire.get(f"/v1/files/{file['id']}"),
        "worked": wire.get(f"/v1/sessions/{worked['id']}"),
        "worked_events": wire.events(worked["id"]),
        "vault": wire.get(f"/v1/vaults/{vault['id']}"),
        "credential": wire.get(f"/v1/vaults/{vault['id']}/credentials/{credential['id']}"),
        "broken_off": broken_off["id"],
        "broken_off_events": wire.events(broken_off["id"]),
    }


def wait_until(there: Any) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not there():
        if time.monotonic() > end:
            sys.exit("the sandbox was not packed")
        threading.Event().wait(0.1)


def write_sql(database: Path, to: Path) -> None:
    with sqlite3.connect(database) as connection:
        version, = connection.execute("pragma user_version").fetchone()
        lines = [*connection.iterdump(), f"PRAGMA user_version={version};"]
    to.write_text("\n".join(lines) + "\n")


def read_sql(sql: Path, database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.executescript(sql.read_text())
    connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="which does not exist yet")
    make(parser.parse_args().folder)

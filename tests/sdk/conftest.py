"""Fixtures: one server and one fake model for the whole run, checked answers for each test."""

from __future__ import annotations

import base64
import json
import os
import secrets
import select
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, Iterator

import anthropic
import httpx2
import pytest

import shapes
from fake_model import FakeModel
from hostler_process import Hostler
from wire import CheckedTransport, Ledger, Wire

# The hosted rate limits are the defaults; a test run is faster than a person.
SETTINGS = {
    "HOSTLER__RATE_LIMITS__ENABLED": "false",
    # Servers on PostgreSQL keep credentials only with a key that they are given.
    "HOSTLER__VAULTS__MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
}


@pytest.fixture(scope="session", autouse=True)
def no_sandbox_stays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sandboxes outlive their server on purpose; when all servers of the run are gone, so are they."""
    yield
    for folder in ("boxes", "pool"):
        for path in tmp_path_factory.getbasetemp().rglob(f"{folder}/*/process.json"):
            with suppress(FileNotFoundError):
                record = json.loads(path.read_text())
                with suppress(ProcessLookupError):
                    end_sandbox(record)
                remove_cgroups(record["cgroups"])


def end_sandbox(record: dict[str, Any]) -> None:
    """Kills the process that the record means, never another that got its number later."""
    if record["boot_id"] != Path("/proc/sys/kernel/random/boot_id").read_text().strip():
        return
    process = os.pidfd_open(record["pid"])
    try:
        # Compared after it was opened: from here on it cannot be another's. Field 22 of the line is the
        # start time; the command in field 2 may hold anything, so the fields count from its bracket.
        stat = Path(f"/proc/{record['pid']}/stat").read_text().rpartition(")")[2].split()
        if int(stat[19]) == record["start_ticks"]:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [])
    finally:
        os.close(process)


def remove_cgroups(folders: list[str]) -> None:
    """They are empty by now. Each takes some of the kernel's memory for as long as it is there."""
    for folder in map(Path, folders):
        for path in [*folder.glob("*/"), folder]:
            with suppress(OSError):
                path.rmdir()


def disks() -> list[str]:
    """What can bound the disk of a sandbox here."""
    isolated = "unsafe-process" not in os.environ.get("HOSTLER_TEST_SERVE_ARGS", "")
    is_formatter_there = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin:/bin")
    images = isolated and os.geteuid() == 0 and Path("/dev/loop-control").exists() and is_formatter_there
    return ["per-file", "image"] if images else ["per-file"]


@pytest.fixture(scope="module", params=disks())
def disk(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings of a server, for what looks into sandboxes from outside or kills them halfway."""
    # Small enough for tests that read all files of a server.
    return {"HOSTLER__SANDBOX__DISK": request.param, "HOSTLER__SANDBOX__DISK_BYTES": "64MiB"}


@pytest.fixture(scope="session")
def fake_model() -> Iterator[FakeModel]:
    model = FakeModel()
    yield model
    model.close()


@pytest.fixture(scope="session")
def shared_server(fake_model: FakeModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostler]:
    server = Hostler(tmp_path_factory.mktemp("hostler"), fake_model.url, SETTINGS).start()
    yield server
    if server.running:
        server.stop()


@pytest.fixture
def server(shared_server: Hostler) -> Hostler:
    assert shared_server.died() is None, f"hostler died\n{shared_server.logs()}"
    return shared_server


@pytest.fixture
def model(fake_model: FakeModel) -> Iterator[FakeModel]:
    """The model with an empty script. A test must use up what it queued."""
    fake_model.reset()
    yield fake_model
    complaints, left = fake_model.complaints, fake_model.left()
    fake_model.reset()
    assert not complaints, "\n".join(complaints)
    assert left == 0, f"{left} scripted replies were never asked for"


@pytest.fixture
def plain_server(fake_model: FakeModel, tmp_path: Path) -> Iterator[Hostler]:
    """A server of the test's own, which it may end."""
    server = Hostler(tmp_path / "hostler", fake_model.url, SETTINGS).start()
    yield server
    if server.running:
        server.stop()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """Fails the test if any answer was not exactly of its documented shape."""
    ledger = Ledger()
    yield ledger
    unique = list(dict.fromkeys(ledger.findings))
    assert not unique, "answers that are not as documented:\n" + "\n".join(unique[:40])


@pytest.fixture
def wire(server: Hostler, ledger: Ledger) -> Iterator[Wire]:
    wire = Wire(server.base_url, server.api_key, ledger)
    yield wire
    wire.close()


@pytest.fixture
def client(server: Hostler, ledger: Ledger) -> Iterator[anthropic.Anthropic]:
    """The official SDK as a user has it; only its transport is looked through."""
    http = httpx2.Client(transport=CheckedTransport(ledger), timeout=httpx2.Timeout(60, connect=5))
    client = anthropic.Anthropic(base_url=server.base_url, api_key=server.api_key, http_client=http)
    yield client
    client.close()


@pytest.fixture
def agent(wire: Wire) -> dict[str, Any]:
    return wire.post("/v1/agents", {"name": "Tester", "model": "claude-opus-5-5",
                                    "tools": [{"type": "agent_toolset_20260401"}]})


@pytest.fixture
def environment(wire: Wire) -> dict[str, Any]:
    return wire.post("/v1/environments", {"name": "tests"})


@pytest.fixture
def session(wire: Wire, agent: dict[str, Any], environment: dict[str, Any]) -> dict[str, Any]:
    return wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": environment["id"]})


WALKED = pytest.StashKey[dict[str, str]]()


@pytest.fixture
def walked(request: pytest.FixtureRequest) -> dict[str, str]:
    """What became of each operation, for the table at the end of the run."""
    return request.config.stash.setdefault(WALKED, {})


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    results = config.stash.get(WALKED, {})
    if not results:
        return
    terminalreporter.section("operations of the contract")
    for operation in shapes.operations():
        result = results.get(operation.name, "not called")
        terminalreporter.write_line(f"{result:<10} {operation.name:<46} {operation.method:<6} {operation.path}")
    counts = {r: list(results.values()).count(r) for r in ("done", "refused")}
    terminalreporter.write_line(f"{counts['done']} done, {counts['refused']} refused by name, "
                                f"of {len(shapes.operations())}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test shows what the server logged."""
    outcome = yield
    report = outcome.get_result()
    servers = [f for f in getattr(item, "funcargs", {}).values() if isinstance(f, Hostler)]
    if report.failed and servers:
        report.sections.append(("hostler", servers[0].logs()))

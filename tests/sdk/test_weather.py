"""What comes from outside: a disk that is full, no descriptors left, a process that stands still. The server says what is
wrong, loses nothing, and goes on by itself when it is over."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator

import pytest

from conftest import SETTINGS
from fake_model import FakeModel, Gate, Reply, text
from hostler_process import READY_LINE, Hostler, binary
from subscriber import Subscriber
from test_crash import connect, new_session
from wire import Ledger, Wire, user_message

MESSAGES_MAX = 2_000
"""More than fill the disk of these tests."""


class Book:
    """What a client was told, as the judge."""

    def __init__(self, wire: Wire, session: str) -> None:
        self.wire, self.session = wire, session
        self.told: dict[str, str] = {}
        self.refused: list[str] = []
        self.last_refusal: dict[str, Any] = {}

    def send(self, words: str) -> int:
        body = {"events": [user_message(words)]}
        answer = self.wire.call("POST", f"/v1/sessions/{self.session}/events", json=body)
        if answer.status_code == 200:
            self.told[answer.json()["data"][0]["id"]] = words
        else:
            self.refused.append(words)
            self.last_refusal = answer.json()
            assert answer.json()["type"] == "error", answer.text
        return answer.status_code

    def judge(self) -> list[dict[str, Any]]:
        """Every acknowledged message is there once and was processed, and of the others none is there twice."""
        with Subscriber(self.wire, self.session, after="0") as stream:
            stream.wait(lambda events: events and events[-1]["type"] == "session.status_idle"
                        and set(self.told) <= {e["id"] for e in events}, "rest behind everything")
        events = self.wire.events(self.session)
        ids = [e["id"] for e in events]
        assert len(ids) == len(set(ids))
        assert all(next(e for e in events if e["id"] == id)["processed_at"] for id in self.told)
        said = [e["content"][0]["text"] for e in events if e["type"] == "user.message"]
        assert all(said.count(words) == 1 for words in self.told.values())
        assert all(said.count(words) <= 1 for words in self.refused)
        return events


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_refuses_and_loses_nothing(small_disk: Path, fake_model: FakeModel, model: FakeModel,
                                               ledger: Ledger) -> None:
    model.responder = lambda _: Reply([text("Yes.")])
    # A database elsewhere would not notice.
    server = Hostler(small_disk, fake_model.url, SETTINGS, database="").start()
    try:
        wire = connect(server, ledger)
        book = Book(wire, new_session(wire))
        statuses = {book.send(f"{number} " + "word " * 4_000) for number in range(MESSAGES_MAX) if not book.refused}
        assert statuses == {200, 503}
        assert book.last_refusal["error"] == {"type": "api_error", "message": "the disk of the server is full"}
        # Reading goes on.
        assert wire.get(f"/v1/sessions/{book.session}")["id"] == book.session
        assert wire.events(book.session)
        assert server.died() is None
        subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
        assert book.send("Is there room now?") == 200
        assert book.judge()[-1]["stop_reason"] == {"type": "end_turn"}
        server.kill()
        server.start()
        book.wire = connect(server, ledger)
        assert book.send("And after a kill?") == 200
        book.judge()
    finally:
        if server.running:
            server.stop()


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")]
    with open("/dev/full", "wb") as full, subprocess.Popen(
            [str(binary()), *arguments], stdout=subprocess.PIPE, stderr=full, cwd=tmp_path) as server:
        assert server.stdout is not None
        try:
            assert any(line.decode().strip().startswith(READY_LINE) for line in server.stdout)
        finally:
            server.terminate()
        assert server.wait(timeout=60) == 0


def test_without_descriptors_the_listener_survives(plain_server: Hostler, model: FakeModel,
                                                   ledger: Ledger) -> None:
    model.responder = lambda _: Reply([text("Yes.")])
    wire = connect(plain_server, ledger)
    book = Book(wire, new_session(wire))
    assert book.send("Before.") == 200
    book.judge()
    process = plain_server.process_id
    before = resource.prlimit(process, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{process}/fd"))
    resource.prlimit(process, resource.RLIMIT_NOFILE, (used + 5, before[1]))
    host, _, port = plain_server.base_url.removeprefix("http://").partition(":")
    crowd = [socket.create_connection((host, int(port))) for _ in range(50)]
    # A connection that is there goes on, whatever becomes of its requests.
    for number in range(20):
        book.send(f"In the crowd: {number}.")
    assert plain_server.died() is None
    for one in crowd:
        one.close()
    resource.prlimit(process, resource.RLIMIT_NOFILE, before)
    late = connect(plain_server, ledger)
    assert late.http.get("/healthz").status_code == 200
    book.wire = late
    assert book.send("After.") == 200
    book.judge()


def test_the_only_server_stands_still_for_longer_than_its_leases(plain_server: Hostler, model: FakeModel,
                                                                 ledger: Ledger) -> None:
    plain_server.stop()
    plain_server.settings["HOSTLER__ENGINE__LEASE"] = "1s"
    plain_server.start()
    wire = connect(plain_server, ledger)
    book = Book(wire, new_session(wire))
    gate = Gate()
    model.say(Reply([text("One"), text(" more")], midway=gate))
    model.responder = lambda _: Reply([text("Yes.")])
    assert book.send("First.") == 200
    gate.wait_reached()
    with ThreadPoolExecutor() as pool:
        plain_server.signal(signal.SIGSTOP)
        waiting = pool.submit(book.send, "Into the silence.")
        # How long it stands is what is tried here.
        with pytest.raises(TimeoutError):
            waiting.result(timeout=2.5)
        gate.open()
        plain_server.signal(signal.SIGCONT)
        assert waiting.result(timeout=60) == 200
    book.judge()

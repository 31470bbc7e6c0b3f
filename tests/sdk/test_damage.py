"""A disk that has altered what was written: it is found, said, and never served; the session ends, and others go on."""

from __future__ import annotations

import os
import sqlite3

import pytest

from fake_model import FakeModel, Reply, text
from hostler_process import Hostler
from subscriber import Subscriber
from test_crash import connect, new_session, own_server
from test_transport import plain
from wire import Ledger, Wire

__all__ = ["own_server"]

pytestmark = pytest.mark.skipif(bool(os.environ.get("HOSTLER_TEST_POSTGRES")),
                                reason="PostgreSQL keeps its files itself")


def talk(wire: Wire, words: str) -> str:
    session = new_session(wire)
    with Subscriber(wire, session, after="0") as stream:
        wire.say(session, words)
        stream.wait_for_idle()
    return session


def flip_a_bit(server: Hostler, words: bytes) -> None:
    """In each place of the database's file where they are written."""
    path = server.data / "hostler.db"
    with sqlite3.connect(path) as database:
        database.execute("pragma wal_checkpoint(truncate)")
    database.close()
    file = path.read_bytes()
    assert words in file
    path.write_bytes(file.replace(words, bytes([words[0] ^ 1]) + words[1:]))


def test_what_a_disk_has_altered_is_never_served(own_server: Hostler, model: FakeModel, ledger: Ledger) -> None:
    model.responder = lambda request: Reply([text("An answer.")])
    wire = connect(own_server, ledger)
    damaged, whole = talk(wire, "Remember the number 4711."), talk(wire, "And this one: 12.")
    altered = next(e["id"] for e in wire.events(damaged) if e["type"] == "user.message")
    own_server.stop()
    # It is JSON as before, and says another number.
    flip_a_bit(own_server, b"4711")
    own_server.start()
    wire = connect(own_server, ledger)

    listed = wire.call("GET", f"/v1/sessions/{damaged}/events")
    assert listed.status_code == 500 and listed.json()["error"]["type"] == "api_error"
    assert f"{altered} at position" in own_server.logs() and damaged in own_server.logs()

    # Nothing goes on from it: the model is not asked.
    asked = len(model.requests)
    wire.say(damaged, "Which number was it?")
    with Subscriber(wire, damaged) as stream:
        stream.wait_for_end()
    assert wire.get(f"/v1/sessions/{damaged}")["status"] == "terminated"
    assert len(model.requests) == asked

    with Subscriber(wire, whole, after="0") as stream:
        wire.say(whole, "And now?")
        stream.wait_for_idle(2)
    counted = plain(own_server, "/metrics").text
    assert "hostler_damaged_rows_total" in counted

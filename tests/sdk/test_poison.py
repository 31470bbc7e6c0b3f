"""A session that the whole process dies of: it is given up after some deaths, and the others finish."""

from __future__ import annotations

import signal
from collections import Counter
from typing import Any

import httpx2

from fake_model import FakeModel, Gate, Reply, text
from hostler_process import Hostler
from subscriber import Subscriber
from test_crash import connect, new_session
from wire import Ledger

TAKES_MAX = 8
"""How often the server dies of a session before it gives it up: TAKES_MAX of crates/engine/src/limits.rs."""


class Models:
    """A model for several sessions, which are told apart by the word that their messages begin with."""

    def __init__(self, server: Hostler) -> None:
        self.server = server
        self.asked: Counter[str] = Counter()

    def answer(self, request: dict[str, Any]) -> Reply:
        said = str(request["messages"])
        word = next(word for word in ("Poison", "Slow", "Quick") if f"{word}." in said)
        self.asked[word] += 1
        if word == "Poison":
            # The process is gone in the middle of the request, as by a stack overflow or the killer of the kernel.
            self.server.wait_until_ready()
            self.server.signal(signal.SIGABRT)
        # By its fourth take it is a suspect, which the others wait for: it must get on then.
        if word == "Poison" or (word == "Slow" and self.asked["Poison"] < 3):
            return Reply([text("Never said.")], before=Gate())
        return Reply([text(f"{word} is done.")])


def deaths_until_given_up(server: Hostler, ledger: Ledger, session: str) -> int:
    """Starts the server again each time that it has died."""
    for deaths in range(1, TAKES_MAX + 2):
        assert server.wait_for_end() == -signal.SIGABRT
        server.start()
        try:
            with Subscriber(connect(server, ledger), session, after="0") as stream:
                if "session.status_terminated" in [e["type"] for e in stream.wait_for_end()]:
                    return deaths
        except httpx2.TransportError:
            pass
    raise AssertionError("it is tried for ever")


def test_a_session_that_kills_the_server_is_given_up_and_its_neighbours_finish(
        plain_server: Hostler, model: FakeModel, ledger: Ledger) -> None:
    models = Models(plain_server)
    model.responder = models.answer
    wire = connect(plain_server, ledger)
    poison, slow, quick = (new_session(wire) for _ in range(3))
    wire.say(slow, "Slow.")
    wire.say(quick, "Quick.")
    wire.say(poison, "Poison.")
    assert deaths_until_given_up(plain_server, ledger, poison) == TAKES_MAX
    wire = connect(plain_server, ledger)
    error, = [e["error"] for e in wire.events(poison) if e["type"] == "session.error"]
    assert error["retry_status"] == {"type": "terminal"} and "given up" in error["message"]
    assert wire.get(f"/v1/sessions/{poison}")["status"] == "terminated"
    refused = wire.call("POST", f"/v1/sessions/{poison}/events", json={"events": [{"type": "user.interrupt"}]})
    assert refused.status_code == 400
    for session in (slow, quick):
        with Subscriber(wire, session, after="0") as stream:
            stream.wait_for_idle()
            wire.say(session, "And now?")
            stream.wait_for_idle(2)
            said = [e["content"][0]["text"] for e in stream.events if e["type"] == "agent.message"]
            assert len(said) == 2 and "session.error" not in stream.types()


def test_restarts_in_order_do_not_count(plain_server: Hostler, model: FakeModel, ledger: Ledger) -> None:
    """More of them than deaths that would count, each in the middle of the same answer."""
    gates = [Gate() for _ in range(TAKES_MAX + 1)]
    model.say(*(Reply([text("Never said.")], before=gate) for gate in gates), "At last.")
    plain_server.stop()
    plain_server.settings["HOSTLER__SERVER__SHUTDOWN_GRACE"] = "0s"
    plain_server.start()
    wire = connect(plain_server, ledger)
    session = new_session(wire)
    wire.say(session, "Well?")
    for gate in gates:
        gate.wait_reached()
        plain_server.stop()
        plain_server.start()
    with Subscriber(connect(plain_server, ledger), session, after="0") as stream:
        stream.wait_for_idle()
        assert "session.error" not in stream.types()

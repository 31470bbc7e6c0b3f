"""Two servers on one database: any takes a request, one runs a session, the other takes over.

They need a PostgreSQL: tests/with-postgres tests/run-sdk-tests -k replicas
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import urlsplit

import pytest

from conftest import SETTINGS
from cuttable import Cuttable
from fake_model import FakeModel, Gate, Reply, text, tool_use
from hostler_process import Hostler, own_database
from nats_server import PROGRAM, NatsServer
from subscriber import Subscriber
from test_crash import new_session, workspace
from wire import Ledger, Wire

pytestmark = pytest.mark.skipif(not os.environ.get("HOSTLER_TEST_POSTGRES"),
                                reason="this run has no PostgreSQL: see tests/with-postgres")
# A runner stops an eighth of it before another may begin, which a busy machine has to keep apart, too.
QUICK = {**SETTINGS, "HOSTLER__ENGINE__LEASE": "8s"}


class Replicas:
    """Two servers. What the first one says to the database passes a proxy that can be cut."""

    def __init__(self, folder: Path, model_url: str, ledger: Ledger,
                 settings: dict[str, str] = QUICK, second_model_url: str | None = None) -> None:
        database = own_database()
        address = urlsplit(database)
        assert address.hostname and address.port
        self.way = Cuttable(address.hostname, address.port)
        through = database.replace(f":{address.port}/", f":{self.way.port}/")
        self.first = Hostler(folder / "first", model_url, settings, through).start()
        self.second = Hostler(folder / "second", second_model_url or model_url, settings, database)
        self.second.api_key = self.first.api_key
        self.second.start()
        self.one = Wire(self.first.base_url, self.first.api_key, ledger)
        self.two = Wire(self.second.base_url, self.second.api_key, ledger)

    def close(self) -> None:
        self.way.mend()
        for server in (self.first, self.second):
            if server.running:
                server.stop()
        self.way.close()


@pytest.fixture
def replicas(fake_model: FakeModel, tmp_path: Path, ledger: Ledger) -> Iterator[Replicas]:
    both = Replicas(tmp_path, fake_model.url, ledger)
    yield both
    both.close()


def test_any_replica_takes_a_request_and_shows_the_session(replicas: Replicas, model: FakeModel) -> None:
    session = new_session(replicas.one)
    gate = Gate()
    model.say(Reply([text("One"), text(" more")], midway=gate), "Two.")
    with Subscriber(replicas.one, session) as here, Subscriber(replicas.two, session) as there:
        replicas.one.say(session, "First.")
        gate.wait_reached()
        # The runner is with the first; what the second takes reaches it.
        replicas.two.say(session, "Second.")
        gate.open()
        here.wait_for_idle()
        there.wait_for_idle()
        assert here.events == there.events == replicas.one.events(session)
    assert "Second." in str(model.requests[-1]["messages"])


def test_an_interrupt_on_one_replica_stops_the_runner_on_the_other(replicas: Replicas, model: FakeModel) -> None:
    session = new_session(replicas.one)
    gate = Gate()
    model.say(Reply([text("One"), text(" more")], midway=gate))
    with Subscriber(replicas.one, session) as stream:
        replicas.one.say(session, "First.")
        gate.wait_reached()
        replicas.two.post(f"/v1/sessions/{session}/events", {"events": [{"type": "user.interrupt"}]})
        gate.wait_abandoned()
        stream.wait_for_idle()


@pytest.mark.skipif(not PROGRAM, reason="this machine has no nats-server: see tests/install-tools nats")
def test_previews_reach_every_replica_over_nats_and_events_do_not_need_it(
        fake_model: FakeModel, model: FakeModel, tmp_path: Path, ledger: Ledger) -> None:
    nats = NatsServer(tmp_path)
    both = Replicas(tmp_path, fake_model.url, ledger, {**QUICK, **nats.settings()})
    try:
        session = new_session(both.one)
        gate = Gate()
        model.say(Reply([text("One"), text(" more")], midway=gate), "Two.")
        with Subscriber(both.two, session, event_deltas=("agent.message",)) as there:
            nats.wait_until_followed(session)
            both.one.say(session, "First.")
            gate.wait_reached()
            start, delta = there.wait_for_preview("event_start"), there.wait_for_preview("event_delta")
            assert delta.data["delta"]["content"]["text"] and "agent.message" not in there.types()
            gate.open()
            there.wait_for_idle()
            shown = [f.data["event_id"] for f in there.frames if f.event == "event_delta"]
            message = there.wait_for("agent.message")["id"]
            assert set(shown) == {message} == {start.data["event"]["id"]}
            nats.close()
            both.one.say(session, "Second.")
            there.wait_for_idle(2)
            assert there.events == both.two.events(session)
    finally:
        both.close()
        nats.close()


def take_over(replicas: Replicas, model: FakeModel) -> tuple[str, Gate]:
    """A session in the middle of an answer, on the first replica."""
    session = new_session(replicas.one)
    gate = Gate()
    model.say(Reply([text("Half"), text(" of it")], midway=gate), "A whole answer.")
    replicas.one.say(session, "Tell me.")
    gate.wait_reached()
    return session, gate


def at_rest(wire: Wire, session: str) -> list[dict[str, Any]]:
    with Subscriber(wire, session, after="0") as stream:
        stream.wait_for_idle()
    return wire.events(session)


def finished_by(wire: Wire, session: str) -> list[str]:
    events = at_rest(wire, session)
    said = [e["content"][0]["text"] for e in events if e["type"] == "agent.message"]
    assert said == ["A whole answer."], events
    types = [e["type"] for e in events]
    assert types.count("span.model_request_start") == types.count("span.model_request_end") == 2
    return types


def test_a_killed_replicas_sessions_go_on_with_the_other(replicas: Replicas, model: FakeModel) -> None:
    session, _ = take_over(replicas, model)
    replicas.first.kill()
    assert finished_by(replicas.two, session)[-1] == "session.status_idle"


def test_a_paused_replica_adds_nothing_when_it_wakes_up(replicas: Replicas, model: FakeModel) -> None:
    session, gate = take_over(replicas, model)
    replicas.first.signal(signal.SIGSTOP)
    types = finished_by(replicas.two, session)
    replicas.first.signal(signal.SIGCONT)
    gate.wait_abandoned()
    assert [e["type"] for e in replicas.one.events(session)] == types


def test_a_replica_without_the_database_stops_before_another_goes_on(replicas: Replicas, model: FakeModel) -> None:
    session, gate = take_over(replicas, model)
    replicas.way.cut()
    # It hangs up on the model by itself, when its lease may be over.
    gate.wait_abandoned()
    types = finished_by(replicas.two, session)
    refused = replicas.one.http.get(f"/v1/sessions/{session}", headers=replicas.one.headers("/v1/sessions"), timeout=60)
    assert refused.status_code == 529 and refused.headers["retry-after"]
    replicas.way.mend()
    model.say("After.")
    with Subscriber(replicas.two, session) as stream:
        replicas.two.say(session, "Are you there?")
        stream.wait_for_idle()
    assert len(replicas.two.events(session)) > len(types)


def test_a_tool_of_a_replica_without_the_database_ends_before_another_goes_on(
        replicas: Replicas, model: FakeModel) -> None:
    session = new_session(replicas.one)
    model.say(Reply([tool_use("bash", command="mkfifo -m 666 pipe")]),
              Reply([tool_use("bash", command="sh -c 'exec 3> pipe; echo begun >&3; exec sleep 100000'")]),
              "It was interrupted.")
    with Subscriber(replicas.one, session) as stream:
        replicas.one.say(session, "Run it.")
        stream.wait_for("agent.tool_use", 2)
    with open(workspace(replicas.first, session) / "pipe") as begun:
        assert begun.readline() == "begun\n"
        replicas.way.cut()
        # The end of the command is the end of the pipe.
        assert begun.read() == ""
        assert len(model.requests) == 2, "the other replica went on while the tool ran"
    model.wait_for_requests(3)
    result, = [e for e in at_rest(replicas.two, session) if e["type"] == "agent.tool_result" and e["is_error"]]
    assert "interrupted" in result["content"][0]["text"]

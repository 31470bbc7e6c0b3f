"""A server whose wall clock steps by hours, forward and back: nothing is lost, nothing is done twice, and what
is due comes when its time has passed and not when the clock says so again."""

from __future__ import annotations

import struct
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Iterator

import pytest

from conftest import SETTINGS
from fake_model import Failure, FakeModel, Gate, Reply, text
from hostler_process import Hostler
from subscriber import Subscriber
from test_crash import connect, new_session
from wire import Ledger, Wire

HOURS = 3600 * 6
PAUSE_SECONDS = 3
BUSY = Failure(529, "overloaded_error", headers={"retry-after": str(PAUSE_SECONDS)})


class Clock:
    """Of a server's process alone (clock.c)."""

    def __init__(self, folder: Path) -> None:
        self.file, library = folder / "clock", folder / "clock.so"
        self.step(0)
        source = Path(__file__).parent / "clock.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True)
        self.settings = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(self.file)}

    def step(self, seconds: int) -> None:
        with open(self.file, "r+b" if self.file.exists() else "w+b") as file:
            file.write(struct.pack("=q", seconds))


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def stepped(fake_model: FakeModel, tmp_path: Path, clock: Clock) -> Iterator[Hostler]:
    server = Hostler(tmp_path / "hostler", fake_model.url, SETTINGS | clock.settings).start()
    yield server
    if server.running:
        server.stop()


def answer(gate: Gate) -> Any:
    """One session's requests are refused until its pause has begun, one's answer is held, the rest is answered."""
    refused = iter([BUSY])

    def respond(request: dict[str, Any]) -> Reply | Failure:
        said = str(request["messages"][-1])
        if "retry" in said:
            return next(refused, Reply([text("Retried.")]))
        if "work" in said:
            return Reply([text("Half"), text(" and half.")], midway=gate)
        return Reply([text("At rest.")])
    return respond


def hours_off(wire: Wire, session: str) -> float:
    made = wire.post(f"/v1/sessions/{session}", {"title": "What time is it?"})["updated_at"]
    return round((datetime.fromisoformat(made).timestamp() - time.time()) / 3600)


@pytest.mark.parametrize("is_killed", [False, True], ids=["it goes on", "it is killed, too"])
@pytest.mark.parametrize("step", [HOURS, -HOURS], ids=["forward", "back"])
def test_a_clock_that_steps_by_hours(stepped: Hostler, clock: Clock, model: FakeModel, ledger: Ledger, step: int,
                                     is_killed: bool) -> None:
    gate, wire = Gate(), connect(stepped, ledger)
    model.responder = answer(gate)
    retries, works, rests = (new_session(wire) for _ in range(3))
    wire.say(rests, "Rest.")
    with Subscriber(wire, rests, after="0") as stream:
        stream.wait_for_idle()
    wire.say(works, "Please work.")
    gate.wait_reached()
    with Subscriber(wire, retries, after="0") as stream:
        wire.say(retries, "Please retry.")
        stream.wait_for("session.status_rescheduled")

    clock.step(step)
    if is_killed:
        stepped.kill()
        stepped.start()
        wire = connect(stepped, ledger)
    gate.open()
    assert hours_off(wire, rests) == step // 3600, "the clock of the server did not step"
    for session, idles in [(retries, 1), (works, 1), (rests, 2)]:
        with Subscriber(wire, session, after="0") as stream:
            if session == rests:
                wire.say(session, "Rest again.")
            stream.wait_for_idle(idles)
            assert stream.events == wire.events(session)
        messages = [e["content"][0]["text"] for e in wire.events(session) if e["type"] == "agent.message"]
        assert len(messages) == idles, messages
    asked = sum("retry" in str(request["messages"][-1]) for request in model.requests)
    assert asked == 2, "the request that was refused, and one more"

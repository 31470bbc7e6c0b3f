"""Streams: the same gapless sequence for everybody, resumed where it broke off."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from fake_model import FakeModel, Gate, Reply, text
from subscriber import Subscriber
from wire import Wire

SUBSCRIBERS = 21
WRITERS = 4
MESSAGES = 5


def test_the_stream_begins_now_and_says_what_it_is(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say("First.", "Second.")
    with Subscriber(wire, session["id"]) as early:
        wire.say(session["id"], "One.")
        early.wait_for_idle()
        with Subscriber(wire, session["id"]) as late:
            wire.say(session["id"], "Two.")
            late.wait_for_idle()
            early.wait_for_idle(2)
            assert late.headers["content-type"].startswith("text/event-stream")
            assert late.headers["cache-control"] == "no-cache"
            assert late.headers["request-id"].startswith("req_")
            assert late.events == early.events[-len(late.events):]
            assert late.types()[0] == "session.status_running"


def test_every_persisted_event_has_a_place_to_resume_from(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say("Hello.")
    with Subscriber(wire, session["id"], event_deltas=("agent.message",)) as stream:
        wire.say(session["id"], "Hi.")
        stream.wait_for_idle()
        persisted = [f for f in stream.frames if f.event not in ("event_start", "event_delta")]
        previews = [f for f in stream.frames if f.event in ("event_start", "event_delta")]
    assert all(f.id for f in persisted)
    assert len({f.id for f in persisted}) == len(persisted)
    assert previews and all(f.id is None for f in previews)


@pytest.mark.parametrize("how", ["header", "query"])
def test_a_broken_stream_resumes_without_a_gap(wire: Wire, model: FakeModel, session: dict[str, Any], how: str) -> None:
    """From every single place: what came before the break and what comes after it is the whole."""
    model.say("First.", "Second.")
    with Subscriber(wire, session["id"]) as whole:
        wire.say(session["id"], "One.")
        whole.wait_for_idle()
        wire.say(session["id"], "Two.")
        whole.wait_for_idle(2)
        frames = whole.frames
    for position, frame in enumerate(frames[:-1]):
        resume = {"last_event_id": frame.id} if how == "header" else {"after": frame.id}
        with Subscriber(wire, session["id"], **resume) as stream:
            rest = stream.wait(lambda es: len(es) >= len(frames) - position - 1, "the rest")
            assert rest == [f.data for f in frames[position + 1:]]


def test_a_stream_resumed_in_mid_turn_goes_on_live(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    gate = Gate()
    model.say(Reply([text("Slow"), text(" answer.")], midway=gate))
    with Subscriber(wire, session["id"]) as whole:
        wire.say(session["id"], "One.")
        gate.wait_reached()
        whole.wait_for("span.model_request_start")
        first = whole.frames[0]
        with Subscriber(wire, session["id"], last_event_id=first.id) as resumed:
            gate.open()
            whole.wait_for_idle()
            resumed.wait_for_idle()
            assert [first.data, *resumed.events] == whole.events


def test_the_list_never_lags_behind_the_stream(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.responder = lambda _: Reply([text("Yes.")])
    seen: set[str] = set()
    missing: list[str] = []
    with Subscriber(wire, session["id"]) as stream:
        for turn in range(1, 6):
            wire.say(session["id"], f"Turn {turn}.")
            stream.wait_for_idle(turn)
            new = [e["id"] for e in stream.events if e["id"] not in seen]
            listed = {e["id"] for e in wire.events(session["id"])}
            missing += [i for i in new if i not in listed]
            seen.update(new)
            assert wire.get(f"/v1/sessions/{session['id']}")["status"] == "idle"
    assert missing == []


def test_twenty_one_subscribers_and_four_writers_see_one_sequence(wire: Wire, model: FakeModel,
                                                                  session: dict[str, Any]) -> None:
    """Some are there from the start, some join while it runs (resuming from the first event), none misses one."""
    model.responder = lambda _: Reply([text("Noted.")])
    with Subscriber(wire, session["id"]) as first:
        wire.say(session["id"], "Start.")
        first.wait_for_idle()
        beginning = first.frames[0]
        subscribers = [first]
        writers = [threading.Thread(target=_write, args=(wire, session["id"], n)) for n in range(WRITERS)]
        for writer in writers:
            writer.start()
        try:
            while len(subscribers) < SUBSCRIBERS:
                # Each joins one event later than the one before, or at the end if the writers were faster.
                first.wait(lambda es: len(es) > len(subscribers), "the next event")
                subscribers.append(Subscriber(wire, session["id"], last_event_id=beginning.id))
            for writer in writers:
                writer.join()
            everything = _settled(wire, session["id"], first)
            for subscriber in subscribers[1:]:
                events = subscriber.wait(lambda es: len(es) >= len(everything) - 1, "the whole sequence")
                assert [e["id"] for e in events] == [e["id"] for e in everything[1:]]
            assert [e["id"] for e in wire.events(session["id"])] == [e["id"] for e in everything]
            said = [e["content"][0]["text"] for e in everything if e["type"] == "user.message"]
            assert sorted(said) == sorted(["Start."] + [f"{w}.{m}" for w in range(WRITERS) for m in range(MESSAGES)])
            for writer_number in range(WRITERS):
                own = [s for s in said if s.startswith(f"{writer_number}.")]
                assert own == sorted(own)
        finally:
            for subscriber in subscribers[1:]:
                subscriber.close()


def _write(wire: Wire, session_id: str, writer: int) -> None:
    for message in range(MESSAGES):
        wire.say(session_id, f"{writer}.{message}")


def _settled(wire: Wire, session_id: str, stream: Subscriber) -> list[dict[str, Any]]:
    """All events, once every message is processed and the session rests."""
    def complete(events: list[dict[str, Any]]) -> bool:
        processed = sum(e["type"] == "user.message" for e in events)
        return processed == WRITERS * MESSAGES + 1 and events[-1]["type"] == "session.status_idle"
    return stream.wait(complete, "all messages processed and the session idle")

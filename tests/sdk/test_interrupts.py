"""What comes in the middle of a turn: interrupts, further messages, a model that fails."""

from __future__ import annotations

from typing import Any

from fake_model import FakeModel, Failure, Gate, Reply, last_user_content, text, tool_use
from subscriber import Subscriber, settle
from wire import INTERRUPT, Wire, user_message


def test_an_interrupt_stops_the_model_at_once(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    gate = Gate()
    model.say(Reply([text("Once upon"), text(" a time")], midway=gate))
    with Subscriber(wire, session["id"], event_deltas=("agent.message",)) as stream:
        wire.say(session["id"], "A story, please.")
        gate.wait_reached()
        sent, = wire.send(session["id"], INTERRUPT)
        gate.wait_abandoned()
        idle = stream.wait_for_idle()
        types = stream.types()
    assert idle["stop_reason"] == {"type": "end_turn"}
    assert types == [
        "session.status_running", "session.thread_status_running", "user.message", "span.model_request_start",
        "user.interrupt", "span.model_request_end", "session.thread_status_idle", "session.usage", "session.status_idle"]
    interrupt, = [e for e in wire.events(session["id"]) if e["type"] == "user.interrupt"]
    assert interrupt["id"] == sent["id"] and interrupt["processed_at"]


def test_an_interrupt_stops_a_running_tool(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say(Reply([tool_use("bash", command="tail -f /dev/null")]))
    with Subscriber(wire, session["id"]) as stream:
        wire.say(session["id"], "Hang.")
        use = stream.wait_for("agent.tool_use")
        stream.wait_for("span.model_request_end")
        wire.send(session["id"], INTERRUPT)
        idle = stream.wait_for_idle()
        result = stream.wait_for("agent.tool_result")
    assert idle["stop_reason"] == {"type": "end_turn"}
    assert (result["tool_use_id"], result["is_error"]) == (use["id"], True)
    assert "interrupted" in result["content"][0]["text"]
    assert wire.get(f"/v1/sessions/{session['id']}")["status"] == "idle"
    model.say("Still here.")
    assert settle(wire, session["id"], "Alive?")[-1]["stop_reason"] == {"type": "end_turn"}


def test_interrupt_and_message_in_one_request_redirect(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    gate = Gate()
    model.say(Reply([text("Wrong"), text(" way")], midway=gate), "Right way.")
    with Subscriber(wire, session["id"]) as stream:
        wire.say(session["id"], "Go left.")
        gate.wait_reached()
        wire.send(session["id"], INTERRUPT, user_message("No, go right."))
        stream.wait_for_idle(2)
        types = stream.types()
    assert types.count("session.status_running") == 2
    assert types.index("user.interrupt") < types.index("session.status_idle")
    second = model.requests[1]
    assert "No, go right." in str(last_user_content(second))
    assert "Wrong" not in str([m for m in second["messages"] if m["role"] == "assistant"])


def test_an_interrupt_while_idle_does_nothing(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    sent, = wire.send(session["id"], INTERRUPT)
    assert wire.get(f"/v1/sessions/{session['id']}")["status"] == "idle"
    assert [e["id"] for e in wire.events(session["id"])] == [sent["id"]]
    model.say("Yes?")
    settle(wire, session["id"], "Hello.")
    # Whether the stream of the next turn still shows it depends on who is first; the list has it once.
    events = wire.events(session["id"])
    types = [e["type"] for e in events if e["type"] != "user.interrupt"]
    interrupt, = [e for e in events if e["type"] == "user.interrupt"]
    assert interrupt["id"] == sent["id"] and interrupt["processed_at"]
    assert types.index("agent.message") > types.index("session.status_running") == 0
    assert types.count("session.status_idle") == 1


def test_a_message_in_mid_turn_joins_the_turn(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    """One running/idle pair; queued until the next request to the model, and last in the list meanwhile."""
    gate = Gate()
    model.say(Reply([text("Working"), tool_use("bash", command="echo one")], midway=gate), "Both done.")
    with Subscriber(wire, session["id"]) as stream:
        wire.say(session["id"], "Do one.")
        gate.wait_reached()
        queued = wire.say(session["id"], "And two.")
        assert queued["processed_at"] is None
        listed = wire.events(session["id"])
        assert (listed[-1]["id"], listed[-1]["processed_at"]) == (queued["id"], None)
        assert wire.events(session["id"], **{"created_at[gte]": "2020-01-01T00:00:00Z"})[-1]["id"] != queued["id"]
        gate.open()
        stream.wait_for_idle()
        types = stream.types()
        settled = wire.events(session["id"])
    assert types.count("session.status_running") == types.count("session.status_idle") == 1
    position = [e["id"] for e in settled].index(queued["id"])
    assert [e["id"] for e in stream.events].count(queued["id"]) == 1
    assert settled[position]["processed_at"]
    assert settled[position - 1]["type"] == "agent.tool_result"
    assert settled[position + 1]["type"] == "span.model_request_start"
    assert [e["id"] for e in stream.events] == [e["id"] for e in settled]
    assert "And two." in str(last_user_content(model.requests[1]))


def test_a_message_during_the_last_answer_is_not_lost(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    gate = Gate()
    model.say(Reply([text("Answer to"), text(" one.")], midway=gate), "Answer to two.")
    with Subscriber(wire, session["id"]) as stream:
        wire.say(session["id"], "One?")
        gate.wait_reached()
        wire.say(session["id"], "Two?")
        gate.open()
        stream.wait(lambda es: sum(e["type"] == "agent.message" for e in es) == 2
                    and es[-1]["type"] == "session.status_idle", "two answers and the end of the turn")
        types = stream.types()
    assert types.count("session.status_running") == types.count("session.status_idle") == 1


def test_a_failing_model_is_retried_and_said(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say(Failure(529, "overloaded_error", headers={"retry-after": "0"}), "Back again.")
    events = settle(wire, session["id"], "Try.")
    types = [e["type"] for e in events]
    assert events[-1]["stop_reason"] == {"type": "end_turn"}
    error = next(e for e in events if e["type"] == "session.error")["error"]
    assert (error["type"], error["retry_status"]) == ("model_overloaded_error", {"type": "retrying"})
    place = types.index("session.error")
    rest = [t for t in types[place:] if not t.startswith("span.")]
    assert rest[:5] == ["session.error", "session.thread_status_rescheduled", "session.status_rescheduled",
                        "session.status_running", "session.thread_status_running"]
    assert types.count("session.status_idle") == 1


def test_a_refusing_model_ends_the_turn(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say(Failure(400, "invalid_request_error", "no such thing"))
    events = settle(wire, session["id"], "Try.")
    error = next(e for e in events if e["type"] == "session.error")["error"]
    assert (error["type"], error["retry_status"]) == ("model_request_failed_error", {"type": "exhausted"})
    assert events[-1]["stop_reason"] == {"type": "retries_exhausted"}
    end, = [e for e in events if e["type"] == "span.model_request_end"]
    assert end["is_error"] is True
    model.say("Fine now.")
    assert settle(wire, session["id"], "Again.")[-1]["stop_reason"] == {"type": "end_turn"}


def test_a_refusal_is_a_stop_reason(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say(Reply([text("I will not.")], stop_reason="refusal"))
    idle = settle(wire, session["id"], "Do harm.")[-1]
    assert idle["stop_reason"] == {"type": "refusal"}
    assert idle["stop_details"]["type"] == "refusal"

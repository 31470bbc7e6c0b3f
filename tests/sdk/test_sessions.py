"""Sessions from end to end: turns, previews, usage, updates, and their end."""

from __future__ import annotations

from typing import Any

import anthropic
from anthropic.lib.sessions import accumulate_managed_agents_event

from fake_model import FakeModel, Gate, Reply, last_user_content, text, thinking, tool_use
from subscriber import Subscriber, settle
from wire import Wire, user_message

SESSION_USAGE_KEYS = {"input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation", "active_seconds"}


def assert_usage_before_each_idle(events: list[dict[str, Any]]) -> None:
    for before, event in zip([None, *events], events):
        if event["type"] == "session.status_idle":
            assert before is not None and before["type"] == "session.usage"


def test_a_turn_with_a_tool_has_the_documented_order(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say(Reply([thinking("Let me see."), text("I will look."), tool_use("bash", command="echo $((6*7))")]),
              "It is 42.")
    events = settle(wire, session["id"], "What is six times seven?")
    assert [e["type"] for e in events] == [
        "session.status_running", "session.thread_status_running", "user.message",
        "span.model_request_start", "agent.thinking", "agent.message", "agent.tool_use", "span.model_request_end",
        "agent.tool_result",
        "span.model_request_start", "agent.message", "span.model_request_end",
        "session.thread_status_idle", "session.usage", "session.status_idle",
    ]
    use, result, idle = events[6], events[8], events[-1]
    assert (use["name"], use["input"]) == ("bash", {"command": "echo $((6*7))"})
    assert use["evaluated_permission"] == "allow"
    assert use["evaluation"] == {"type": "always_allow"}
    assert result["tool_use_id"] == use["id"]
    assert [b["text"].strip() for b in result["content"]] == ["42"]
    assert not result.get("is_error")
    assert idle["stop_reason"] == {"type": "end_turn"}
    assert idle["stop_details"] is None
    assert all(e["processed_at"] for e in events)
    assert [e["id"] for e in events] == [e["id"] for e in wire.events(session["id"])]


def test_the_model_sees_its_own_turn_again(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    """Thinking stays across the tool turn, and the prefix of each request is that of the one before."""
    model.say(Reply([thinking("Hm."), tool_use("bash", command="true")]), "Done.", "Again.")
    settle(wire, session["id"], "Go.")
    settle(wire, session["id"], "And now?")
    first, second, third = model.requests
    assert first["stream"] is True
    assert second["messages"][1]["role"] == "assistant"
    assert [b["type"] for b in second["messages"][1]["content"]] == ["thinking", "tool_use"]
    assert second["messages"][1]["content"][0]["signature"] == "c2lnbmF0dXJl"
    assert last_user_content(second)[0]["type"] == "tool_result"
    assert [first["system"], first["tools"]] == [third["system"], third["tools"]]
    strip = lambda m: {"role": m["role"], "content": [  # noqa: E731 - cache marks move, the rest may not
        {k: v for k, v in b.items() if k != "cache_control"} for b in
        ([text(m["content"])] if isinstance(m["content"], str) else m["content"])]}
    shared = [strip(m) for m in second["messages"]]
    assert [strip(m) for m in third["messages"]][:len(shared)] == shared
    assert {t["name"] for t in first["tools"]} == {"bash", "read", "write", "edit", "glob", "grep", "web_fetch"}


def test_previews_add_up_to_the_final_message(client: anthropic.Anthropic, wire: Wire, model: FakeModel,
                                              session: dict[str, Any]) -> None:
    """With the SDK's own accumulator, which raises on a delta that is out of place."""
    gate = Gate()
    model.say(Reply([text("A long answer, in several pieces."), text(" And more.")], midway=gate, pieces=7))
    with client.beta.sessions.events.stream(session["id"], event_deltas=["agent.message", "agent.thinking"]) as stream:
        wire.say(session["id"], "Tell me.")
        snapshot = None
        starts: list[str] = []
        for event in stream:
            if event.type == "event_start":
                starts.append(event.event.id)
                gate.open()
            if event.type in ("event_start", "event_delta") and snapshot is not None:
                previewed = "".join(getattr(b, "text", "") for b in snapshot.content)
                assert "A long answer, in several pieces. And more.".startswith(previewed)
            snapshot = accumulate_managed_agents_event(snapshot, event)
            if event.type == "session.status_idle":
                break
    assert snapshot is not None
    assert starts == [snapshot.id]
    assert "".join(b.text for b in snapshot.content) == "A long answer, in several pieces. And more."
    assert all(e["type"] not in ("event_start", "event_delta") for e in wire.events(session["id"]))


def test_without_asking_there_are_no_previews(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say("Quiet.")
    with Subscriber(wire, session["id"]) as plain, Subscriber(wire, session["id"], event_deltas=("agent.message",)) as eager:
        wire.say(session["id"], "Psst.")
        plain.wait_for_idle()
        eager.wait_for_idle()
        assert not [f for f in plain.frames if f.event in ("event_start", "event_delta")]
        assert [f.event for f in eager.frames if f.event == "event_start"] == ["event_start"]
        assert plain.events == eager.events


def test_usage_adds_up(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    fresh = session["usage"]
    assert (fresh["input_tokens"], fresh["output_tokens"], fresh["active_seconds"]) == (0, 0, 0)
    model.say(Reply([tool_use("bash", command="true")], input_tokens=100, output_tokens=20,
                    cache_creation_input_tokens=7),
              Reply([text("Done.")], input_tokens=30, output_tokens=4, cache_read_input_tokens=70))
    events = settle(wire, session["id"], "Count.")
    assert_usage_before_each_idle(events)
    usage = wire.get(f"/v1/sessions/{session['id']}")["usage"]
    assert SESSION_USAGE_KEYS <= usage.keys()
    assert (usage["input_tokens"], usage["output_tokens"], usage["cache_read_input_tokens"]) == (130, 24, 70)
    assert sum(usage["cache_creation"].values()) == 7
    snapshot = [e for e in events if e["type"] == "session.usage"][-1]["usage"]
    counted = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation"]
    assert [snapshot[k] for k in counted] == [usage[k] for k in counted]
    ends = [e["model_usage"] for e in events if e["type"] == "span.model_request_end"]
    assert [e["input_tokens"] for e in ends] == [100, 30]


def test_initial_events_start_the_session(wire: Wire, model: FakeModel, agent: dict[str, Any],
                                          environment: dict[str, Any]) -> None:
    gate = Gate()
    model.say(Reply([text("Started.")], before=gate))
    session = wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": environment["id"],
                                         "initial_events": [user_message("Begin."), user_message("With this.")]})
    assert session["status"] == "running"
    assert sum(e["type"] == "user.message" for e in wire.events(session["id"])) == 2
    gate.wait_reached()
    with Subscriber(wire, session["id"]) as stream:
        gate.open()
        stream.wait_for_idle()
    types = [e["type"] for e in wire.events(session["id"])]
    assert types[:4] == ["session.status_running", "session.thread_status_running", "user.message", "user.message"]
    assert types[-1] == "session.status_idle"


def test_update_patches_and_says_so(wire: Wire, session: dict[str, Any]) -> None:
    path = f"/v1/sessions/{session['id']}"
    with Subscriber(wire, session["id"]) as stream:
        assert wire.post(path, {"title": "T", "metadata": {"a": "1", "b": "2"}})["metadata"] == {"a": "1", "b": "2"}
        changed = wire.post(path, {"metadata": {"a": None, "c": ""}})
        assert (changed["title"], changed["metadata"]) == ("T", {"b": "2", "c": ""})
        assert wire.post(path, {"title": "T", "metadata": None})["updated_at"] == changed["updated_at"]
        assert wire.post(path, {"title": None})["title"] is None
        tools = [{"type": "agent_toolset_20260401", "configs": [{"name": "bash", "enabled": False}]}]
        assert wire.post(path, {"agent": {"tools": tools}})["agent"]["tools"][0]["configs"][0]["enabled"] is False
        updates = stream.wait(lambda es: sum(e["type"] == "session.updated" for e in es) >= 4, "four updates")
    bare = [{k: v for k, v in e.items() if k not in ("id", "type", "processed_at")} for e in updates]
    assert bare[0] == {"title": "T", "metadata": {"a": "1", "b": "2"}}
    assert bare[1] == {"metadata": {"b": "2", "c": ""}}
    assert bare[2] == {"title": None}
    assert bare[3].keys() == {"agent"}
    assert len(updates) == 4


def test_an_updated_tool_list_holds_from_the_next_turn(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    wire.post(f"/v1/sessions/{session['id']}", {"agent": {"tools": []}})
    model.say("No tools.")
    settle(wire, session["id"], "Which tools?")
    assert not model.requests[0].get("tools")


def test_overrides_change_the_session_only(wire: Wire, model: FakeModel, agent: dict[str, Any],
                                           environment: dict[str, Any]) -> None:
    session = wire.post("/v1/sessions", {"environment_id": environment["id"], "agent": {
        "type": "agent_with_overrides", "id": agent["id"], "version": 1, "system": "Speak like a pirate.",
        "tools": [], "model": {"id": "claude-sonnet-5-5", "effort": "low"}}})
    assert session["agent"]["system"] == "Speak like a pirate."
    assert session["agent"]["model"]["id"] == "claude-sonnet-5-5"
    assert session["agent"]["model"]["effort"] == {"type": "low"}
    assert (session["agent"]["id"], session["agent"]["version"]) == (agent["id"], 1)
    assert wire.get(f"/v1/agents/{agent['id']}") == agent
    model.say("Arr.")
    settle(wire, session["id"], "Hello.")
    assert model.requests[0]["model"] == "claude-sonnet-5-5"
    assert "pirate" in str(model.requests[0]["system"])


def test_a_running_session_is_not_archived_deleted_or_reconfigured(wire: Wire, model: FakeModel,
                                                                   session: dict[str, Any]) -> None:
    gate = Gate()
    model.say(Reply([text("Hold on.")], before=gate))
    path = f"/v1/sessions/{session['id']}"
    with Subscriber(wire, session["id"]) as stream:
        wire.say(session["id"], "Wait.")
        gate.wait_reached()
        assert wire.get(path)["status"] == "running"
        assert wire.call("POST", f"{path}/archive").status_code == 400
        assert wire.call("DELETE", path).status_code == 400
        assert wire.call("POST", path, json={"agent": {"tools": []}}).status_code == 400
        assert wire.post(path, {"title": "While running"})["title"] == "While running"
        gate.open()
        stream.wait_for_idle()
    assert wire.get(path)["status"] == "idle"


def test_archive_ends_the_stream(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say("Bye.")
    settle(wire, session["id"], "Hello.")
    path = f"/v1/sessions/{session['id']}"
    with Subscriber(wire, session["id"]) as stream:
        archived = wire.post(f"{path}/archive")
        types = [e["type"] for e in stream.wait_for_end()]
    assert (archived["status"], bool(archived["archived_at"])) == ("terminated", True)
    assert types == ["session.thread_status_terminated", "session.status_terminated"]
    assert wire.get(path) == archived == wire.post(f"{path}/archive")
    assert [e["type"] for e in wire.events(session["id"])][-1] == "session.status_terminated"
    with Subscriber(wire, session["id"]) as late:
        assert [e["type"] for e in late.wait_for_end()] == ["session.status_terminated"]


def test_delete_ends_the_stream_and_leaves_nothing(wire: Wire, session: dict[str, Any]) -> None:
    path = f"/v1/sessions/{session['id']}"
    with Subscriber(wire, session["id"]) as stream:
        assert wire.delete(path) == {"id": session["id"], "type": "session_deleted"}
        assert [e["type"] for e in stream.wait_for_end()] == ["session.deleted"]
    for method, suffix in [("GET", ""), ("GET", "/events"), ("GET", "/events/stream"), ("DELETE", ""),
                           ("GET", "/resources"), ("POST", "/archive")]:
        assert wire.call(method, path + suffix).status_code == 404

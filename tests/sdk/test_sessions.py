"""Sessions from end to end: turns, tools, interrupts, usage, updates, and their end."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from anthropic.lib.sessions import accumulate_managed_agents_event

from fake_model import FakeModel, Failure, Gate, Reply, last_user_content, text, thinking, tool_use
from subscriber import Subscriber
from wire import INTERRUPT, Wire, user_message

SESSION_USAGE_KEYS = {"input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation", "active_seconds"}


def settle(wire: Wire, session_id: str, words: str) -> list[dict[str, Any]]:
    """Says something and returns what the stream showed until the session was idle again."""
    with Subscriber(wire, session_id) as stream:
        wire.say(session_id, words)
        stream.wait_for_idle()
        return stream.events


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
    assert {t["name"] for t in first["tools"]} == {"bash", "read", "write", "edit", "glob", "grep"}


def test_parallel_calls_are_all_answered_in_order(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    """Results are as many as the calls, and go back to the model in the order in which it asked."""
    model.say(Reply([tool_use("write", file_path="a.txt", content="a"), tool_use("write", file_path="b.txt", content="b"),
                     tool_use("glob", pattern="*.none")]), "Both.")
    events = settle(wire, session["id"], "Write both.")
    uses = [e["id"] for e in events if e["type"] == "agent.tool_use"]
    results = [e["tool_use_id"] for e in events if e["type"] == "agent.tool_result"]
    assert sorted(uses) == sorted(results) and len(uses) == 3
    answered = [b for b in last_user_content(model.requests[1]) if b["type"] == "tool_result"]
    asked = [b for b in model.requests[1]["messages"][-2]["content"] if b["type"] == "tool_use"]
    assert [a["tool_use_id"] for a in answered] == [b["id"] for b in asked]


def test_six_tools_do_what_they_say(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say(
        Reply([tool_use("write", file_path="notes/a.txt", content="one\ntwo\nthree\n")]),
        Reply([tool_use("edit", file_path="notes/a.txt", old_string="two", new_string="zwei")]),
        Reply([tool_use("read", file_path="notes/a.txt", view_range=[2, 2])]),
        Reply([tool_use("glob", pattern="**/*.txt")]),
        Reply([tool_use("grep", pattern="zw.i")]),
        Reply([tool_use("bash", command="cat notes/a.txt; exit 3")]),
        "Done.")
    events = settle(wire, session["id"], "Use them all.")
    results = [e for e in events if e["type"] == "agent.tool_result"]
    words = ["\n".join(b.get("text", "") for b in e.get("content", [])) for e in results]
    assert [bool(e.get("is_error")) for e in results] == [False, False, False, False, False, True]
    assert "zwei" in words[2] and "three" not in words[2]
    assert "a.txt" in words[3]
    assert "a.txt" in words[4]
    assert "one\nzwei\nthree" in words[5]


@pytest.mark.parametrize("call", [
    tool_use("bash", command="x" * 10, timeout_ms="soon"), tool_use("bash"), tool_use("read"),
    tool_use("read", file_path="../../../etc/shadow"), tool_use("read", file_path="no/such/file"),
    tool_use("write", file_path="/proc/sys/kernel/panic", content="1"), tool_use("edit", file_path="none", old_string="a",
                                                                                new_string="b"),
    tool_use("grep", pattern="("), tool_use("glob", pattern="../*"), tool_use("teleport", to="mars"),
    tool_use("web_search", query="x"), tool_use("write", file_path="a\0b", content="x"),
], ids=lambda call: f"{call['name']} {sorted(call['input'].items())}")
def test_a_wrong_call_is_an_error_result_and_the_turn_goes_on(
        wire: Wire, model: FakeModel, session: dict[str, Any], call: dict[str, Any]) -> None:
    model.say(Reply([call]), "I see.")
    events = settle(wire, session["id"], "Try.")
    result, = [e for e in events if e["type"] == "agent.tool_result"]
    assert result["is_error"] is True
    assert result["content"][0]["text"]
    assert events[-1]["stop_reason"] == {"type": "end_turn"}


def test_no_network_is_said_not_hidden(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say(Reply([tool_use("bash", command="exec 3<>/dev/tcp/192.0.2.1/80 && echo connected")]), "None.")
    events = settle(wire, session["id"], "Call home.")
    result, = [e for e in events if e["type"] == "agent.tool_result"]
    said = result["content"][0]["text"]
    assert "connected" not in said.splitlines()
    assert "network" in said.lower()


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
    assert "user.interrupt" not in [e["type"] for e in settle(wire, session["id"], "Hello.")]


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


def test_a_long_output_goes_to_a_file(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    """The shell keeps the tail of what it printed; the reading tool is where 100,000 characters are passed."""
    model.say(Reply([tool_use("bash", command="seq -w 1 20000 > big.txt; wc -c big.txt")]),
              Reply([tool_use("read", file_path="big.txt")]), "Long.")
    results = [e for e in settle(wire, session["id"], "Count far.") if e["type"] == "agent.tool_result"]
    assert "120000" in results[0]["content"][0]["text"]
    preview = results[1]["content"][0]["text"]
    assert len(preview) <= 100_000
    assert "00001" in preview and "/" in preview
    assert not results[1].get("is_error")


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

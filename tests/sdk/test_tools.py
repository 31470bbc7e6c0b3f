"""The six tools in the real sandbox, as the event log and the model see them."""

from __future__ import annotations

from typing import Any

import pytest

from fake_model import FakeModel, Reply, last_user_content, tool_use
from subscriber import settle
from wire import Wire


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


def test_a_private_address_is_refused_and_that_is_said(wire: Wire, model: FakeModel, session: dict[str, Any]) -> None:
    model.say(Reply([tool_use("bash", command="curl -sS --fail-with-body http://10.0.0.1/ && echo connected")]), "None.")
    events = settle(wire, session["id"], "Call home.")
    result, = [e for e in events if e["type"] == "agent.tool_result"]
    said = result["content"][0]["text"]
    assert "connected" not in said.splitlines()
    assert "network policy" in said and result["is_error"]


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

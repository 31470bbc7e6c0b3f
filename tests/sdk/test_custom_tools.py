"""Tools that the client runs: by hand, and with the SDKs' own runners, which know nothing about Hostler."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import anthropic
from anthropic import beta_async_tool

from fake_model import FakeModel, Reply, last_user_content, tool_use
from hostler_process import Hostler
from node import run_typescript
from subscriber import Subscriber
from test_permissions import session_of
from wire import Wire

TOOL = {"type": "custom", "name": "look_up", "description": "Looks up an order.",
        "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}}


def result(call: str, *content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "user.custom_tool_result", "custom_tool_use_id": call, "content": list(content), **fields}


def test_results_of_every_kind(wire: Wire, model: FakeModel, environment: dict[str, Any]) -> None:
    session = session_of(wire, environment, TOOL)
    file = wire.ok("POST", "/v1/files", files={"file": ("a.txt", b"from a file", "text/plain")})["id"]
    model.say(Reply([tool_use("look_up", id="7")]), "Seen.")
    content = [
        {"type": "text", "text": "words"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}},
        {"type": "document", "source": {"type": "file", "file_id": file}, "title": "A file"},
        {"type": "search_result", "source": "https://example.com", "title": "A page",
         "content": [{"type": "text", "text": "found"}], "citations": {"enabled": True}}]
    with Subscriber(wire, session) as stream:
        wire.say(session, "Look.")
        call = stream.wait_for("agent.custom_tool_use")
        assert call["input"] == {"id": "7"} and "evaluated_permission" not in call
        assert stream.wait_for_idle()["stop_reason"]["event_ids"] == [call["id"]]
        sent, = wire.send(session, result(call["id"], *content))
        stream.wait_for_idle(2)
        shown = stream.wait_for("user.custom_tool_result")
    # It is handled when it comes, and the stream has it as it was answered.
    assert sent["processed_at"] and shown == sent
    given = last_user_content(model.requests[1])[0]["content"]
    assert [block["type"] for block in given] == ["text", "image", "document", "search_result"]
    assert given[2]["source"] == {"type": "text", "media_type": "text/plain", "data": "from a file"}


def test_several_calls_and_answers_to_the_wrong_ones(wire: Wire, model: FakeModel,
                                                      environment: dict[str, Any]) -> None:
    session = session_of(wire, environment, TOOL, {"type": "agent_toolset_20260401"})
    model.say(Reply([tool_use("look_up", id="7"), tool_use("look_up", id="8"), tool_use("bash", command="echo hi")]),
              "Both.")

    def refused(event: dict[str, Any]) -> str:
        answer = wire.call("POST", f"/v1/sessions/{session}/events", json={"events": [event]})
        assert answer.status_code == 400, answer.text
        return answer.json()["error"]["message"]

    with Subscriber(wire, session) as stream:
        wire.say(session, "Look.")
        seven, eight = stream.wait_for_idle()["stop_reason"]["event_ids"]
        bash = stream.wait_for("agent.tool_use")["id"]
        assert "no tool call" in refused(result(seven[:-1] + ("1" if seven[-1] != "1" else "2")))
        assert "no call of a custom tool" in refused(result(bash))
        assert "needs no confirmation" in refused(
            {"type": "user.tool_confirmation", "tool_use_id": seven, "result": "allow"})
        assert "no such file" in refused(result(
            seven, {"type": "image", "source": {"type": "file", "file_id": "file_011CZkZ9X2dpNyB7HsEFoRfW"}}))
        wire.send(session, result(eight, {"type": "text", "text": "second"}, is_error=True))
        assert stream.wait_for_idle(2)["stop_reason"]["event_ids"] == [seven]
        wire.send(session, result(seven), result(eight, {"type": "text", "text": "too late"}))
        stream.wait_for_idle(3)
    given = last_user_content(model.requests[1])
    assert [block.get("is_error", False) for block in given] == [False, True, False]
    assert given[0]["content"] == [{"type": "text", "text": "(empty)"}] and "too late" not in str(given)
    assert sum(e["type"] == "user.custom_tool_result" for e in wire.events(session)) == 2


@beta_async_tool
async def look_up(id: str) -> str:
    """Looks up an order.

    Args:
        id: The number of the order.
    """
    if id == "8":
        raise ValueError("no such order")
    return f"order {id} is on its way"


def test_the_runner_of_the_python_sdk(server: Hostler, wire: Wire, model: FakeModel,
                                      environment: dict[str, Any]) -> None:
    """It finds a call that waits already, answers the next one from the stream, and ends by itself."""
    session = session_of(wire, environment, TOOL, {"type": "agent_toolset_20260401"})
    model.say(Reply([tool_use("look_up", id="7")]), Reply([tool_use("look_up", id="8")]), "One of them.")
    with Subscriber(wire, session) as stream:
        wire.say(session, "Look.")
        stream.wait_for_idle()

    async def run() -> list[Any]:
        async with anthropic.AsyncAnthropic(base_url=server.base_url, api_key=server.api_key) as client:
            runner = client.beta.sessions.events.tool_runner(session, tools=[look_up], max_idle=1)
            return [call async for call in runner]

    calls = asyncio.run(run())
    assert [(call.name, call.posted, call.is_error) for call in calls] == [
        ("look_up", True, False), ("look_up", True, True)]
    events = wire.events(session)
    assert events[-1]["stop_reason"] == {"type": "end_turn"}
    assert "order 7 is on its way" in str(last_user_content(model.requests[1]))
    assert "no such order" in str(last_user_content(model.requests[2]))


def test_a_call_that_was_interrupted_is_not_run_by_a_later_runner(server: Hostler, wire: Wire, model: FakeModel,
                                                                   environment: dict[str, Any]) -> None:
    session = session_of(wire, environment, TOOL)
    model.say(Reply([tool_use("look_up", id="7")]))
    with Subscriber(wire, session) as stream:
        wire.say(session, "Look.")
        stream.wait_for_idle()
        wire.send(session, {"type": "user.interrupt"})
        stream.wait_for_idle(2)

    async def run() -> list[Any]:
        async with anthropic.AsyncAnthropic(base_url=server.base_url, api_key=server.api_key) as client:
            return [call async for call in client.beta.sessions.events.tool_runner(
                session, tools=[look_up], max_idle=0.2)]

    assert asyncio.run(run()) == []


def test_the_typescript_sdk(server: Hostler, wire: Wire, model: FakeModel, tmp_path: Path) -> None:
    """Its runner answers the custom tool, and the program itself what is asked."""
    model.say(Reply([tool_use("look_up", id="7"), tool_use("bash", command="echo asked")]), "All done.")
    lines = run_typescript("hands.ts", tmp_path, server)
    assert lines[1:] == ["ran look_up false true", "All done."]
    # The same log, held against the contract.
    events = wire.events(lines[0])
    assert events[-1]["stop_reason"] == {"type": "end_turn"}
    given = str(last_user_content(model.requests[1]))
    assert "order 7 is on its way" in given and "asked" in given

"""Events: what a client may send, and when."""

from __future__ import annotations

from typing import Any

from .case import Case

UNSUPPORTED = "feature_not_supported"
MISSING = "011CZkZ9X2dpNyB7HsEFoRfW"
TEXT = {"type": "text", "text": "x"}
SYSTEM: dict[str, Any] = {"type": "system.message", "content": [TEXT]}


def send(name: str, says: str, *events: Any, code: str | None = None, to: str = "{session}") -> Case:
    return Case(f"send: {name}", "POST", f"/v1/sessions/{to}/events", says, json={"events": list(events)}, code=code)


def body(name: str, says: str, value: Any) -> Case:
    return Case(f"send: {name}", "POST", "/v1/sessions/{session}/events", says, json=value)


def message(name: str, says: str, *content: Any) -> Case:
    return send(name, says, {"type": "user.message", "content": list(content)})


def image(name: str, says: str, /, **source: Any) -> Case:
    return message(name, "events.0.content.0." + says, {"type": "image", "source": source})


def confirmation(name: str, says: str, **fields: Any) -> Case:
    return send(f"confirmation {name}", says, {
        "type": "user.tool_confirmation", "tool_use_id": f"sevt_{MISSING}", "result": "allow", **fields})


def custom_result(name: str, says: str, **fields: Any) -> Case:
    return send(f"custom result {name}", says, {
        "type": "user.custom_tool_result", "custom_tool_use_id": f"sevt_{MISSING}", **fields})


CASES = [
    body("nothing", "events: Field required", {}),
    body("an event for events", "events: ", {"events": {"type": "user.interrupt"}}),
    body("a bare event", "", {"type": "user.interrupt"}),
    body("unknown field", "wait: Extra inputs are not permitted",
         {"events": [{"type": "user.interrupt"}], "wait": True}),
    body("a list", "", [{"type": "user.interrupt"}]),
    send("no events", "events"),
    send("too many events", "events", *[{"type": "user.interrupt"}] * 1001),
    send("an event that is a string", "events.0: ", "hello"),
    send("no type", "events.0.type: Field required", {"content": [TEXT]}),
    send("unknown type", "events.0.type: ", {"type": "user.shout"}),
    send("type null", "events.0.type", {"type": None}),
    *[send(f"a server's event {t}", "events.0.type", {"type": t}) for t in
      ["agent.message", "session.status_idle", "session.usage", "span.model_request_start", "session.deleted"]],
    send("second event wrong", "events.1.type", {"type": "user.interrupt"}, {"type": "?"}),
    send("message without content", "events.0.content: Field required", {"type": "user.message"}),
    message("message empty", "events.0.content"),
    send("content a string", "events.0.content: ", {"type": "user.message", "content": "hello"}),
    send("message with id", "events.0.id: Extra inputs are not permitted",
         {"type": "user.message", "content": [TEXT], "id": "sevt_1"}),
    message("block a string", "events.0.content.0: ", "hello"),
    message("block without type", "events.0.content.0.type: Field required", {"text": "x"}),
    message("block type unknown", "events.0.content.0.type: ", {"type": "video"}),
    message("block redacted", "events.0.content.0", {"type": "redacted"}),
    message("block search_result", "events.0.content.0", {"type": "search_result"}),
    message("text missing", "events.0.content.0.text: Field required", {"type": "text"}),
    message("text number", "events.0.content.0.text: ", {"type": "text", "text": 1}),
    message("text empty", "events.0.content.0.text: ", {"type": "text", "text": ""}),
    message("text with NUL", "events.0.content.0.text: ", {"type": "text", "text": "a\0b"}),
    message("text unknown field", "events.0.content.0.cache_control: Extra inputs are not permitted",
            {**TEXT, "cache_control": {"type": "ephemeral"}}),
    message("second block wrong", "events.0.content.1.type: ", TEXT, {"type": "?"}),
    message("image without source", "events.0.content.0.source: Field required", {"type": "image"}),
    image("image source type", "source.type: ", type="ftp"),
    image("image without data", "source.data: Field required", type="base64", media_type="image/png"),
    image("image media type", "source.media_type", type="base64", media_type="image/bmp", data="AAAA"),
    image("image no base64", "source.data", type="base64", media_type="image/png", data="not base64!"),
    image("image url missing", "source.url: Field required", type="url"),
    image("image url scheme", "source.url", type="url", url="file:///etc/passwd"),
    image("image file missing", "source.file_id", type="file", file_id=f"file_{MISSING}"),
    message("document source type", "events.0.content.0.source.type: ",
            {"type": "document", "source": {"type": "tape"}}),
    message("document media type", "events.0.content.0.source.media_type",
            {"type": "document", "source": {"type": "text", "media_type": "text/html", "data": "x"}}),
    message("document title number", "events.0.content.0.title: ",
            {"type": "document", "title": 1, "source": {"type": "text", "media_type": "text/plain", "data": "x"}}),
    send("interrupt of an unknown thread", "session_thread_id",
         {"type": "user.interrupt", "session_thread_id": f"sthr_{MISSING}"}),
    send("interrupt unknown field", "events.0.reason: Extra inputs are not permitted",
         {"type": "user.interrupt", "reason": "bored"}),
    confirmation("of an unknown call", "events.0.tool_use_id: no tool call"),
    confirmation("with a message", "events.0.deny_message: only a 'deny'", deny_message="no"),
    confirmation("with another word", "events.0.result: ", result="maybe"),
    confirmation("without a word", "events.0.result: Input should be", result=None),
    confirmation("with a thread", "events.0.session_thread_id: Extra inputs are not permitted",
                 session_thread_id=f"sthr_{MISSING}"),
    confirmation("of no id", "events.0.tool_use_id: ", tool_use_id="toolu_1"),
    confirmation("with a long message", "events.0.deny_message: ", result="deny", deny_message="x" * 10_001),
    custom_result("of an unknown call", "events.0.custom_tool_use_id: no tool call"),
    custom_result("with a redacted block", "events.0.content.0", content=[{"type": "redacted"}]),
    custom_result("with a string", "events.0.content: ", content="done"),
    custom_result("with a bare search result", "events.0.content.0.source: Field required",
                  content=[{"type": "search_result"}]),
    custom_result("with a word for is_error", "events.0.is_error: ", is_error="no"),
    custom_result("with a missing file", "events.0.content.0.source.file_id: no such file",
                  content=[{"type": "image", "source": {"type": "file", "file_id": f"file_{MISSING}"}}]),
    send("too many late answers", "more than 16 answers to calls that are not waiting", *[
        {"type": "user.custom_tool_result", "custom_tool_use_id": f"sevt_{MISSING[:-2]}{a}{b}"}
        for a in "ABCDE" for b in "FGHJ"]),
    send("tool result in the cloud", "self_hosted",
         *[{"type": "user.tool_result", "tool_use_id": f"sevt_{MISSING}", "content": [TEXT]}]),
    send("outcome", "user.define_outcome", code=UNSUPPORTED,
         *[{"type": "user.define_outcome", "description": "d", "rubric": {"type": "text", "content": "r"}}]),
    send("system message first", "events.0: a system.message should be the last", SYSTEM,
         {"type": "user.message", "content": [TEXT]}),
    send("system message behind an interrupt", "events.1: a system.message should stand directly behind",
         {"type": "user.interrupt"}, SYSTEM),
    send("system message empty", "events.0.content: ", {**SYSTEM, "content": []}),
    send("system message with an image", "events.0.content.0.type: 'image'", {**SYSTEM, "content": [
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}]}),
    send("to an archived session", "", {"type": "user.message", "content": [TEXT]}, to="{archived_session}"),
    send("interrupt an archived session", "", {"type": "user.interrupt"}, to="{archived_session}"),
    Case("send: not found", "POST", f"/v1/sessions/sesn_{MISSING}/events", "", 404,
         json={"events": [{"type": "user.interrupt"}]}),
    Case("stream: not found", "GET", f"/v1/sessions/sesn_{MISSING}/events/stream", "", 404),
    Case("stream: unknown delta", "GET", "/v1/sessions/{session}/events/stream", "event_deltas",
         query=[("event_deltas[]", "agent.tool_use")]),
    Case("stream: too many deltas", "GET", "/v1/sessions/{session}/events/stream", "event_deltas",
         query=[("event_deltas[]", "agent.message")] * 101),
    Case("stream: unknown place to resume", "GET", "/v1/sessions/{session}/events/stream", "",
         query=[("after", "sevt_nothing")]),
    Case("stream: unknown Last-Event-ID", "GET", "/v1/sessions/{session}/events/stream", "",
         headers={"last-event-id": "nonsense"}),
]

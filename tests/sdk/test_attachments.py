"""Images and documents in messages: what the model is shown of them, and what becomes of those that it can't read."""

from __future__ import annotations

from typing import Any

import anthropic

from fake_model import FakeModel, Failure, Reply, text, thinking
from subscriber import Subscriber, settle
from wire import Wire

GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"


def attach(wire: Wire, session_id: str, kind: str, source: dict[str, Any]) -> dict[str, Any]:
    """Sends one block and gives the idle event that ends the turn."""
    with Subscriber(wire, session_id) as stream:
        wire.send(session_id, {"type": "user.message", "content": [{"type": kind, "source": source}]})
        return stream.wait_for_idle()


def test_files_are_shown_as_what_their_bytes_are(wire: Wire, client: anthropic.Anthropic, model: FakeModel,
                                                 session: dict[str, Any]) -> None:
    shown = {}
    for kind, name, content, claimed in [("document", "a.csv", b"a,b\n1,2", "text/csv"),
                                         ("image", "a.png", GIF, "image/png"),
                                         ("image", "b.bmp", b"BM", "image/bmp")]:
        file = client.beta.files.upload(file=(name, content, claimed))
        model.say("Seen.")
        attach(wire, session["id"], kind, {"type": "file", "file_id": file.id})
        shown[name] = model.requests[-1]["messages"][-1]["content"][0]
    assert shown["a.csv"]["source"] == {"type": "text", "media_type": "text/plain", "data": "a,b\n1,2"}
    assert shown["a.png"]["source"]["media_type"] == "image/gif"
    assert shown["b.bmp"]["type"] == "text" and "image/bmp" in shown["b.bmp"]["text"]


def test_an_image_that_the_model_rejects_does_not_end_the_session(wire: Wire, model: FakeModel,
                                                                  session: dict[str, Any]) -> None:
    model.say(Failure(400, "invalid_request_error", "Could not process image"), "Fine.")
    broken = {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
    assert attach(wire, session["id"], "image", broken)["stop_reason"] == {"type": "retries_exhausted"}
    assert settle(wire, session["id"], "Go on.")[-1]["stop_reason"] == {"type": "end_turn"}
    blocks = model.requests[-1]["messages"][0]["content"]
    assert [block["type"] for block in blocks] == ["text", "text"]
    assert "left out" in blocks[0]["text"] and blocks[1]["text"] == "Go on."


def test_an_answer_of_nothing_but_thoughts_is_not_repeated(wire: Wire, model: FakeModel,
                                                           session: dict[str, Any]) -> None:
    model.say(Reply([thinking("so far")], stop_reason="max_tokens"), Reply([thinking("again"), text("There.")]), "Bye.")
    for words in ("One.", "Two.", "Three."):
        assert settle(wire, session["id"], words)[-1]["stop_reason"] == {"type": "end_turn"}
    roles = [(m["role"], [b["type"] for b in m["content"]]) for m in model.requests[-1]["messages"]]
    assert roles == [("user", ["text", "text"]), ("assistant", ["thinking", "text"]), ("user", ["text"])]

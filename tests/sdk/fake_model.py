"""A scripted model behind the real wire: Anthropic Messages over HTTP, streamed as server-sent events.

A test queues replies (or sets a `responder`), and reads back the requests that the server made. Replies can be
held at a gate, so that a test decides what happens while the model is "thinking"; nothing here sleeps or polls.
"""

from __future__ import annotations

import json
import select
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Iterator

WAIT_SECONDS = 60


class Gate:
    """Holds a reply until the test opens it. Notices when the caller hangs up meanwhile."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.abandoned = threading.Event()
        self._opener, self._watched = socket.socketpair()

    def open(self) -> None:
        self._opener.send(b"o")

    def wait_reached(self) -> None:
        assert self.reached.wait(WAIT_SECONDS), "the server never came to this point of the model's reply"

    def wait_abandoned(self) -> None:
        assert self.abandoned.wait(WAIT_SECONDS), "the server did not hang up on the model"

    def hold(self, connection: socket.socket) -> bool:
        """Waits for `open`; false if the caller hung up first."""
        self.reached.set()
        ready, _, _ = select.select([self._watched, connection], [], [], WAIT_SECONDS)
        if self._watched in ready:
            # Left in the socket: one gate may be passed by several replies once it is open.
            return True
        self.abandoned.set()
        return False


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def thinking(value: str, signature: str = "c2lnbmF0dXJl") -> dict[str, Any]:
    return {"type": "thinking", "thinking": value, "signature": signature}


def tool_use(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "name": name, "input": arguments}


@dataclass
class Reply:
    """One answer of the model. `before` holds it before its first byte, `midway` after the first content block."""

    blocks: list[dict[str, Any]]
    stop_reason: str | None = None
    input_tokens: int = 10
    output_tokens: int = 5
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    before: Gate | None = None
    midway: Gate | None = None
    pieces: int = 3
    hang_up_after_blocks: int | None = None

    def reason(self) -> str:
        if self.stop_reason:
            return self.stop_reason
        return "tool_use" if any(b["type"] == "tool_use" for b in self.blocks) else "end_turn"


@dataclass
class Failure:
    """An HTTP error in place of an answer."""

    status: int
    error_type: str
    message: str = "scripted failure"
    headers: dict[str, str] = field(default_factory=dict)


Answer = Reply | Failure


class FakeModel:
    """The server. `replies` is worked off first, then `responder` is asked; with neither, the test fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._replies: deque[Answer] = deque()
        self.responder: Callable[[dict[str, Any]], Answer] | None = None
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.complaints: list[str] = []
        self._tool_numbers = iter(range(1, 1_000_000))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="fake-model", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reset(self) -> None:
        with self._lock:
            self._replies.clear()
            self.responder = None
            self.requests = []
            self.headers = []
            self.complaints = []

    def say(self, *answers: Answer | str) -> None:
        """Queues answers; a plain string is a text answer that ends the turn."""
        with self._lock:
            self._replies.extend(Reply([text(a)]) if isinstance(a, str) else a for a in answers)

    def left(self) -> int:
        with self._lock:
            return len(self._replies)

    def wait_for_requests(self, count: int) -> list[dict[str, Any]]:
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.requests) >= count, WAIT_SECONDS)
            assert arrived, f"only {len(self.requests)} of {count} model requests came"
            return list(self.requests)

    def _next(self, request: dict[str, Any], headers: dict[str, str]) -> Answer:
        with self._arrived:
            self.requests.append(request)
            self.headers.append(headers)
            self._arrived.notify_all()
            if self._replies:
                return self._replies.popleft()
            responder = self.responder
        if responder is not None:
            return responder(request)
        with self._lock:
            self.complaints.append(f"unscripted model request: {json.dumps(request.get('messages'))[:2000]}")
        return Failure(400, "invalid_request_error", "no reply is scripted")

    def _handler_class(model) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler's own `self` is inside
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                try:
                    self._post()
                except (BrokenPipeError, ConnectionResetError):
                    pass
                self.close_connection = True

            def _post(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                path = self.path.partition("?")[0]
                if path == "/v1/messages/count_tokens":
                    self._json(200, {"input_tokens": len(body) // 4})
                    return
                if path != "/v1/messages":
                    model.complaints.append(f"unexpected model route {self.path}")
                    self._json(404, _error("not_found_error", "Not found"))
                    return
                request = json.loads(body)
                answer = model._next(request, {k.lower(): v for k, v in self.headers.items()})
                if isinstance(answer, Failure):
                    self._json(answer.status, _error(answer.error_type, answer.message), answer.headers)
                elif request.get("stream"):
                    self._stream(request, answer)
                else:
                    self._json(200, model._whole(request, answer))

            def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
                payload = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(payload)))
                for name, text_value in (headers or {}).items():
                    self.send_header(name, text_value)
                self.end_headers()
                self.wfile.write(payload)

            def _stream(self, request: dict[str, Any], reply: Reply) -> None:
                if reply.before and not reply.before.hold(self.connection):
                    return
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                blocks_done = 0
                for event in model._events(request, reply):
                    self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
                    self.wfile.flush()
                    if event["type"] != "content_block_stop":
                        continue
                    blocks_done += 1
                    if blocks_done == reply.hang_up_after_blocks:
                        return
                    if blocks_done == 1 and reply.midway and not reply.midway.hold(self.connection):
                        return

        return Handler

    def _numbered(self, block: dict[str, Any]) -> dict[str, Any]:
        if block["type"] == "tool_use" and "id" not in block:
            return {**block, "id": f"toolu_{next(self._tool_numbers):06d}"}
        return block

    def _whole(self, request: dict[str, Any], reply: Reply) -> dict[str, Any]:
        return {
            "id": "msg_fake", "type": "message", "role": "assistant", "model": request.get("model"),
            "content": [self._numbered(b) for b in reply.blocks],
            "stop_reason": reply.reason(), "stop_sequence": None, "usage": _usage(reply),
        }

    def _events(self, request: dict[str, Any], reply: Reply) -> Iterator[dict[str, Any]]:
        message = self._whole(request, reply)
        blocks = message["content"]
        usage = {**message["usage"], "output_tokens": 1}
        yield {"type": "message_start",
               "message": {**message, "content": [], "stop_reason": None, "usage": usage}}
        yield {"type": "ping"}
        for index, block in enumerate(blocks):
            yield from _block_events(index, block, reply.pieces)
        yield {"type": "message_delta",
               "delta": {"stop_reason": reply.reason(), "stop_sequence": None}, "usage": _usage(reply)}
        yield {"type": "message_stop"}


def _block_events(index: int, block: dict[str, Any], pieces: int) -> Iterator[dict[str, Any]]:
    kind = block["type"]
    empty, deltas = {
        "text": lambda: ({"type": "text", "text": ""},
                         [{"type": "text_delta", "text": p} for p in _cut(block["text"], pieces)]),
        "thinking": lambda: ({"type": "thinking", "thinking": "", "signature": ""},
                             [{"type": "thinking_delta", "thinking": p} for p in _cut(block["thinking"], pieces)]
                             + [{"type": "signature_delta", "signature": block["signature"]}]),
        "tool_use": lambda: ({**block, "input": {}},
                             [{"type": "input_json_delta", "partial_json": p}
                              for p in _cut(json.dumps(block["input"]), pieces)]),
        "redacted_thinking": lambda: (block, []),
    }[kind]()
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _cut(value: str, pieces: int) -> list[str]:
    size = max(1, -(-len(value) // pieces))
    return [value[i:i + size] for i in range(0, len(value), size)]


def _usage(reply: Reply) -> dict[str, int]:
    return {
        "input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens,
        "cache_read_input_tokens": reply.cache_read_input_tokens,
        "cache_creation_input_tokens": reply.cache_creation_input_tokens,
    }


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def last_user_content(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The blocks of the last message, whether it was sent as text or as blocks."""
    content = request["messages"][-1]["content"]
    return [text(content)] if isinstance(content, str) else content

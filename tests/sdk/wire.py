"""HTTP to the server under test, every answer checked on the way.

`CheckedTransport` sits under the official SDK's client and under the plain one alike: whatever a test does, each
response is held against the documented shapes, and what is wrong is collected in a `Ledger` that fails the test.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any, Iterator

import httpx2

import shapes
import sse

BETA = "managed-agents-2026-04-01"
VERSION = "2026-10-21"
BETAS = {
    "agents": BETA, "sessions": BETA, "environments": BETA, "vaults": BETA, "deployments": BETA,
    "deployment_runs": BETA, "memory_stores": "agent-memory-2026-07-22", "dreams": "dreaming-2026-04-21",
    "tunnels": "mcp-tunnels-2026-06-22", "user_profiles": "user-profiles-2026-08-18",
    "organizations": "webhooks-2026-10-07",
}


@dataclass
class Ledger:
    """What the checks found, and which operations were called with which result."""

    findings: list[str] = field(default_factory=list)
    calls: list[tuple[str, int]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, method: str, path: str, status: int, found: list[str]) -> None:
        operation = shapes.operation_of(method, path)
        with self._lock:
            self.calls.append((operation.name if operation else f"{method} {path}", status))
            self.findings += [f"{method} {path} → {status}: {problem}" for problem in found]

    def frame(self, path: str, frame: sse.Frame) -> None:
        found = shapes.frame_problems(frame.event, frame.data)
        if found:
            with self._lock:
                self.findings += [f"stream {path}: {problem} in {json.dumps(frame.data)[:400]}" for problem in found]

    def statuses(self, operation: str) -> list[int]:
        with self._lock:
            return [status for name, status in self.calls if name == operation]


class CheckedTransport(httpx2.BaseTransport):
    """Passes requests on, looks at every response."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._inner = httpx2.HTTPTransport(limits=httpx2.Limits(max_connections=None))

    def close(self) -> None:
        self._inner.close()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = self._inner.handle_request(request)
        method, path = request.method, request.url.path
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            self._ledger.call(method, path, response.status_code, _header_problems(response))
            response.stream = _CheckedStream(response.stream, self._ledger, path)
            return response
        raw = response.read()
        found = _header_problems(response)
        if path.startswith("/v1/"):
            found += _body_problems(method, path, response, raw)
        self._ledger.call(method, path, response.status_code, found)
        return response


def _header_problems(response: httpx2.Response) -> list[str]:
    identity = response.headers.get("request-id", "")
    return [] if identity.startswith("req_") else [f"$: the request-id header is {identity!r}"]


def _body_problems(method: str, path: str, response: httpx2.Response, raw: bytes) -> list[str]:
    if response.status_code >= 400:
        return [] if method == "HEAD" else shapes.error_problems(response.status_code, response.headers, raw)
    operation = shapes.operation_of(method, path)
    if operation is None:
        return ["$: success on a route that the contract does not have"]
    if operation.name in shapes.BINARY:
        return []
    if response.status_code != 200:
        return [f"$: success is 200, not {response.status_code}"]
    if operation.name == shapes.STREAM:
        return ["$: the stream's content-type is not text/event-stream"]
    try:
        return shapes.response_problems(operation.name, json.loads(raw))
    except ValueError:
        return [f"$: not JSON: {raw[:200]!r}"]


class _CheckedStream(httpx2.SyncByteStream):
    def __init__(self, inner: Any, ledger: Ledger, path: str) -> None:
        self._inner, self._ledger, self._path, self._parser = inner, ledger, path, sse.Parser()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            for frame in self._parser.feed(chunk):
                self._ledger.frame(self._path, frame)
            yield chunk

    def close(self) -> None:
        self._inner.close()


class Wire:
    """A plain client: the headers that the documentation's curl samples send, and nothing of the SDK."""

    def __init__(self, base_url: str, api_key: str, ledger: Ledger) -> None:
        self.base_url, self.api_key = base_url, api_key
        self.http = httpx2.Client(base_url=base_url, transport=CheckedTransport(ledger),
                                  timeout=httpx2.Timeout(60, connect=5), trust_env=False)

    def close(self) -> None:
        self.http.close()

    def headers(self, path: str) -> dict[str, str]:
        resource = path.split("/")[2].partition("?")[0] if path.startswith("/v1/") else ""
        beta = BETAS.get(resource)
        return {"x-api-key": self.api_key, "anthropic-version": VERSION, **({"anthropic-beta": beta} if beta else {})}

    def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """`headers` replaces single headers; a header of value None is left out."""
        headers = self.headers(path) | options.pop("headers", {})
        sent = {k: v for k, v in headers.items() if v is not None}
        return self.http.request(method, path, headers=sent, **options)

    def ok(self, method: str, path: str, **options: Any) -> Any:
        response = self.call(method, path, **options)
        assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text}"
        return response.json()

    def get(self, path: str, **query: Any) -> Any:
        return self.ok("GET", path, params=query)

    def post(self, path: str, body: Any = None) -> Any:
        return self.ok("POST", path, json=body) if body is not None else self.ok("POST", path)

    def delete(self, path: str) -> Any:
        return self.ok("DELETE", path)

    def send(self, session_id: str, *events: dict[str, Any]) -> list[dict[str, Any]]:
        return self.post(f"/v1/sessions/{session_id}/events", {"events": list(events)})["data"]

    def say(self, session_id: str, words: str) -> dict[str, Any]:
        return self.send(session_id, user_message(words))[0]

    def events(self, session_id: str, **query: Any) -> list[dict[str, Any]]:
        """The whole list, page by page."""
        events: list[dict[str, Any]] = []
        page: str | None = None
        while True:
            answer = self.get(f"/v1/sessions/{session_id}/events", **query, **({"page": page} if page else {}))
            events += answer["data"]
            page = answer["next_page"]
            if not page:
                return events


def user_message(words: str) -> dict[str, Any]:
    return {"type": "user.message", "content": [{"type": "text", "text": words}]}


INTERRUPT: dict[str, Any] = {"type": "user.interrupt"}

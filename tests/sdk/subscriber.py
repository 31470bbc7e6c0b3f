"""A live subscription to a session, read by a thread, so that a test can wait for an event and never sleeps."""

from __future__ import annotations

import threading
from typing import Any, Callable

import httpx2

import sse
from wire import Wire

WAIT_SECONDS = 60


class Subscriber:
    """Is subscribed once it exists: the constructor returns after the response's headers came."""

    def __init__(self, wire: Wire, session_id: str, *, event_deltas: tuple[str, ...] = (),
                 after: str | None = None, last_event_id: str | None = None) -> None:
        path = f"/v1/sessions/{session_id}/events/stream"
        query = [("event_deltas[]", d) for d in event_deltas] + ([("after", after)] if after else [])
        headers = wire.headers(path) | ({"last-event-id": last_event_id} if last_event_id else {})
        request = wire.http.build_request("GET", path, params=query, headers=headers)
        self._response = wire.http.send(request, stream=True)
        if self._response.status_code != 200:
            raw = self._response.read()
            raise AssertionError(f"no stream: {self._response.status_code} {raw!r}")
        self.headers = self._response.headers
        self._changed = threading.Condition()
        self._frames: list[sse.Frame] = []
        self._ended = False
        self._thread = threading.Thread(target=self._read, name=f"subscriber {session_id}", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self._response.close()

    def _read(self) -> None:
        parser = sse.Parser()
        try:
            for chunk in self._response.iter_raw():
                for frame in parser.feed(chunk):
                    with self._changed:
                        self._frames.append(frame)
                        self._changed.notify_all()
        except (httpx2.HTTPError, httpx2.StreamError, OSError, ValueError, AttributeError):
            # Closed by the test, or the server was killed: both are ends of the stream.
            pass
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    @property
    def frames(self) -> list[sse.Frame]:
        """Everything but pings so far."""
        with self._changed:
            return [f for f in self._frames if f.event != "ping"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Persisted events so far: no previews, no pings."""
        return [f.data for f in self.frames if f.event not in ("event_start", "event_delta")]

    def types(self) -> list[str]:
        return [e["type"] for e in self.events]

    def wait(self, condition: Callable[[list[dict[str, Any]]], Any], what: str) -> list[dict[str, Any]]:
        """Waits until the events so far satisfy the condition, and returns them."""
        with self._changed:
            met = self._changed.wait_for(lambda: condition(self.events) or self._ended, WAIT_SECONDS)
        events = self.events
        seen = "\n".join(f"  {e['type']} {e.get('id', '')}" for e in events)
        assert met and condition(events), f"the stream {'ended' if self._ended else 'waited'} without {what}:\n{seen}"
        return events

    def wait_for(self, event_type: str, count: int = 1) -> dict[str, Any]:
        """The `count`-th event of a type."""
        events = self.wait(lambda es: sum(e["type"] == event_type for e in es) >= count, f"{count} × {event_type}")
        return [e for e in events if e["type"] == event_type][count - 1]

    def wait_for_idle(self, count: int = 1) -> dict[str, Any]:
        return self.wait_for("session.status_idle", count)

    def wait_for_preview(self, kind: str) -> sse.Frame:
        def find() -> sse.Frame | None:
            return next((f for f in self.frames if f.event == kind), None)
        with self._changed:
            self._changed.wait_for(lambda: find() or self._ended, WAIT_SECONDS)
        found = find()
        assert found, f"no {kind} came"
        return found

    def wait_for_end(self) -> list[dict[str, Any]]:
        with self._changed:
            assert self._changed.wait_for(lambda: self._ended, WAIT_SECONDS), "the stream stayed open"
        return self.events


def settle(wire: Wire, session_id: str, words: str) -> list[dict[str, Any]]:
    """Says something and returns what the stream showed until the session was idle again."""
    with Subscriber(wire, session_id) as stream:
        wire.say(session_id, words)
        stream.wait_for_idle()
        return stream.events

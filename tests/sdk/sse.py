"""Server-sent events as the specification reads them, with the `id:` lines that the SDKs leave out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterator


@dataclass(frozen=True)
class Frame:
    """One dispatched event. `data` is decoded; a comment makes no frame."""

    event: str
    data: Any
    id: str | None


class Parser:
    """Takes bytes as they come, gives frames as they are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        self._rest += chunk
        *lines, self._rest = self._rest.split(b"\n")
        for raw in lines:
            line = raw.decode().removesuffix("\r")
            if line:
                self._lines.append(line)
            else:
                frame = self._dispatch()
                if frame is not None:
                    yield frame

    def _dispatch(self) -> Frame | None:
        lines, self._lines = self._lines, []
        fields: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(":")
            if name:
                fields.setdefault(name, []).append(value.removeprefix(" "))
        if "data" not in fields:
            return None
        # The official SDKs drop a frame without a name, so `message`, the default, would be a lost event.
        return Frame(fields.get("event", [""])[-1], json.loads("\n".join(fields["data"])), fields.get("id", [None])[-1])

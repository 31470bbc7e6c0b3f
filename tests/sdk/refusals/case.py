"""One request that must be refused, and what the refusal must say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

UNSET: Any = object()


@dataclass(frozen=True)
class Case:
    """`{agent}`, `{env}` and so on in paths and bodies stand for what the test's world holds."""

    name: str
    method: str
    path: str
    says: str = ""
    status: int = 400
    json: Any = UNSET
    raw: bytes | None = None
    files: Any = None
    form: dict[str, str] | None = None
    query: list[tuple[str, str]] = field(default_factory=list)
    # A header of value None is not sent.
    headers: dict[str, str | None] = field(default_factory=dict)
    code: str | None = None


def filled(value: Any, world: dict[str, str]) -> Any:
    """The value with every `{name}` of the world put in."""
    if isinstance(value, str):
        for name, identity in world.items():
            value = value.replace("{" + name + "}", identity)
        return value
    if isinstance(value, list):
        return [filled(v, world) for v in value]
    if isinstance(value, dict):
        return {filled(k, world): filled(v, world) for k, v in value.items()}
    return value


def nested(depth: int) -> bytes:
    """An array in an array in an array."""
    return b"[" * depth + b"]" * depth

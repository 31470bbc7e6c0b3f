"""Which shape each operation of this version answers with, and the envelopes around them."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from anthropic.types import beta
from anthropic.types.beta import sessions, skills, vaults

from strict import problems

OPERATIONS_FILE = Path(__file__).with_name("operations.txt")


class Operation(NamedTuple):
    method: str
    path: str
    name: str


@lru_cache
def operations() -> tuple[Operation, ...]:
    """All operations of the contract, in its order."""
    rows = [line.split() for line in OPERATIONS_FILE.read_text().splitlines() if line and not line.startswith("#")]
    return tuple(Operation(*row) for row in rows)


@lru_cache
def _patterns() -> tuple[tuple[re.Pattern[str], Operation], ...]:
    # Literal segments win over parameters: `/work/poll` is not a work id.
    ordered = sorted(operations(), key=lambda o: o.path.count("{"))
    return tuple((re.compile(re.sub(r"\{\w+\}", "[^/]+", o.path)), o) for o in ordered)


def operation_of(method: str, path: str) -> Operation | None:
    return next((o for pattern, o in _patterns() if o.method == method and pattern.fullmatch(path)), None)


AGENT = beta.BetaManagedAgentsAgent
SESSION = beta.BetaManagedAgentsSession
ENVIRONMENT = beta.BetaEnvironment
# The Files routes answer both the plain and the beta client; the wider of the two models is the whole truth.
FILE = beta.BetaFileMetadata
MODEL = beta.BetaModelInfo
VAULT = beta.BetaManagedAgentsVault
CREDENTIAL = vaults.BetaManagedAgentsCredential
SKILL = beta.BetaSkill
SKILL_VERSION = skills.BetaSkillVersion
EVENT = sessions.BetaManagedAgentsSessionEvent
STREAMED = sessions.BetaManagedAgentsStreamSessionEvents

ITEMS: dict[str, Any] = {
    "agents.create": AGENT, "agents.retrieve": AGENT, "agents.update": AGENT, "agents.archive": AGENT,
    "environments.create": ENVIRONMENT, "environments.retrieve": ENVIRONMENT, "environments.update": ENVIRONMENT,
    "environments.archive": ENVIRONMENT, "environments.delete": beta.BetaEnvironmentDeleteResponse,
    "sessions.create": SESSION, "sessions.retrieve": SESSION, "sessions.update": SESSION,
    "sessions.archive": SESSION, "sessions.delete": beta.BetaManagedAgentsDeletedSession,
    "sessions.resources.add": sessions.BetaManagedAgentsFileResource,
    "sessions.resources.retrieve": sessions.BetaManagedAgentsSessionResource,
    "sessions.resources.update": sessions.BetaManagedAgentsSessionResource,
    "sessions.resources.delete": sessions.BetaManagedAgentsDeleteSessionResource,
    "sessions.events.send": sessions.BetaManagedAgentsSendSessionEvents,
    "files.upload": FILE, "files.retrieve_metadata": FILE, "files.delete": beta.BetaDeletedFile,
    "models.retrieve": MODEL,
    "skills.create": SKILL, "skills.retrieve": SKILL, "skills.delete": beta.BetaDeletedSkill,
    "skills.versions.create": SKILL_VERSION, "skills.versions.retrieve": SKILL_VERSION,
    "skills.versions.delete": skills.BetaDeletedSkillVersion,
    "vaults.create": VAULT, "vaults.retrieve": VAULT, "vaults.update": VAULT, "vaults.archive": VAULT,
    "vaults.delete": beta.BetaManagedAgentsDeletedVault,
    "vaults.credentials.create": CREDENTIAL, "vaults.credentials.retrieve": CREDENTIAL,
    "vaults.credentials.update": CREDENTIAL, "vaults.credentials.archive": CREDENTIAL,
    "vaults.credentials.mcp_oauth_validate": vaults.BetaManagedAgentsCredentialValidation,
    "vaults.credentials.delete": vaults.BetaManagedAgentsDeletedCredential,
}

# name -> item, and the members of the page besides `data`, all of them always present and null at the end.
PAGES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "agents.list": (AGENT, ("next_page",)),
    "agents.versions.list": (AGENT, ("next_page",)),
    "environments.list": (ENVIRONMENT, ("next_page",)),
    "sessions.list": (SESSION, ("next_page", "prev_page")),
    "sessions.events.list": (EVENT, ("next_page",)),
    "sessions.resources.list": (sessions.BetaManagedAgentsSessionResource, ("next_page",)),
    "files.list": (FILE, ("next_page",)),
    "skills.list": (SKILL, ("next_page",)),
    "skills.versions.list": (SKILL_VERSION, ("next_page",)),
    "vaults.list": (VAULT, ("next_page",)),
    "vaults.credentials.list": (CREDENTIAL, ("next_page",)),
    "models.list": (MODEL, ("first_id", "last_id")),
}

# Answered with something else than JSON.
STREAM = "sessions.events.stream"
BINARY = frozenset({"files.download", "skills.versions.download"})

DONE = frozenset(ITEMS) | frozenset(PAGES) | {STREAM} | BINARY

ERROR_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    405: "invalid_request_error", 409: "conflict_error", 413: "request_too_large", 415: "invalid_request_error",
    429: "rate_limit_error", 500: "api_error", 503: "api_error", 529: "overloaded_error",
}


def response_problems(name: str, body: Any) -> list[str]:
    """What is wrong with the JSON that a successful call of this operation answered."""
    if name in ITEMS:
        return problems(body, ITEMS[name])
    if name in PAGES:
        return _page_problems(name, body)
    return [f"$: no shape is known for {name}, which this version refuses"]


def _page_problems(name: str, body: Any) -> list[str]:
    item, cursors = PAGES[name]
    if not isinstance(body, dict):
        return ["$: a page is an object"]
    found = problems(body.get("data"), list[item], "$.data")
    expected = {"data", *cursors} | ({"has_more"} if name == "models.list" else set())
    if body.keys() != expected:
        found.append(f"$: a page of {name} has exactly {sorted(expected)}, not {sorted(body)}")
    if name == "models.list" and not isinstance(body.get("has_more"), bool):
        found.append("$.has_more: expected bool")
    for cursor in cursors:
        if not isinstance(body.get(cursor), str | None):
            found.append(f"$.{cursor}: expected a string or null")
    if body.get("next_page") and not body.get("data"):
        found.append("$: an empty page with a next_page ends the SDK's iteration too early")
    return found


def frame_problems(event_name: str, data: Any) -> list[str]:
    """What is wrong with one frame of a session's stream."""
    if event_name == "ping":
        return [] if data == {"type": "ping"} else [f"$: a ping carries only its type, not {data!r}"]
    found = problems(data, STREAMED)
    if not isinstance(data, dict) or data.get("type") != event_name:
        found.append(f"$: the frame is named {event_name!r}, its data says otherwise")
    return found


def error_problems(status: int, headers: Any, raw: bytes) -> list[str]:
    """What is wrong with an error answer. Its envelope is the same for every route."""
    try:
        body = json.loads(raw)
    except ValueError:
        return [f"$: the body of a {status} is not JSON: {raw[:200]!r}"]
    found = []
    if not isinstance(body, dict) or body.keys() != {"type", "error", "request_id"} or body["type"] != "error":
        return [f"$: no error envelope: {body!r:.300}"]
    error = body["error"]
    if not isinstance(error, dict) or not {"type", "message"} <= error.keys() <= {"type", "message", "details"}:
        return [f"$.error: {error!r:.300}"]
    if not isinstance(error["message"], str) or not error["message"].strip():
        found.append("$.error.message: empty")
    if error["type"] != ERROR_TYPES.get(status):
        found.append(f"$.error.type: {error['type']!r} does not go with {status}")
    if "details" in error and not isinstance(error["details"], dict):
        found.append("$.error.details: expected an object")
    if body["request_id"] != headers.get("request-id"):
        found.append(f"$.request_id: {body['request_id']!r}, the header says {headers.get('request-id')!r}")
    if not str(headers.get("content-type", "")).startswith("application/json"):
        found.append(f"$: content-type {headers.get('content-type')!r}")
    if status == 409 and headers.get("x-should-retry") != "false":
        found.append("$: a 409 without `x-should-retry: false` is posted three times by the SDK")
    return found

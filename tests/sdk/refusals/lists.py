"""Lists: limits, cursors, filters and orders out of range."""

from __future__ import annotations

from .case import Case

# Path and the largest limit; events clamp instead (see test_lists.py).
LIMITED = [("/v1/agents", 100), ("/v1/agents/{agent}/versions", 100), ("/v1/environments", 100),
           ("/v1/sessions", 100), ("/v1/files", 1000), ("/v1/models", 1000)]
CURSORED = ["/v1/agents", "/v1/agents/{agent}/versions", "/v1/environments", "/v1/sessions", "/v1/files",
            "/v1/sessions/{session}/events", "/v1/sessions/{session}/resources"]


def query(name: str, path: str, says: str, *pairs: tuple[str, str]) -> Case:
    return Case(f"list {path}: {name}", "GET", path, says, query=list(pairs))


CASES = [
    *[query(f"limit {limit!r}", path, "limit", ("limit", limit))
      for path, most in LIMITED for limit in ["0", "-1", str(most + 1), "ten", "1.5", "", "9" * 40]],
    *[query(f"limit {limit!r}", "/v1/sessions/{session}/events", "limit", ("limit", limit))
      for limit in ["0", "-1", "ten"]],
    *[query(f"page {page[:20]!r}", path, "page", ("page", page))
      for path in CURSORED for page in ["nonsense", "page_AAAA", "page_" + "A" * 5000]],
    query("cursor id unknown", "/v1/models", "after_id", ("after_id", "no-such-model")),
    query("both cursors", "/v1/models", "", ("after_id", "a"), ("before_id", "b")),
    query("lifecycle unknown", "/v1/models", "lifecycle", ("lifecycle[]", "unborn")),
    query("order unknown", "/v1/sessions", "order", ("order", "sideways")),
    query("order unknown", "/v1/sessions/{session}/events", "order", ("order", "sideways")),
    query("status unknown", "/v1/sessions", "statuses", ("statuses[]", "asleep")),
    query("time unreadable", "/v1/sessions", "created_at", ("created_at[gte]", "yesterday")),
    query("time unreadable", "/v1/agents", "created_at", ("created_at[lte]", "2026-99-99T00:00:00Z")),
    query("time unreadable", "/v1/sessions/{session}/events", "created_at", ("created_at[gt]", "1")),
    query("boolean unreadable", "/v1/sessions", "include_archived", ("include_archived", "perhaps")),
    query("boolean unreadable", "/v1/agents", "include_archived", ("include_archived", "2")),
    query("boolean unreadable", "/v1/environments", "include_archived", ("include_archived", "perhaps")),
    query("version a word", "/v1/sessions", "agent_version", ("agent_id", "{agent}"), ("agent_version", "new")),
    query("type unknown", "/v1/sessions/{session}/events", "types", ("types[]", "user.shout")),
    query("type not listed", "/v1/sessions/{session}/events", "types", ("types[]", "session.deleted")),
    query("ids with a page", "/v1/files", "ids", ("ids[]", "{file}"), ("page", "page_AAAA")),
    query("ids with a limit", "/v1/files", "ids", ("ids[]", "{file}"), ("limit", "5")),
    query("too many ids", "/v1/files", "ids", *[("ids[]", f"file_{i}") for i in range(101)]),
    Case("list /v1/sessions/{session}/events: not found", "GET", "/v1/sessions/sesn_011CZkZ9X2dpNyB7HsEFoRfW/events",
         "", 404),
    Case("list /v1/models: not found", "GET", "/v1/models/llama-none", "", 404),
]

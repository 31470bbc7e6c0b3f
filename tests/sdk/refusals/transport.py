"""Below the resources: credentials, versions, betas, methods, and bodies that are not JSON."""

from __future__ import annotations

from .case import Case, nested

AGENTS = "/v1/agents"
NOBODY: dict[str, str | None] = {"x-api-key": None}
OTHER = "sk-ant-api03-not-a-key-of-this-server"
JSON = {"content-type": "application/json"}


def raw(name: str, body: bytes, says: str = "", *, status: int = 400, path: str = AGENTS,
        headers: dict[str, str | None] | None = None) -> Case:
    return Case(f"body: {name}", "POST", path, says, status, raw=body, headers={**JSON, **(headers or {})})


CREDENTIALS = [
    Case("key: none", "GET", AGENTS, "Authentication failed", 401, headers=NOBODY),
    Case("key: unknown", "GET", AGENTS, "Authentication failed", 401, headers={"x-api-key": OTHER}),
    Case("key: empty", "GET", AGENTS, "Authentication failed", 401, headers={"x-api-key": ""}),
    Case("key: unknown bearer", "GET", AGENTS, "Authentication failed", 401,
         headers={"x-api-key": None, "authorization": f"Bearer {OTHER}"}),
    Case("key: basic", "GET", AGENTS, "Authentication failed", 401,
         headers={"x-api-key": None, "authorization": "Basic dTpw"}),
    Case("key: bearer of nothing", "GET", AGENTS, "Authentication failed", 401,
         headers={"x-api-key": None, "authorization": "Bearer"}),
    Case("key: two that differ", "GET", AGENTS, "Authentication failed", 401,
         headers={"authorization": f"Bearer {OTHER}"}),
    Case("key: very long", "GET", AGENTS, "Authentication failed", 401, headers={"x-api-key": "k" * 4000}),
    Case("key: none, before the beta", "GET", AGENTS, "Authentication failed", 401,
         headers={"x-api-key": None, "anthropic-beta": None}),
    Case("key: none, before the body", "POST", AGENTS, "Authentication failed", 401, raw=b"{", headers=NOBODY),
    Case("workspace: another", "GET", AGENTS, "anthropic-workspace-id", 403,
         headers={"anthropic-workspace-id": "wrkspc_011CZkZ9X2dpNyB7HsEFoRfW"}),
]

HEADERS = [
    *[Case(f"beta: missing on {path}", "GET", path, "", 404, headers={"anthropic-beta": None})
      for path in [AGENTS, "/v1/sessions", "/v1/environments", "/v1/sessions/{session}/events",
                   "/v1/sessions/{session}/events/stream", "/v1/agents/{agent}/versions"]],
    Case("beta: another", "GET", AGENTS, "", 404, headers={"anthropic-beta": "token-counting-2024-11-01"}),
    Case("beta: missing, before the version", "GET", AGENTS, "", 404,
         headers={"anthropic-beta": None, "anthropic-version": None}),
    *[Case(f"version: {bad!r} on {path}", "GET", path, "anthropic-version", headers={"anthropic-version": bad})
      for path in [AGENTS, "/v1/models"] for bad in [None, "", "latest", "2026-13-01", "20261021"]],
]

ROUTES = [
    Case("route: unknown", "GET", "/v1/robots", "", 404),
    Case("route: unknown without a key", "GET", "/v1/robots", "", 404, headers=NOBODY),
    Case("route: unknown below a known one", "GET", "/v1/agents/{agent}/memories", "", 404),
    Case("route: root of another version", "GET", "/v2/agents", "", 404),
    Case("route: stream of a thread in the wrong place", "GET",
         "/v1/sessions/{session}/threads/sthr_011CZkZ9X2dpNyB7HsEFoRfW/events/stream", "", 404),
    *[Case(f"method: {method} {path}", method, path, "", 405)
      for method, path in [("PUT", AGENTS), ("PATCH", "/v1/agents/{agent}"), ("DELETE", "/v1/agents/{agent}"),
                           ("DELETE", AGENTS), ("PUT", "/v1/sessions/{session}"), ("POST", "/v1/models"),
                           ("GET", "/v1/agents/{agent}/archive"), ("DELETE", "/v1/sessions/{session}/events"),
                           ("PUT", "/v1/files"), ("PATCH", "/v1/environments/{env}")]],
]

BODIES = [
    raw("empty", b"", ""),
    raw("not JSON", b"hello"),
    raw("half", b'{"name": "n", "model": '),
    raw("two values", b"{} {}"),
    raw("trailing comma", b'{"name": "n",}'),
    raw("single quotes", b"{'name': 'n'}"),
    raw("a comment", b'{"name": "n" /* x */}'),
    raw("NaN", b'{"name": NaN, "model": "m"}'),
    raw("an array", b"[]"),
    raw("a string", b'"agent"'),
    raw("a number", b"1"),
    raw("null", b"null"),
    raw("UTF-8 cut", b'{"name": "\xc3", "model": "m"}'),
    raw("not UTF-8", b'{"name": "\xff\xfe", "model": "m"}'),
    raw("UTF-16", '{"name": "n"}'.encode("utf-16")),
    raw("lone surrogate", b'{"name": "\\ud800", "model": "m"}'),
    raw("control character", b'{"name": "a\x01b", "model": "m"}'),
    raw("name twice", b'{"name": "a", "name": "b", "model": "claude-opus-5-5"}', "'name' is given twice"),
    raw("a key twice, deep inside", b'{"name": "n", "metadata": {"k": "1", "k": "2"}}', "'k' is given twice"),
    raw("deep", nested(10_000)),
    raw("deep inside", b'{"name": "n", "model": "m", "metadata": ' + nested(5_000) + b"}"),
    raw("very deep objects", b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    raw("huge integer", b'{"version": ' + b"9" * 400 + b"}", "number out of range", path="/v1/agents/{agent}"),
    raw("huge exponent", b'{"version": 1e400}', "", path="/v1/agents/{agent}"),
    raw("fraction", b'{"version": 1.5}', "version", path="/v1/agents/{agent}"),
    raw("big integer", b'{"version": 9223372036854775808}', "version", path="/v1/agents/{agent}"),
    raw("oversize", b'{"name": "' + b"x" * (33 << 20) + b'"}', status=413),
    raw("oversize events", b'{"events": "' + b"x" * (33 << 20) + b'"}', status=413,
        path="/v1/sessions/{session}/events"),
    raw("charset", b"{}", "charset", headers={"content-type": "application/json; charset=utf-7"}),
    raw("compressed", b"\x1f\x8b\x08", "encod", headers={"content-encoding": "gzip"}),
    raw("form", b"name=n", "content-type", status=415, headers={"content-type": "application/x-www-form-urlencoded"}),
    raw("text", b'{"name": "n"}', "content-type", status=415, headers={"content-type": "text/plain"}),
    raw("prototype", b'{"name": "n", "model": "claude-opus-5-5", "__proto__": {}}',
        "__proto__: Extra inputs are not permitted"),
    raw("field with a dot", b'{"name": "n", "model": "claude-opus-5-5", "a.b": 1}',
        "Extra inputs are not permitted"),
    raw("field named by a line break", b'{"name": "n", "model": "claude-opus-5-5", "a\\nb": 1}',
        "Extra inputs are not permitted"),
    raw("very long field", b'{"name": "n", "model": "claude-opus-5-5", "' + b"k" * 100_000 + b'": 1}',
        "Extra inputs are not permitted"),
    Case("query: not UTF-8", "GET", "/v1/sessions?agent_id=%FF%FE", ""),
    Case("query: NUL", "GET", "/v1/sessions?page=%00", "page"),
]

CASES = CREDENTIALS + HEADERS + ROUTES + BODIES

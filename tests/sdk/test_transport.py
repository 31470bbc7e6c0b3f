"""Credentials, headers, limits and the routes that no SDK knows."""

from __future__ import annotations

import socket
import threading
import urllib.parse
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from fake_model import FakeModel
from hostler_process import Hostler
from wire import BETA, Ledger, Wire


@pytest.mark.parametrize("credential", [
    {"x-api-key": "{key}"},
    {"x-api-key": None, "authorization": "Bearer {key}"},
    {"x-api-key": None, "authorization": "bearer {key}"},
    {"x-api-key": "{key}", "authorization": "Bearer {key}"},
])
def test_both_credential_headers(wire: Wire, credential: dict[str, str | None]) -> None:
    headers = {k: v and v.replace("{key}", wire.api_key) for k, v in credential.items()}
    assert wire.call("GET", "/v1/agents", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [
    {"anthropic-version": "2023-06-01"},
    {"anthropic-version": "2026-10-21"},
    {"anthropic-beta": f"token-counting-2024-11-01, {BETA}"},
    {"anthropic-beta": f"{BETA},{BETA}"},
    {"anthropic-beta": f"{BETA} ,made-up-2026-01-01"},
    {"anthropic-beta": f"{BETA}-research-preview"},
    {"accept": "text/html"},
    {"x-stainless-lang": "python", "x-stainless-retry-count": "1", "traceparent": "00-0-0-00"},
])
def test_headers_that_clients_send(wire: Wire, headers: dict[str, str | None]) -> None:
    assert wire.call("GET", "/v1/agents", headers=headers).status_code == 200


def test_files_and_models_need_no_beta(wire: Wire) -> None:
    for path in ("/v1/files", "/v1/models"):
        assert wire.call("GET", path, headers={"anthropic-beta": None}).status_code == 200


def test_unknown_query_keys_are_tolerated(wire: Wire) -> None:
    assert wire.get("/v1/agents", beta="true", utm_source="x")["data"] is not None


@pytest.mark.parametrize("options", [{}, {"content": b""}, {"json": {}},
                                     {"content": b"", "headers": {"content-type": "application/json"}}])
def test_an_empty_body_is_no_body(wire: Wire, options: dict[str, Any]) -> None:
    agent = wire.post("/v1/agents", {"name": "n", "model": "claude-opus-5-5"})
    assert wire.call("POST", f"/v1/agents/{agent['id']}/archive", **options).status_code == 200


@pytest.mark.parametrize(("content_type", "name"), [
    (None, "n".encode()), ("application/json; charset=utf-8", "ü".encode()), ("application/json", "😀".encode()),
    ("application/json; charset=ISO-8859-1", "ü".encode("latin-1")), ("application/merge-patch+json", b"n"),
])
def test_charsets(wire: Wire, content_type: str | None, name: bytes) -> None:
    body = b'{"name": "' + name + b'", "model": "claude-opus-5-5"}'
    agent = wire.ok("POST", "/v1/agents", content=body, headers={"content-type": content_type})
    assert agent["name"] in ("n", "ü", "😀")


def test_request_ids_are_unique_and_on_everything(wire: Wire) -> None:
    seen = [wire.call("GET", path).headers["request-id"]
            for path in ["/v1/agents", "/v1/agents", "/v1/nothing", "/v1/models"]]
    assert len(set(seen)) == 4


def test_the_sdk_sees_the_request_id_and_its_exception(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        client.beta.agents.retrieve("agent_011CZkZ9X2dpNyB7HsEFoRfW")
    assert missing.value.request_id and missing.value.request_id.startswith("req_")
    stranger = client.with_options(api_key="sk-ant-api03-stranger")
    with pytest.raises(anthropic.AuthenticationError):
        stranger.beta.agents.retrieve("agent_011CZkZ9X2dpNyB7HsEFoRfW")


def test_missing_and_wrong_keys_cannot_be_told_apart(wire: Wire) -> None:
    none = wire.call("GET", "/v1/agents", headers={"x-api-key": None}).json()["error"]
    wrong = wire.call("GET", "/v1/agents", headers={"x-api-key": "sk-ant-api03-wrong"}).json()["error"]
    assert none == wrong


def test_many_streams_do_not_starve_each_other(wire: Wire, session: dict[str, Any]) -> None:
    """Each opens while all the others are open, and ordinary requests go on."""
    path = f"/v1/sessions/{session['id']}/events/stream"
    streams = [wire.http.send(wire.http.build_request("GET", path, headers=wire.headers(path)), stream=True)
               for _ in range(100)]
    try:
        assert {s.status_code for s in streams} == {200}
        assert wire.get(f"/v1/sessions/{session['id']}")["id"] == session["id"]
    finally:
        for stream in streams:
            stream.close()


def test_concurrent_updates_lose_nothing(wire: Wire) -> None:
    agent = wire.post("/v1/agents", {"name": "n", "model": "claude-opus-5-5"})
    path = f"/v1/agents/{agent['id']}"
    writers = [threading.Thread(target=wire.post, args=(path, {"metadata": {f"k{n}": "v"}})) for n in range(12)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    final = wire.get(path)
    assert (final["version"], len(final["metadata"])) == (13, 12)


def plain(server: Hostler, path: str, **headers: str) -> httpx2.Response:
    return httpx2.get(server.base_url + path, headers=headers, trust_env=False)


def test_health_and_metrics_need_no_key(server: Hostler) -> None:
    assert plain(server, "/healthz").status_code == 200
    assert plain(server, "/readyz").status_code == 200
    metrics = plain(server, "/metrics")
    assert metrics.status_code == 200 and "# TYPE" in metrics.text


def test_openapi_describes_what_is_done(server: Hostler) -> None:
    document = plain(server, "/openapi.json").json()
    assert document["openapi"].startswith("3.")
    for path, method in [("/v1/agents", "post"), ("/v1/sessions/{session_id}/events", "get"),
                         ("/v1/sessions/{session_id}/events/stream", "get"), ("/v1/files", "post"),
                         ("/v1/environments/{environment_id}/archive", "post"), ("/v1/models", "get")]:
        assert method in document["paths"][path], (method, path)


def test_rate_limits_say_when_to_come_back(fake_model: FakeModel, tmp_path: Path, ledger: Ledger) -> None:
    settings = {"HOSTLER__RATE_LIMITS__CREATE_PER_MINUTE": "2", "HOSTLER__RATE_LIMITS__READ_PER_MINUTE": "3"}
    server = Hostler(tmp_path / "hostler", fake_model.url, settings).start()
    try:
        wire = Wire(server.base_url, server.api_key, ledger)
        body = {"name": "n", "model": "claude-opus-5-5"}
        answers = [wire.call("POST", "/v1/agents", json=body) for _ in range(4)]
        assert [a.status_code for a in answers] == [200, 200, 429, 429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        reads = [wire.call("GET", "/v1/agents").status_code for _ in range(5)]
        assert reads == [200, 200, 200, 429, 429]
        assert plain(server, "/healthz").status_code == 200
    finally:
        server.stop()


HEAD = b"POST /v1/agents HTTP/1.1\r\nhost: h\r\nx-api-key: wrong\r\ncontent-length: 2\r\n\r\n"


def test_a_refused_request_costs_the_next_one_nothing(server: Hostler) -> None:
    url = urllib.parse.urlsplit(server.base_url)
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        connection.sendall(HEAD + b"{}" + HEAD + b"{}")
        answers = http_answers(connection, 2)
    assert [status for status, _ in answers] == [401, 401]
    assert "connection" not in answers[0][1], "what came of the body was read"
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        connection.sendall(HEAD)
        ((status, headers),) = http_answers(connection, 1)
        assert (status, headers["connection"]) == (401, "close"), "the body is not waited for"
        assert connection.recv(1) == b""


def http_answers(connection: socket.socket, count: int) -> list[tuple[int, dict[str, str]]]:
    answers = []
    with connection.makefile("rb") as lines:
        for _ in range(count):
            status = int(lines.readline().split()[1])
            pairs = (line.decode().strip().split(": ", 1) for line in iter(lines.readline, b"\r\n"))
            headers = {name.lower(): value for name, value in pairs}
            lines.read(int(headers["content-length"]))
            answers.append((status, headers))
    return answers


def test_no_secret_is_logged(fake_model: FakeModel, tmp_path: Path, ledger: Ledger, model: FakeModel) -> None:
    server = Hostler(tmp_path / "hostler", fake_model.url, {"HOSTLER__LOG__FILTER": "trace"}).start()
    try:
        wire = Wire(server.base_url, server.api_key, ledger)
        wire.call("POST", "/v1/agents", json={"name": "n", "model": "m", "system": "a-very-private-prompt"})
        wire.call("GET", "/v1/agents", headers={"x-api-key": None, "authorization": "Bearer a-very-private-key"})
    finally:
        server.stop()
    logged = (server.folder / "stderr.1.log").read_text(errors="replace")
    assert logged
    for secret in (server.api_key, "a-very-private-prompt", "a-very-private-key"):
        assert secret not in logged


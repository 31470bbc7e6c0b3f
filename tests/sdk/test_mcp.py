"""Tools of MCP servers in sessions: the reference servers, tokens of a real authorization server, and what goes wrong."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import urlsplit

import anthropic
import pytest

from conftest import SETTINGS
from fake_model import FakeModel, Reply, last_user_content, text, tool_use
from hostler_process import Hostler
from mcp_servers import everything, filesystem
from oauth import LOOPBACK, OAuth, oauth_server
from subscriber import Subscriber
from wire import Ledger, Wire

ALLOW = {"permission_policy": {"type": "always_allow"}}
UNRESTRICTED = {"type": "cloud", "networking": {"type": "unrestricted"}}
SESSIONS = 50


@pytest.fixture(scope="module")
def loopback(fake_model: FakeModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostler]:
    server = Hostler(tmp_path_factory.mktemp("mcp"), fake_model.url, {**SETTINGS, **LOOPBACK}).start()
    yield server
    server.stop()


@pytest.fixture
def server(loopback: Hostler) -> Hostler:
    return loopback


@pytest.fixture
def oauth() -> Iterator[OAuth]:
    with oauth_server() as server:
        yield server


def session_with(wire: Wire, url: str, *, policy: dict[str, Any] | None = ALLOW, vaults: list[str] | None = None,
                 name: str = "srv", environment: dict[str, Any] | None = None) -> str:
    toolset = {"type": "mcp_toolset", "mcp_server_name": name, **({"default_config": policy} if policy else {})}
    agent = wire.post("/v1/agents", {"name": "A", "model": "claude-opus-5-5", "tools": [toolset],
                                     "mcp_servers": [{"type": "url", "name": name, "url": url}]})
    place = environment or wire.post("/v1/environments", {"name": f"e-{agent['id']}", "config": UNRESTRICTED})
    return wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": place["id"],
                                      "vault_ids": vaults or []})["id"]


def vault_with(wire: Wire, auth: dict[str, Any]) -> str:
    vault = wire.post("/v1/vaults", {"display_name": "v"})["id"]
    wire.post(f"/v1/vaults/{vault}/credentials", {"auth": auth})
    return vault


def turn(wire: Wire, session: str) -> list[dict[str, Any]]:
    """Says something, and gives what happened until the session rests."""
    with Subscriber(wire, session) as stream:
        wire.say(session, "Go.")
        stream.wait_for_idle()
        return stream.events


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


@pytest.mark.parametrize("transport", ["streamableHttp", "sse"])
def test_a_tool_of_the_reference_server(transport: str, wire: Wire, model: FakeModel) -> None:
    with everything(transport) as url:
        model.say(Reply([tool_use("mcp__srv__echo", message="hello")]), "Done.")
        events = turn(wire, session_with(wire, url))
    shown = {tool["name"]: tool for tool in model.requests[0]["tools"]}
    assert "message" in shown["mcp__srv__echo"]["input_schema"]["properties"]
    call, = of(events, "agent.mcp_tool_use")
    assert (call["mcp_server_name"], call["name"], call["input"]) == ("srv", "echo", {"message": "hello"})
    assert (call["evaluated_permission"], call["evaluation"]) == ("allow", {"type": "always_allow"})
    result, = of(events, "agent.mcp_tool_result")
    assert (result["mcp_tool_use_id"], result["is_error"]) == (call["id"], False)
    assert result["content"] == [text("Echo: hello")]
    assert "Echo: hello" in str(last_user_content(model.requests[1]))


def test_control_characters_of_a_result_do_not_reach_the_model(wire: Wire, model: FakeModel) -> None:
    with everything("streamableHttp") as url:
        model.say(Reply([tool_use("mcp__srv__echo", message="a\0b\x1b[1m\tc\n")]), "Done.")
        result, = of(turn(wire, session_with(wire, url)), "agent.mcp_tool_result")
    assert result["content"] == [text("Echo: a\ufffdb\ufffd[1m\tc\n")]


def test_each_kind_of_content_reaches_the_model(wire: Wire, model: FakeModel) -> None:
    with everything("streamableHttp") as url:
        calls = [tool_use("mcp__srv__get-tiny-image"), tool_use("mcp__srv__get-resource-links", count=2),
                 tool_use("mcp__srv__get-structured-content", location="New York"),
                 tool_use("mcp__srv__get-annotated-message", messageType="error", includeImage=True),
                 tool_use("mcp__srv__trigger-long-running-operation", duration=1, steps=2)]
        model.say(Reply(calls), "Done.")
        events = turn(wire, session_with(wire, url))
    results = {r["mcp_tool_use_id"]: r for r in of(events, "agent.mcp_tool_result")}
    found = [results[call["id"]] for call in of(events, "agent.mcp_tool_use")]
    assert [r["is_error"] for r in found] == [False] * 5, found
    kinds = [[block["type"] for block in r["content"]] for r in found]
    assert "image" in kinds[0] and "image" in kinds[3]
    assert "[link to the resource" in str(found[1]["content"])
    assert "temperature" in str(found[2]["content"])


def test_a_server_asks_by_default(client: anthropic.Anthropic, wire: Wire, model: FakeModel) -> None:
    with everything("streamableHttp") as url:
        session = session_with(wire, url, policy=None)
        model.say(Reply([tool_use("mcp__srv__echo", message="a"), tool_use("mcp__srv__echo", message="b")]), "Done.")
        with Subscriber(wire, session) as stream:
            wire.say(session, "Go.")
            first, second = stream.wait_for_idle()["stop_reason"]["event_ids"]
            client.beta.sessions.events.send(session, events=[
                {"type": "user.tool_confirmation", "tool_use_id": first, "result": "allow"},
                {"type": "user.tool_confirmation", "tool_use_id": second, "result": "deny", "deny_message": "no"}])
            stream.wait_for_idle(2)
            results = {r["mcp_tool_use_id"]: r for r in of(stream.events, "agent.mcp_tool_result")}
    assert results[first]["content"] == [text("Echo: a")]
    assert results[second]["content"] == [text("Permission to use echo has been rejected. Rejection message: no")]


def test_files_of_the_reference_server(wire: Wire, model: FakeModel, tmp_path: Path) -> None:
    with filesystem(tmp_path) as url:
        path = str(tmp_path / "note.txt")
        model.say(Reply([tool_use("mcp__files__write_file", path=path, content="kept")]),
                  Reply([tool_use("mcp__files__read_text_file", path=path),
                         tool_use("mcp__files__read_text_file", path="/etc/passwd")]), "Done.")
        events = turn(wire, session_with(wire, url, name="files"))
    assert (tmp_path / "note.txt").read_text() == "kept"
    results = {r["mcp_tool_use_id"]: r for r in of(events, "agent.mcp_tool_result")}
    found = [results[call["id"]] for call in of(events, "agent.mcp_tool_use")]
    assert [r["is_error"] for r in found] == [False, False, True]


def test_fifty_sessions_and_one_refresh(wire: Wire, model: FakeModel, oauth: OAuth) -> None:
    """All begin with a token that has expired; the refresh token is good for one use."""
    vault = vault_with(wire, oauth.credential(access_token="expired"))

    def responder(request: dict[str, Any]) -> Reply:
        is_first = request["messages"][-1]["role"] == "user" and "tool_result" not in str(request["messages"][-1])
        return Reply([tool_use("mcp__srv__whoami")] if is_first else [text("Done.")])

    model.responder = responder
    place = wire.post("/v1/environments", {"name": "fifty", "config": UNRESTRICTED})
    sessions = [session_with(wire, oauth.url, vaults=[vault], environment=place) for _ in range(SESSIONS)]
    streams = [Subscriber(wire, session) for session in sessions]
    for session in sessions:
        wire.say(session, "Who am I?")
    for stream in streams:
        stream.wait_for_idle()
        result, = of(stream.events, "agent.mcp_tool_result")
        assert (result["content"], result["is_error"]) == ([text("ada")], False)
        stream.close()
    stats = oauth.stats()
    assert (stats["renewed"], stats["refused"], stats["calls"]) == (1, 0, SESSIONS)


def test_a_token_that_expires_in_the_middle_is_renewed(wire: Wire, model: FakeModel, oauth: OAuth) -> None:
    session = session_with(wire, oauth.url, vaults=[vault_with(wire, oauth.credential())])
    for _ in range(3):
        model.say(Reply([tool_use("mcp__srv__whoami")]), "Done.")
        result, = of(turn(wire, session), "agent.mcp_tool_result")
        assert result["content"] == [text("ada")]
        oauth.expire()
    assert (oauth.stats()["renewed"], oauth.stats()["refused"]) == (2, 0)


def test_without_a_token_the_session_goes_on_without_the_server(wire: Wire, model: FakeModel, oauth: OAuth) -> None:
    session = session_with(wire, oauth.url)
    model.say("I can do without.", "Still.")
    for _ in range(2):
        error, = of(turn(wire, session), "session.error")
        assert error["error"]["type"] == "mcp_authentication_failed_error"
        assert (error["error"]["mcp_server_name"], error["error"]["retry_status"]) == ("srv", {"type": "retrying"})
    assert not model.requests[0].get("tools")


def test_a_server_that_comes_back_is_used_in_the_next_turn(wire: Wire, model: FakeModel) -> None:
    with everything("streamableHttp") as url:
        pass
    session = session_with(wire, url)
    model.say("It is not there.")
    error, = of(turn(wire, session), "session.error")
    assert error["error"]["type"] == "mcp_connection_failed_error"
    with everything("streamableHttp", port_of(url)):
        model.say("It is.")
        assert not of(turn(wire, session), "session.error")
    assert model.requests[1]["tools"]


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def test_a_long_result_is_in_a_file(wire: Wire, model: FakeModel, oauth: OAuth) -> None:
    toolset = {"type": "mcp_toolset", "mcp_server_name": "srv", "default_config": ALLOW}
    agent = wire.post("/v1/agents", {"name": "A", "model": "claude-opus-5-5",
                                     "tools": [toolset, {"type": "agent_toolset_20260401"}],
                                     "mcp_servers": [{"type": "url", "name": "srv", "url": oauth.url}]})
    place = wire.post("/v1/environments", {"name": "long", "config": UNRESTRICTED})
    session = wire.post("/v1/sessions", {"agent": agent["id"], "environment_id": place["id"],
                                         "vault_ids": [vault_with(wire, oauth.credential())]})["id"]
    model.say(Reply([tool_use("mcp__srv__long")]), Reply([tool_use("bash", command="wc -c /tmp/tool_outputs/*.txt")]),
              "Done.")
    events = turn(wire, session)
    result, = of(events, "agent.mcp_tool_result")
    said = "".join(block["text"] for block in result["content"])
    assert len(said) < 20_000 and "/tmp/tool_outputs/" in said and "150000 characters" in said
    counted, = of(events, "agent.tool_result")
    assert "150000" in str(counted["content"]), counted


def test_a_call_that_the_server_died_in_is_told_and_not_repeated(fake_model: FakeModel, model: FakeModel, oauth: OAuth,
                                                               ledger: Ledger, tmp_path: Path) -> None:
    hostler = Hostler(tmp_path / "h", fake_model.url, {**SETTINGS, **LOOPBACK}).start()
    wire = Wire(hostler.base_url, hostler.api_key, ledger)
    session = session_with(wire, oauth.url, vaults=[vault_with(wire, oauth.credential())])
    model.say(Reply([tool_use("mcp__srv__wait")]), "I see.")
    with Subscriber(wire, session) as stream:
        wire.say(session, "Go.")
        stream.wait_for("agent.mcp_tool_use")
        oauth.called(1)
        seen = stream.frames[-1].id
        hostler.kill()
    hostler.start()
    wire = Wire(hostler.base_url, hostler.api_key, ledger)
    with Subscriber(wire, session, after=seen) as stream:
        stream.wait_for_idle()
        result, = of(stream.events, "agent.mcp_tool_result")
    assert result["is_error"] and "may or may not have taken effect" in str(result["content"])
    assert oauth.stats()["calls"] == 1
    oauth.release()
    hostler.stop()


def test_what_the_environment_does_not_permit_is_refused_at_once(wire: Wire) -> None:
    limited = {"type": "cloud", "networking": {"type": "limited", "allowed_hosts": ["api.example.com"]}}
    place = wire.post("/v1/environments", {"name": "limited", "config": limited})
    server = {"type": "url", "name": "srv", "url": "https://mcp.example.com/mcp"}
    agent = wire.post("/v1/agents", {"name": "A", "model": "claude-opus-5-5", "mcp_servers": [server],
                                     "tools": [{"type": "mcp_toolset", "mcp_server_name": "srv"}]})
    body = {"agent": agent["id"], "environment_id": place["id"]}
    answer = wire.call("POST", "/v1/sessions", json=body)
    assert answer.status_code == 400 and "mcp.example.com" in answer.json()["error"]["message"]
    networking = {**limited["networking"], "allow_mcp_servers": True}  # type: ignore[dict-item]
    wire.post(f"/v1/environments/{place['id']}", {"config": {"type": "cloud", "networking": networking}})
    assert wire.post("/v1/sessions", body)["id"]


def test_a_renewed_token_is_kept_though_the_database_fails_meanwhile(fake_model: FakeModel, model: FakeModel,
                                                                     oauth: OAuth, ledger: Ledger,
                                                                     tmp_path: Path) -> None:
    """The refresh token is spent when its successor comes, and for as long as the database takes nothing the successor
    is nowhere but in the server's memory."""
    hostler = Hostler(tmp_path / "h", fake_model.url, {**SETTINGS, **LOOPBACK}, database="").start()
    wire = Wire(hostler.base_url, hostler.api_key, ledger)
    vault = vault_with(wire, oauth.credential(access_token="expired"))
    session = session_with(wire, oauth.url, vaults=[vault])
    oauth.hold_token()
    model.say(Reply([tool_use("mcp__srv__whoami")]), "Done.", Reply([tool_use("mcp__srv__whoami")]), "Done.")
    with Subscriber(wire, session) as stream:
        wire.say(session, "Who am I?")
        with closing(sqlite3.connect(hostler.data / "hostler.db", isolation_level=None)) as database:
            with oauth.token_held():
                database.execute("begin immediate")
            # Writes are tried in their order: when the second of these has failed, so has that of the token.
            for name in "ab":
                assert wire.call("POST", "/v1/vaults", json={"display_name": name}).status_code >= 500
            database.execute("rollback")
        stream.wait_for_idle()
        result, = of(stream.events, "agent.mcp_tool_result")
    assert result["content"] == [text("ada")]
    # What renews the next one is what was kept.
    oauth.expire()
    result, = of(turn(wire, session), "agent.mcp_tool_result")
    assert result["content"] == [text("ada")]
    assert (oauth.stats()["renewed"], oauth.stats()["refused"]) == (2, 0)
    assert "a renewed token is not kept yet" in hostler.logs(1_000)
    hostler.stop()

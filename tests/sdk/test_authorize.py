"""`hostler vaults authorize`: from a person's consent at a real authorization server to a session that uses the token."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, Iterator
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

import anthropic
import pytest

from conftest import SETTINGS
from fake_model import FakeModel, Reply, text, tool_use
from hostler_process import Hostler, binary
from oauth import LOOPBACK, OAuth, oauth_server
from test_mcp import of, session_with, turn
from wire import Wire


@pytest.fixture(scope="module")
def loopback(fake_model: FakeModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostler]:
    server = Hostler(tmp_path_factory.mktemp("authorize"), fake_model.url, {**SETTINGS, **LOOPBACK}).start()
    yield server
    server.stop()


@pytest.fixture
def server(loopback: Hostler) -> Hostler:
    return loopback


@pytest.fixture
def oauth() -> Iterator[OAuth]:
    with oauth_server() as server:
        yield server


class Command:
    """`hostler vaults authorize`, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""

    def address(self) -> str:
        """The address that it asks to be opened."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line
            if line.startswith("  http"):
                return line.strip()
        raise AssertionError(f"no address: {self.said}{self.process.communicate()[1]}")

    def paste(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ends(self, code: int = 0) -> str:
        out, err = self.process.communicate(timeout=60)
        self.said += out + err
        assert self.process.returncode == code, self.said
        return self.said


@contextmanager
def authorize(server: Hostler, *arguments: str) -> Iterator[Command]:
    environment = {**os.environ, "ANTHROPIC_BASE_URL": server.base_url, "HOSTLER_API_KEY": server.api_key}
    with subprocess.Popen([str(binary()), "vaults", "authorize", *arguments], env=environment, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield Command(process)
        finally:
            process.kill()


class ToThisMachine(HTTPRedirectHandler):
    """Goes as far as the authorization server does, and not to where it sends the browser back."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        return super().redirect_request(req, fp, code, msg, headers, newurl) if newurl.startswith(self.origin) else None


def agree(oauth: OAuth, address: str) -> str:
    """What a person with a browser does, and the address that the browser is sent back to."""
    browser = build_opener(HTTPCookieProcessor(CookieJar()), ToThisMachine(oauth.said["origin"]))
    with pytest.raises(HTTPError) as sent:
        browser.open(address, timeout=30)
    assert sent.value.code in (302, 303), sent.value.read()
    return str(sent.value.headers["location"])


def visit(address: str) -> int:
    try:
        with build_opener().open(address, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


def changed(address: str, **parameters: str) -> str:
    parts = urlsplit(address)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return parts._replace(query=urlencode({**query, **parameters})).geturl()


def test_consent_becomes_a_credential_that_sessions_use(client: anthropic.Anthropic, server: Hostler, wire: Wire,
                                                        model: FakeModel, oauth: OAuth) -> None:
    with authorize(server, "--new-vault", "ada", "--display-name", "tickets", oauth.url) as command:
        address = command.address()
        asked = parse_qs(urlsplit(address).query)
        assert asked["code_challenge_method"] == ["S256"] and asked["resource"] == [oauth.url]
        back = agree(oauth, address)
        # Another try, another page, and then the person's browser.
        assert visit(changed(back, state="another")) == 404
        assert visit(back.replace("/callback", "/elsewhere")) == 404
        assert visit(back) == 200
        said = command.ends()
    assert "it is valid" in said and parse_qs(urlsplit(back).query)["code"][0] not in said
    vault, = [v for v in client.beta.vaults.list(limit=100) if v.display_name == "ada"]
    credential, = client.beta.vaults.credentials.list(vault.id)
    assert credential.display_name == "tickets" and credential.id in said
    assert credential.auth.type == "mcp_oauth" and credential.auth.expires_at
    assert credential.auth.refresh and credential.auth.refresh.resource == oauth.url
    session = session_with(wire, oauth.url, vaults=[vault.id])
    for _ in range(2):
        model.say(Reply([tool_use("mcp__srv__whoami")]), "Done.")
        result, = of(turn(wire, session), "agent.mcp_tool_result")
        assert result["content"] == [text("ada")]
        # The next turn has to renew it, with what was stored of the client.
        oauth.expire()
    assert (oauth.stats()["renewed"], oauth.stats()["refused"]) == (1, 0)


def test_the_browser_may_be_on_another_machine(server: Hostler, wire: Wire, oauth: OAuth) -> None:
    vault = wire.post("/v1/vaults", {"display_name": "v"})["id"]
    with authorize(server, "--vault", vault, oauth.url) as command:
        back = agree(oauth, command.address())
        command.paste("what?")
        command.paste(changed(back, state="another"))
        command.paste(f"  {back} ")
        said = command.ends()
    assert said.count("This is not the address") == 2 and "it is valid" in said


def test_a_registered_client_and_a_second_time(server: Hostler, wire: Wire, oauth: OAuth, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(oauth.said["client_secret"] + "\n")
    vault = wire.post("/v1/vaults", {"display_name": "v"})["id"]
    # Registered for an address that nobody can listen on here, so it is pasted.
    registered = ["--client-id", oauth.said["client_id"], "--client-secret-file", str(secret),
                  "--redirect-uri", "https://hostler.example/callback"]
    with authorize(server, "--vault", vault, *registered, oauth.url) as command:
        command.paste(agree(oauth, command.address()))
        command.ends()
    first, = wire.get(f"/v1/vaults/{vault}/credentials")["data"]
    assert first["auth"]["refresh"]["token_endpoint_auth"] == {"type": "client_secret_basic"}
    with authorize(server, "--vault", vault, oauth.url) as command:
        assert f"has the credential {first['id']} for this server already" in command.ends(1)
    with authorize(server, "--vault", vault, "--replace", oauth.url) as command:
        visit(agree(oauth, command.address()))
        assert first["id"] in command.ends()
    second, = wire.get(f"/v1/vaults/{vault}/credentials")["data"]
    assert second["id"] != first["id"]


def test_what_ends_it_without_a_credential(server: Hostler, wire: Wire, oauth: OAuth) -> None:
    vault = wire.post("/v1/vaults", {"display_name": "v"})["id"]
    with authorize(server, "--vault", vault, "--wait", "1", oauth.url) as command:
        command.address()
        assert "nobody agreed within 1 s" in command.ends(1)
    with authorize(server, "--vault", vault, oauth.url) as command:
        # An answer of another issuer, which somebody mixed in.
        visit(changed(agree(oauth, command.address()), iss="https://evil.example"))
        assert "no token was given" in command.ends(1)
    with authorize(server, "--vault", vault, f"{oauth.said['origin']}/nothing") as command:
        assert "can't be" in command.ends(1)
    oauth.refuse()
    with authorize(server, "--vault", vault, oauth.url) as command:
        visit(agree(oauth, command.address()))
        assert "the authorization was refused: access_denied: not today" in command.ends(1)
    assert wire.get(f"/v1/vaults/{vault}/credentials")["data"] == []


def test_a_vault_that_is_none_is_told_before_anybody_agrees(server: Hostler, wire: Wire, oauth: OAuth) -> None:
    with authorize(server, "--vault", "vlt_011111111111111111111114", oauth.url) as command:
        assert "404" in command.ends(1)
    archived = wire.post("/v1/vaults", {"display_name": "v"})["id"]
    wire.post(f"/v1/vaults/{archived}/archive", {})
    with authorize(server, "--vault", archived, oauth.url) as command:
        assert "is archived" in command.ends(1)
    assert oauth.stats()["unauthorized"] == 0

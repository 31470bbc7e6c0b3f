"""Trying out a credential (`mcp_oauth_validate`) against a real authorization server with rotating refresh tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import anthropic
import pytest

from conftest import SETTINGS
from fake_model import FakeModel
from hostler_process import Hostler
from oauth import LOOPBACK, OAuth, oauth_server
from wire import Wire


@pytest.fixture(scope="module")
def guarded(fake_model: FakeModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostler]:
    server = Hostler(tmp_path_factory.mktemp("oauth"), fake_model.url, {**SETTINGS, **LOOPBACK}).start()
    yield server
    server.stop()


@pytest.fixture
def server(guarded: Hostler) -> Hostler:
    return guarded


@pytest.fixture
def oauth() -> Iterator[OAuth]:
    with oauth_server() as server:
        yield server


class Kept:
    """A credential in a vault of its own."""

    def __init__(self, client: anthropic.Anthropic, auth: dict[str, Any]) -> None:
        self.vault = client.beta.vaults.create(display_name="v").id
        self.credentials = client.beta.vaults.credentials
        self.id = self.credentials.create(self.vault, auth=auth).id  # type: ignore[arg-type]

    def validate(self) -> Any:
        return self.credentials.mcp_oauth_validate(self.id, vault_id=self.vault)


def test_a_good_token_is_valid(client: anthropic.Anthropic, oauth: OAuth) -> None:
    found = Kept(client, oauth.credential()).validate()
    assert (found.status, found.mcp_probe, found.refresh, found.has_refresh_token) == ("valid", None, None, True)
    assert oauth.stats()["renewed"] == 0


def test_a_token_that_is_refused_is_renewed_and_kept(client: anthropic.Anthropic, oauth: OAuth) -> None:
    kept = Kept(client, oauth.credential())
    assert kept.validate().status == "valid"
    oauth.expire()
    found = kept.validate()
    assert (found.status, found.mcp_probe, found.refresh.status) == ("valid", None, "succeeded")
    assert kept.validate().refresh is None
    # And once more: the refresh token was rotated, and the first one would revoke everything.
    oauth.expire()
    assert kept.validate().refresh.status == "succeeded"
    assert (oauth.stats()["renewed"], oauth.stats()["refused"]) == (2, 0)


def test_a_refresh_token_that_is_refused_is_not_spent_again(client: anthropic.Anthropic, oauth: OAuth) -> None:
    kept = Kept(client, oauth.credential(access_token="old", refresh_token="spent-long-ago"))
    for _ in range(3):
        found = kept.validate()
        assert (found.status, found.refresh.status, found.mcp_probe.method) == ("invalid", "failed", "initialize")
        assert "invalid_grant" in found.refresh.http_response.body
        assert found.mcp_probe.http_response.status_code == 401
        assert found.mcp_probe.http_response.body == "no: Bearer ***"
    assert oauth.stats()["refused"] == 1
    # Until somebody brings new ones.
    agreed = oauth.agree()
    kept.credentials.update(kept.id, vault_id=kept.vault, auth={
        "type": "mcp_oauth", "access_token": "old", "refresh": {"refresh_token": agreed["refresh_token"]}})
    assert kept.validate().status == "valid"


def test_a_server_in_trouble_tells_nothing(client: anthropic.Anthropic, oauth: OAuth) -> None:
    kept = Kept(client, oauth.credential(access_token="old"))
    oauth.trouble(503)
    found = kept.validate()
    assert (found.status, found.refresh.status, found.refresh.http_response.status_code) == ("unknown", "failed", 503)
    oauth.trouble(0)
    assert kept.validate().status == "valid"


def test_without_a_refresh_token_a_refusal_is_the_end(client: anthropic.Anthropic, oauth: OAuth) -> None:
    auth = {**oauth.credential(access_token="old"), "refresh": None}
    found = Kept(client, auth).validate()
    assert (found.status, found.refresh.status, found.has_refresh_token) == ("invalid", "no_refresh_token", False)


def test_a_server_out_of_reach_tells_nothing(client: anthropic.Anthropic) -> None:
    for url in ["http://127.0.0.1:9/mcp", "http://169.254.169.254/mcp", "https://nowhere.invalid/mcp"]:
        auth = {"type": "mcp_oauth", "mcp_server_url": url, "access_token": "t", "refresh": None}
        found = Kept(client, auth).validate()
        assert (found.status, found.mcp_probe.method, found.mcp_probe.http_response) == ("unknown", "initialize", None)


def test_what_is_no_oauth_credential_is_refused(client: anthropic.Anthropic, wire: Wire) -> None:
    kept = Kept(client, {"type": "static_bearer", "token": "t", "mcp_server_url": "https://mcp.example.com"})
    with pytest.raises(anthropic.BadRequestError, match="static_bearer"):
        kept.validate()
    kept = Kept(client, {"type": "mcp_oauth", "mcp_server_url": "https://mcp.example.com", "access_token": "t"})
    kept.credentials.archive(kept.id, vault_id=kept.vault)
    with pytest.raises(anthropic.BadRequestError, match="Credential is archived."):
        kept.validate()
    with pytest.raises(anthropic.NotFoundError):
        kept.credentials.mcp_oauth_validate("vcrd_01234567890123456789ABCD", vault_id=kept.vault)

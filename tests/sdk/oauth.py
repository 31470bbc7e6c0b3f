"""A real authorization server, and an MCP server that takes its tokens (tests/mcp/oauth.mjs), for one test."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator
from urllib.request import Request, urlopen

from node import node

TOOLS = Path("target/mcp")
# An operator has to permit what is not public.
LOOPBACK = {"HOSTLER__NETWORK__ALLOWED_NETWORKS": '["127.0.0.0/8"]'}


class OAuth:
    def __init__(self, said: dict[str, str]) -> None:
        self.url = said["mcp"]
        self.said = said

    def credential(self, **changes: str) -> dict[str, Any]:
        """What a person who has agreed puts into a vault."""
        said = {**self.said, **changes}
        return {"type": "mcp_oauth", "mcp_server_url": said["mcp"], "access_token": said["access_token"],
                "refresh": {"client_id": said["client_id"], "refresh_token": said["refresh_token"],
                            "token_endpoint": said["token_endpoint"],
                            "token_endpoint_auth": {"type": "client_secret_basic",
                                                    "client_secret": said["client_secret"]}}}

    def stats(self) -> dict[str, int]:
        return dict(self._ask("/stats"))

    def called(self, count: int) -> None:
        """Waits until that many calls have come."""
        assert self._ask(f"/called/{count}") == {}

    def expire(self) -> None:
        """Puts all access tokens out of use that were shown to it."""
        self._ask("/expire")

    def agree(self) -> dict[str, str]:
        """The tokens of another consent."""
        return dict(self._ask("/agree"))

    def refuse(self) -> None:
        """The person agrees to nothing from now on."""
        self._ask("/refuse")

    def release(self) -> None:
        self._ask("/release")

    @contextmanager
    def token_held(self) -> Iterator[None]:
        """A block in which somebody waits for the answer of the token endpoint, which comes with its end."""
        self._ask("/token-asked")
        yield
        self._ask("/let-token")

    def hold_token(self) -> None:
        """The token endpoint waits with its answers from now on."""
        self._ask("/hold-token")

    def trouble(self, status: int) -> None:
        self._ask(f"/trouble/{status}")

    def _ask(self, path: str) -> Any:
        with urlopen(Request(self.said["origin"] + path), timeout=30) as answer:
            return json.load(answer)


@contextmanager
def oauth_server() -> Iterator[OAuth]:
    with node("tests/mcp/oauth.mjs", str(TOOLS)) as process:
        assert process.stdout
        yield OAuth(json.loads(process.stdout.readline()))

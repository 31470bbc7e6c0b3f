"""An MCP server and a token endpoint on loopback, over TLS and in the clear, that take only what was agreed with them.

Every request is kept, head and body, so that a test can say where each secret went.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from secret_host import certify


@dataclass
class Client:
    """An OAuth client: what renews a token, and what comes of it. A refresh token is good for one use."""

    secret: str
    renewals: dict[str, tuple[str, str]] = field(default_factory=dict)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Listener"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        host = self.server.host
        host.seen.append((f"{self.server.scheme} {self.path}", f"{self.headers}\n".encode() + body))
        if self.path.startswith("/token/"):
            return self._renew(host.clients[self.path.removeprefix("/token/")], dict(parse_qsl(body.decode())))
        if self.headers.get("Authorization", "") != f"Bearer {host.tokens[self.path]}":
            return self._answer(401, {"error": "invalid_token"})
        message = json.loads(body)
        if "id" not in message:
            return self._answer(202, None)
        self._answer(200, {"jsonrpc": "2.0", "id": message["id"], "result": result(message)})

    def do_GET(self) -> None:
        self._answer(405, None)

    def do_DELETE(self) -> None:
        self._answer(405, None)

    def _renew(self, client: Client, form: dict[str, str]) -> None:
        sign_in = base64.b64decode(self.headers.get("Authorization", "Basic ").partition(" ")[2]).decode()
        # Both halves of a sign-in are written as in a form.
        shown = form.get("client_secret") or dict(parse_qsl(f"secret={sign_in.partition(':')[2]}")).get("secret")
        if shown != client.secret or form["refresh_token"] not in client.renewals:
            return self._answer(400, {"error": "invalid_grant"})
        access, refresh = client.renewals.pop(form["refresh_token"])
        self.server.host.renewed.append(form["refresh_token"])
        self._answer(200, {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600})

    def _answer(self, status: int, body: dict[str, Any] | None) -> None:
        content = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        if content:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """All of it is in `seen`."""


def result(message: dict[str, Any]) -> dict[str, Any]:
    match message["method"]:
        case "initialize":
            return {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
                    "serverInfo": {"name": "s", "version": "1"}}
        case "tools/list":
            return {"tools": [{"name": "look", "inputSchema": {"type": "object"}}]}
        case _:
            return {"content": [{"type": "text", "text": "looked"}]}


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: "CredentialHost", scheme: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.host, self.scheme = host, scheme


class CredentialHost:
    """`with` starts and ends it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.authority, certificate, key = certify(folder, name)
        self.seen: list[tuple[str, bytes]] = []
        self.renewed: list[str] = []
        self.tokens: dict[str, str] = {}
        self.clients: dict[str, Client] = {}
        self._listeners = [Listener(self, "http"), Listener(self, "https")]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        secure = self._listeners[1]
        secure.socket = context.wrap_socket(secure.socket, server_side=True)
        self.origins = {listener.scheme: f"{listener.scheme}://{name}:{listener.server_address[1]}"
                        for listener in self._listeners}

    def __enter__(self) -> "CredentialHost":
        for listener in self._listeners:
            threading.Thread(target=listener.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()

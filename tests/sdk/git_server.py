"""A Git server on loopback: the real `git http-backend` behind a small HTTP server, with some bad manners on demand.

Paths below `/private/` ask for a sign-in, those below `/token/` too, with the password in `token`: whoever has it may push. Those below `/forbidden/` refuse, those below `/silent/` never answer, and those
below `/moved/` lead where `redirects` says.
"""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

HTTP_BACKEND = "http-backend"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "GitServer"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        self.server.asked.append(f"{self.command} {url.path}")
        first = url.path.split("/")[1]
        if first == "private" or first == "token" and not self._has_token():
            self._refuse(401, ("WWW-Authenticate", 'Basic realm="git"'))
        elif first == "token":
            self._serve(url.path.removeprefix("/token"), url.query, user="somebody")
        elif first == "forbidden":
            self._refuse(403)
        elif first == "silent":
            self.server.released.wait()
            self.close_connection = True
        elif first == "moved":
            self._refuse(302, ("Location", self.server.redirects + f"?{url.query}"))
        else:
            self._serve(url.path, url.query)

    def _has_token(self) -> bool:
        kind, _, encoded = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        self.server.sign_ins.append((kind, user, password))
        return (kind, password) == ("Basic", self.server.token)

    def _refuse(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", "0")):
            self.send_header(name, value)
        self.end_headers()

    def _serve(self, path: str, query: str, user: str = "") -> None:
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else self._chunks()
        environment = {
            **os.environ, "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            # Without a user nobody pushes.
            **({"REMOTE_USER": user} if user else {}),
        }
        done = subprocess.run(["git", HTTP_BACKEND], input=body, stdout=subprocess.PIPE, env=environment, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().splitlines()]
        status = next((value for name, value in headers if name == "Status"), "200")
        self.send_response(int(status.split()[0]))
        for name, value in headers:
            if name not in ("Status", "Content-Length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunks(self) -> bytes:
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:
        """Who asked for what is in `asked`."""


class GitServer(ThreadingHTTPServer):
    """Serves the bare repositories below `root`, over TLS with a certificate and its key. `with` starts and ends it."""

    daemon_threads = True

    def __init__(self, root: Path, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            # The handshake is made by the thread of its connection.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.asked: list[str] = []
        self.redirects = ""
        self.token = ""
        self.sign_ins: list[tuple[str, str, str]] = []
        self.released = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __enter__(self) -> "GitServer":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()


def git(*arguments: str, at: Path, stdin: bytes | None = None) -> str:
    """Runs git like somebody without a configuration, at a fixed time."""
    environment = {
        **os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(at),
        "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t",
        "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    }
    done = subprocess.run(["git", *arguments], cwd=at, input=stdin, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout.decode().strip()


if __name__ == "__main__":
    with GitServer(Path(sys.argv[1])) as server:
        if len(sys.argv) > 2:
            server.redirects = sys.argv[2]
        print(server.port, flush=True)
        sys.stdin.read()

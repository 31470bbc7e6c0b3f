"""A host on loopback, over TLS and in the clear, that keeps every request and tells it back."""

from __future__ import annotations

import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Listener"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = f"{self.command} {self.path}\n{self.headers}\n".encode() + body
        self.server.seen.append(told)
        self.send_response(200)
        # As a header too, for those that send one.
        if "X-Key" in self.headers:
            self.send_header("X-Echo", self.headers["X-Key"])
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: object) -> None:
        """All of it is in `seen`."""


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    # Each request of a burst is one connection.
    request_queue_size = 128

    def __init__(self, seen: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = seen


class SecretHost:
    """`with` starts and ends it. `authority` is the file of who vouches for `name`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.authority, certificate, key = certify(folder, name)
        self.seen: list[bytes] = []
        self._plain, self._secure = Listener(self.seen), Listener(self.seen)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._secure.socket = context.wrap_socket(self._secure.socket, server_side=True)
        self.http = f"http://{name}:{self._plain.server_address[1]}"
        self.https = f"https://{name}:{self._secure.server_address[1]}"

    def __enter__(self) -> "SecretHost":
        for listener in (self._plain, self._secure):
            threading.Thread(target=listener.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for listener in (self._plain, self._secure):
            listener.shutdown()
            listener.server_close()


def certify(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """An authority, and a certificate for `name` with its key."""
    folder.mkdir(parents=True, exist_ok=True)
    extensions = folder / "extensions"
    extensions.write_text(f"subjectAltName = DNS:{name}\nextendedKeyUsage = serverAuth\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "30")
    openssl(folder, "req", *new_key, "-keyout", "host.key", "-out", "host.csr", "-subj", "/CN=host")
    openssl(folder, "x509", "-req", "-in", "host.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "host.pem", "-days", "30", "-extfile", "extensions")
    return folder / "ca.pem", folder / "host.pem", folder / "host.key"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, env=dict(os.environ))

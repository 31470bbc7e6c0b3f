"""The reference servers of MCP, each for as long as a test wants it."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from node import node
from oauth import TOOLS

REFERENCE = TOOLS / "node_modules" / "@modelcontextprotocol"


@contextmanager
def everything(transport: str, port: int = 0) -> Iterator[str]:
    """One tool for each kind of content and behaviour, over `streamableHttp` or the older `sse`."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    program = REFERENCE / "server-everything" / "dist" / "index.js"
    with node(str(program), transport, PORT=str(port)) as process:
        assert process.stderr
        assert any(str(port) in line for line in process.stderr), "the server did not start"
        yield f"http://127.0.0.1:{port}/{'sse' if transport == 'sse' else 'mcp'}"


@contextmanager
def filesystem(folder: Path) -> Iterator[str]:
    program = REFERENCE / "server-filesystem" / "dist" / "index.js"
    with node("tests/mcp/over_http.mjs", str(TOOLS), str(program), str(folder)) as process:
        assert process.stdout
        yield process.stdout.readline().strip()

"""An MCP server over standard input and output, which misbehaves when it is told to. Standard library only."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

TOOLS = ["count", "die", "flood", "garbage", "hang", "variable"]
calls = 0


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def call(name: str, arguments: dict[str, Any]) -> str:
    global calls
    calls += 1
    if name == "die":
        print("I had enough", file=sys.stderr)
        sys.exit(7)
    if name == "flood":
        while True:
            say({"method": "notifications/message", "params": {"level": "info", "data": "x" * 10_000}})
    if name == "garbage":
        sys.stdout.write("Listening on stdio\n\n{\"half\": \n[1, 2]\n\x00\x01\n{\"jsonrpc\": \"2.0\", \"id\": 999, \"result\": {}}\n")
        os.write(1, b"\xff\xfe\n")
    if name == "hang":
        open("/tmp/hangs", "w").close()
        signal.pause()
    if name == "variable":
        return os.environ.get(arguments["variable"], "not set")
    return str(calls)


def main() -> None:
    if sys.argv[1:] == ["broken"]:
        sys.exit("no such\nmodule \x1b[31mred")
    for line in sys.stdin:
        asked = json.loads(line)
        number, params = asked.get("id"), asked.get("params") or {}
        if asked.get("method") == "initialize":
            say({"id": number, "result": {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                                          "serverInfo": {"name": "naughty", "version": "1"}}})
        elif asked.get("method") == "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
            say({"id": number, "result": {"tools": tools}})
        elif asked.get("method") == "tools/call":
            text = call(params["name"], params.get("arguments") or {})
            say({"id": number, "result": {"content": [{"type": "text", "text": text}]}})


main()

"""Our client of MCP servers before the protocol's own judge: all scenarios that count, and no list of exceptions.

The suite starts a server for each scenario and a client that it is told of (crates/mcp/examples/conformance.rs), and
judges what the server saw. Not counted are what is a draft of the next version, and extensions.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

SUITE = Path("target/mcp/node_modules/@modelcontextprotocol/conformance/dist/index.js")
CLIENT = Path(os.environ["HOSTLER_BIN"]).parent / "examples" / "conformance"


def suite(*arguments: str) -> str:
    done = subprocess.run(["node", SUITE, *arguments], capture_output=True, text=True, timeout=120, check=False)
    return f"{done.stdout}{done.stderr}\nexit {done.returncode}"


def scored() -> list[str]:
    of_clients = suite("list").partition("Client scenarios")[2]
    listed = re.findall(r"^ +- (\S+) \[(.*)\]$", of_clients, re.MULTILINE)
    return [name for name, versions in listed if versions not in {"draft", "extension"}]


@pytest.mark.parametrize("scenario", scored())
def test_the_judge_is_content(scenario: str, tmp_path: Path) -> None:
    said = suite("client", "--command", str(CLIENT.absolute()), "--scenario", scenario, "-o", str(tmp_path))
    assert said.endswith("exit 0"), said
    assert "OVERALL: PASSED" in said, said


def test_there_are_scenarios() -> None:
    assert len(scored()) >= 20

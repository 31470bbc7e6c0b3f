"""The quickstart of the hosted documentation, unmodified: in Python, in TypeScript, with curl.

Each runs as a program of its own that gets two environment variables and nothing else; the model is scripted, the
sandbox is real, and what the tools did is read back from the event log.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fake_model import FakeModel, Reply, text, tool_use
from hostler_process import REPOSITORY, Hostler
from wire import Wire

FOLDER = Path(__file__).with_name("quickstart")
TYPESCRIPT = REPOSITORY / "target" / "ts"
RUN_SECONDS = 120

SCRIPT = '''"""Writes the first 20 Fibonacci numbers, one on each line."""

a, b = 0, 1
with open("fibonacci.txt", "w") as file:
    for _ in range(20):
        print(a, file=file)
        a, b = b, a + b
'''

NUMBERS = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584, 4181]


def python(_: Path) -> list[str]:
    return [sys.executable, str(FOLDER / "quickstart.py")]


def typescript(folder: Path) -> list[str]:
    """Compiled strictly first: the SDK's own types must accept the program."""
    modules = TYPESCRIPT / "node_modules"
    assert modules.is_dir(), "the TypeScript SDK is not installed: tests/install-tools sdk-clients"
    shutil.copy(FOLDER / "quickstart.ts", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(modules)
    compiled = subprocess.run(
        [str(modules / ".bin" / "tsc"), "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck",
         "--types", "node", "quickstart.ts"],
        cwd=folder, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    return ["node", "quickstart.js"]


def curl(_: Path) -> list[str]:
    return ["bash", str(FOLDER / "quickstart.sh")]


@pytest.mark.parametrize("program", [python, typescript, curl])
def test_the_quickstart_runs(program: Any, server: Hostler, wire: Wire, model: FakeModel, tmp_path: Path) -> None:
    model.say(
        Reply([text("I'll create a script for that."), tool_use("write", file_path="fibonacci.py", content=SCRIPT)]),
        Reply([tool_use("bash", command="python3 fibonacci.py && wc -l < fibonacci.txt")]),
        Reply([text("Let me check the file."), tool_use("bash", command="cat fibonacci.txt")]),
        "fibonacci.txt holds the first 20 Fibonacci numbers.")
    environment = {"ANTHROPIC_BASE_URL": server.base_url, "ANTHROPIC_API_KEY": server.api_key,
                   "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ran = subprocess.run(program(tmp_path), cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=RUN_SECONDS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    spoken = [line for line in ran.stdout.splitlines() if line.startswith(("[Using", "Agent finished"))]
    assert spoken == ["[Using tool: write]", "[Using tool: bash]", "[Using tool: bash]", "Agent finished."]
    assert "I'll create a script for that." in ran.stdout
    assert "fibonacci.txt holds the first 20 Fibonacci numbers." in ran.stdout

    session_id = next(line.split()[-1] for line in ran.stdout.splitlines() if line.startswith("Session ID"))
    session = wire.get(f"/v1/sessions/{session_id}")
    assert (session["status"], session["title"]) == ("idle", "Quickstart session")
    results = [e for e in wire.events(session_id) if e["type"] == "agent.tool_result"]
    assert [bool(r.get("is_error")) for r in results] == [False, False, False], results
    assert results[1]["content"][0]["text"].strip() == "20"
    assert [int(n) for n in results[2]["content"][0]["text"].split()] == NUMBERS

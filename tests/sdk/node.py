"""Programs of Node.js beside a test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from hostler_process import REPOSITORY, Hostler
from test_quickstart import RUN_SECONDS, TYPESCRIPT


@contextmanager
def node(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A program with its outputs in pipes. It ends with the block, and whatever it has started too: the `node` of a
    Python environment is a program that starts another."""
    process = subprocess.Popen(["node", *arguments], env={**os.environ, **environment}, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def run_typescript(program: str, folder: Path, server: Hostler) -> list[str]:
    """Compiles a program of `tests/sdk/ts`, strictly, runs it in the folder, and returns the lines that it said."""
    modules = TYPESCRIPT / "node_modules"
    shutil.copy(REPOSITORY / "tests" / "sdk" / "ts" / program, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(modules)
    compiled = subprocess.run(
        [str(modules / ".bin" / "tsc"), "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck",
         "--types", "node", program], cwd=folder, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    ran = subprocess.run(
        ["node", program.replace(".ts", ".js")], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=RUN_SECONDS, env={"ANTHROPIC_BASE_URL": server.base_url, "ANTHROPIC_API_KEY": server.api_key,
                                  "PATH": os.environ["PATH"], "HOME": str(folder)})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.splitlines()

"""Programs of Node.js beside a test."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from typing import Iterator


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

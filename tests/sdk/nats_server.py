"""A server of NATS for one test, on a port of loopback that it chooses itself."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/bin")
TOKEN = "of-a-test-and-of-nothing-else"
WAIT_SECONDS = 60


class NatsServer:
    """It says what its clients say, so that a test can wait for that."""

    def __init__(self, folder: Path) -> None:
        assert PROGRAM, "this machine has no nats-server: tests/install-tools nats"
        file = folder / "nats.conf"
        file.write_text(f'listen: "127.0.0.1:-1"\ntrace: true\nauthorization {{ token: "{TOKEN}" }}\n')
        self._process = subprocess.Popen([PROGRAM, "-c", str(file)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._said: list[str] = []
        self._more = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        listening = self.wait_for("Listening for client connections on ")
        self.wait_for("Server is ready")
        self.url = f"nats://127.0.0.1:{int(listening.rpartition(':')[2])}"

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            with self._more:
                self._said.append(line.decode())
                self._more.notify_all()

    def wait_for(self, words: str) -> str:
        def find() -> str | None:
            return next((line for line in self._said if words in line), None)
        with self._more:
            assert self._more.wait_for(find, WAIT_SECONDS), f"no {words!r} in:\n{''.join(self._said[-20:])}"
            return find() or ""

    def wait_until_followed(self, session: str) -> None:
        """Until a server of Hostler is told what is said about the session."""
        self.wait_for(f"[SUB hostler.{session} ")

    def settings(self) -> dict[str, str]:
        return {"HOSTLER__NATS__URL": self.url, "HOSTLER__NATS__TOKEN": TOKEN}

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

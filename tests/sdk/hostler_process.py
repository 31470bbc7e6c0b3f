"""Runs the real binary on a free port with a data folder of its own, and sees it off properly."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
READY_LINE = "export ANTHROPIC_BASE_URL="
START_SECONDS = 60
STOP_SECONDS = 30


def binary() -> Path:
    """The binary under test: $HOSTLER_BIN, or what `cargo build` leaves."""
    chosen = os.environ.get("HOSTLER_BIN")
    path = Path(chosen) if chosen else REPOSITORY / "target" / "debug" / "hostler"
    if not path.is_absolute():
        path = REPOSITORY / path
    assert path.is_file(), f"{path} does not exist: build it (cargo build) or set HOSTLER_BIN"
    return path


def own_database() -> str:
    """The address of a new database on the PostgreSQL of this run (tests/with-postgres); empty without one."""
    server = os.environ.get("HOSTLER_TEST_POSTGRES", "")
    if not server:
        return ""
    name = f"sdk_{secrets.token_hex(8)}"
    subprocess.run(["createdb", f"--maintenance-db={server}", name], check=True)
    return f"{server.rpartition('/')[0]}/{name}"


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Each file below a folder. A server that runs takes some away meanwhile, which then are not kept."""
    for place, _, names in os.walk(folder):
        for path in (Path(place) / name for name in names):
            with suppress(FileNotFoundError):
                if path.is_file():
                    yield path, path.read_bytes()


class Hostler:
    """One server. `start` waits for the line that says where it listens; `stop` demands a clean exit."""

    def __init__(self, folder: Path, model_url: str, settings: dict[str, str] | None = None,
                 database: str | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.api_key = f"sk-ant-api03-{secrets.token_urlsafe(32)}"
        self.base_url = ""
        self._model_url = model_url
        self.settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._ready = threading.Event()
        self._starts = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.database = own_database() if database is None else database

    def start(self) -> "Hostler":
        assert self._process is None, "already running"
        self._starts += 1
        self._ready = threading.Event()
        arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", str(self.data)]
        # For a kernel where nothing can be isolated: HOSTLER_TEST_SERVE_ARGS=--sandbox=unsafe-process
        arguments += os.environ.get("HOSTLER_TEST_SERVE_ARGS", "").split()
        with open(self.folder / f"stderr.{self._starts}.log", "wb") as errors:
            self._process = subprocess.Popen(
                [str(binary()), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=errors, env=self._environment(), cwd=self.folder, start_new_session=True)
        self._reader = threading.Thread(target=self._read_stdout, args=(self._process,), daemon=True)
        self._reader.start()
        self._ready.wait(START_SECONDS)
        assert self.base_url, f"hostler did not say `{READY_LINE}…` on its standard output\n{self.logs()}"
        return self

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items()
                if not k.startswith(("HOSTLER_", "ANTHROPIC_", "OPENAI_")) and "proxy" not in k.lower()}
        return {
            **kept,
            "HOSTLER_API_KEY": self.api_key,
            "HOSTLER__PROVIDERS__ANTHROPIC__BASE_URL": self._model_url,
            "HOSTLER__PROVIDERS__ANTHROPIC__API_KEY": "test",
            **({"HOSTLER__DATABASE__URL": self.database} if self.database else {}),
            **self.settings,
        }

    def _read_stdout(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with open(self.folder / f"stdout.{self._starts}.log", "wb") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                said = line.decode(errors="replace").strip()
                if said.startswith(READY_LINE):
                    self.base_url = said.removeprefix(READY_LINE).strip("'\"")
                    self._ready.set()
        self._ready.set()

    def wait_until_ready(self) -> None:
        assert self._ready.wait(START_SECONDS), "it never became ready"

    def stop(self) -> None:
        """SIGTERM must end the process by itself, with success."""
        code = self._end(signal.SIGTERM)
        assert code == 0, f"hostler left with {code} after SIGTERM\n{self.logs()}"

    def kill(self) -> None:
        """SIGKILL: what a power cut would do."""
        self._end(signal.SIGKILL)

    def wait_for_end(self) -> int:
        """Of a process that ends by itself: what it left with."""
        assert self._process is not None, "not running"
        code = self._process.wait(STOP_SECONDS)
        self.kill()
        return code

    def signal(self, how: signal.Signals) -> None:
        """For a process that goes on."""
        assert self._process is not None, "not running"
        self._process.send_signal(how)

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        assert process is not None, "not running"
        process.send_signal(how)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"hostler did not leave within {STOP_SECONDS} s of {how.name}\n{self.logs()}")
        finally:
            self.base_url = ""
        assert self._reader is not None
        self._reader.join(STOP_SECONDS)
        return code

    @property
    def process_id(self) -> int:
        assert self._process is not None, "not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None

    def died(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def logs(self, lines: int = 60) -> str:
        shown = []
        for path in sorted(self.folder.glob("std*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            shown.append("\n".join([f"--- {path}", *tail]))
        return "\n".join(shown)

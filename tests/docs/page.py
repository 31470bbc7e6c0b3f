"""Does what a reader of one page does: the blocks in their order, in one folder, with the built binary."""

from __future__ import annotations

import configparser
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from hostler_process import REPOSITORY, binary
from markdown import Block

READY = "or run any program that is written with an official Anthropic SDK."
EXPORT = re.compile(r"^\s*export (ANTHROPIC_BASE_URL|ANTHROPIC_API_KEY)=(\S+)$")
BLOCK_SECONDS = 120
STOP_SECONDS = 30
TYPESCRIPT = REPOSITORY / "target" / "ts" / "node_modules"


class Page:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "page"
        self._hidden = folder / "runner"
        for made in (self.folder, self._hidden / "bin"):
            made.mkdir(parents=True)
        (self._hidden / "bin" / "hostler").symlink_to(binary())
        self._state = self._hidden / "state.sh"
        self._state.write_text("")
        kept = {k: v for k, v in os.environ.items()
                if not k.startswith(("HOSTLER_", "ANTHROPIC_", "OPENAI_")) and "proxy" not in k.lower()}
        programs = [str(self._hidden / "bin"), str(Path(sys.executable).parent), kept["PATH"]]
        self.environment = {**kept, "PATH": ":".join(programs), "HOME": str(self.folder),
                            "HOSTLER__SERVER__LISTEN": "127.0.0.1:0"}
        if "unsafe-process" in os.environ.get("HOSTLER_TEST_SERVE_ARGS", ""):
            self.environment["HOSTLER__SANDBOX__MODE"] = "unsafe-process"
        self._server: subprocess.Popen[str] | None = None
        self._interpreter: Interpreter | None = None
        self._output = ""
        # What the last banner said: a server that was started again may have another port.
        self._exported: dict[str, str] = {}

    def run(self, block: Block) -> None:
        if block.reason is not None:
            return
        if block.file is not None:
            (self.folder / block.file).write_text(block.text)
        match block.language:
            case "bash" | "sh" if block.option == "server":
                self.serve(block.text, block.place)
            case "bash" | "sh":
                self._output = self._shell(block)
            case "python":
                self._output = self._python(block)
            case "typescript":
                self._output = self._typescript(block)
            case "toml":
                self._configuration(block)
            case "json":
                json.loads(block.text)
            case "ini":
                configparser.ConfigParser(strict=False, interpolation=None).read_string(block.text)
            case "text" if block.option == "output":
                compare(block, self._output)

    def serve(self, command: str, place: str) -> None:
        """Starts a server as in a second terminal, and takes over what its banner exports."""
        if self._server is not None:
            # The page has ended it itself, and it may need a moment for that.
            self._server.wait(STOP_SECONDS)
        with open(self._hidden / "server.log", "ab") as log:
            self._server = subprocess.Popen(["bash", "-c", command], cwd=self.folder, env=self.environment, stderr=log,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                            start_new_session=True)
        assert self._server.stdout is not None
        watchdog = threading.Timer(BLOCK_SECONDS, self._server.kill)
        watchdog.start()
        ready = False
        for line in self._server.stdout:
            exported = EXPORT.match(line)
            if exported:
                self._exported[exported[1]] = exported[2]
                self.environment[exported[1]] = exported[2]
            if line.strip() == READY:
                ready = True
                break
        watchdog.cancel()
        assert ready, f"{place}: the server did not become ready\n{self.log()}"

    def log(self) -> str:
        path = self._hidden / "server.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-60:]) if path.exists() else ""

    def _shell(self, block: Block) -> str:
        dump = self._hidden / "environment"
        exports = "".join(f"export {name}={value}\n" for name, value in self._exported.items())
        script = (f"set -aeu\nsource {self._state}\n{exports}"
                  f"trap '{{ export -p; declare -f; printf \"cd %q\\n\" \"$PWD\"; }} >{self._state}; "
                  f"env -0 >{dump}' EXIT\n{block.text}")
        ran = subprocess.run(["bash", "-c", script], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BLOCK_SECONDS)
        assert ran.returncode == 0, f"{block.place}: ended with {ran.returncode}\n{ran.stdout}\n{self.log()}"
        pairs = (pair.partition("=") for pair in dump.read_text().split("\0") if pair)
        self.environment.update({name: value for name, _, value in pairs if name not in {"_", "SHLVL", "PWD"}})
        return ran.stdout

    def _python(self, block: Block) -> str:
        if self._interpreter is None:
            self._interpreter = Interpreter(self.folder, self.environment)
        failed, output = self._interpreter.run(block, self.environment)
        assert not failed, f"{block.place}: failed\n{output}\n{self.log()}"
        return output

    def _typescript(self, block: Block) -> str:
        assert TYPESCRIPT.is_dir(), "the TypeScript SDK is not installed: tests/install-tools sdk-clients"
        folder = self._hidden / f"typescript-{block.line}"
        folder.mkdir()
        (folder / "program.ts").write_text(block.text)
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "node_modules").symlink_to(TYPESCRIPT)
        compiler = [str(TYPESCRIPT / ".bin" / "tsc"), "--strict", "--target", "es2022", "--module", "nodenext",
                    "--skipLibCheck", "--types", "node", "program.ts"]
        output = ""
        for command in (compiler, ["node", "program.js"]):
            ran = subprocess.run(command, cwd=folder, env=self.environment, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BLOCK_SECONDS)
            assert ran.returncode == 0, f"{block.place}: {command[0]} failed\n{ran.stdout}\n{self.log()}"
            output = ran.stdout
        return output

    def _configuration(self, block: Block) -> None:
        path = self.folder / (block.file or "block.toml")
        path.write_text(block.text)
        ran = subprocess.run([str(binary()), "serve", "--config", path.name, "--print-config"], cwd=self.folder,
                             env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=BLOCK_SECONDS)
        if block.file is None:
            path.unlink()
        assert ran.returncode == 0, f"{block.place}: no configuration of Hostler\n{ran.stderr}"

    def close(self) -> None:
        if self._interpreter is not None:
            self._interpreter.close()
        if self._server is not None:
            self._end_server(self._server)
        # Sandboxes outlive their server. These have no other to come back to.
        for record in self.folder.glob("*/sandboxes/boxes/*/process.json"):
            end_sandbox(json.loads(record.read_text())["pid"])
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_server(self, server: subprocess.Popen[str]) -> None:
        if server.poll() is not None:
            return
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            raise AssertionError(f"the server did not leave after SIGTERM\n{self.log()}") from None


class Interpreter:
    """Python in which the blocks of a page run, one after the other."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        ours, theirs = os.pipe()
        program = f"import os; os.dup2({theirs}, 3)\n{Path(__file__).with_name('interpreter.py').read_text()}"
        self._output = open(folder.parent / "runner" / "python.log", "w+")
        self._process = subprocess.Popen([sys.executable, "-c", program], cwd=folder, env=environment, text=True,
                                         stdin=subprocess.PIPE, stdout=self._output, stderr=subprocess.STDOUT,
                                         pass_fds=[theirs])
        os.close(theirs)
        self._answers = os.fdopen(ours)

    def run(self, block: Block, environment: dict[str, str]) -> tuple[bool, str]:
        assert self._process.stdin is not None
        self._output.seek(0, os.SEEK_END)
        start = self._output.tell()
        request = {"text": block.text, "line": block.line, "document": block.document, "environment": environment}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answered, _, _ = select.select([self._answers], [], [], BLOCK_SECONDS)
        answer = self._answers.readline() if answered else ""
        self._output.seek(start)
        output = self._output.read()
        return (json.loads(answer)["failed"] if answer else True), output

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._answers.close()
        self._output.close()


def end_sandbox(pid: int) -> None:
    """The first process of a sandbox takes all others with it. Another process may have got its number since."""
    try:
        name = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"sandbox-init" in name:
            os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        pass


def compare(block: Block, output: str) -> None:
    """Each line of the block is a line of the output, in the same order."""
    rest = iter(output.splitlines())
    for line in block.text.splitlines():
        if line.strip() in {"", "…"}:
            continue
        pattern = ".*".join(re.escape(part) for part in line.strip().split("…"))
        assert any(re.fullmatch(pattern, printed.strip()) for printed in rest), (
            f"{block.place}: the block before does not print\n  {line}\nbut\n{output}")

"""A hundred secrets on their way through sessions: each is found where it may be, and nowhere else."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import quote_plus

import pytest

from conftest import SETTINGS
from credential_host import Client, CredentialHost
from fake_model import FakeModel, Reply, tool_use
from hostler_process import Hostler, binary
from secret_host import SecretHost
from subscriber import settle
from test_crash import sandbox
from wire import Wire

HOST = "api.canary.test"
MCP_HOST = "mcp.canary.test"
VAULTS = 5
# In each: 20 secrets in 18 credentials.
VARIABLES, BEARERS = 14, 3
# What a compressed file begins with.
ZSTD = b"\x28\xb5\x2f\xfd"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecretHost]:
    with SecretHost(tmp_path_factory.mktemp("host"), HOST) as host:
        yield host


@pytest.fixture(scope="module")
def mcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CredentialHost]:
    with CredentialHost(tmp_path_factory.mktemp("mcp"), MCP_HOST) as host:
        yield host


@pytest.fixture(scope="module")
def shared_server(fake_model: FakeModel, host: SecretHost, mcp: CredentialHost,
                  tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostler]:
    """It says all that it can, and its sandboxes become archives when they rest."""
    authorities = tmp_path_factory.mktemp("authorities") / "all.pem"
    authorities.write_bytes(host.authority.read_bytes() + mcp.authority.read_bytes())
    settings = SETTINGS | {
        "SSL_CERT_FILE": str(authorities), "HOSTLER__LOG__FILTER": "trace",
        f"HOSTLER__NETWORK__HOSTS__{HOST}": "127.0.0.1",
        f"HOSTLER__NETWORK__HOSTS__{MCP_HOST}": "127.0.0.1",
        "HOSTLER__SANDBOX__CHECKPOINT": "blobs",
    }
    server = Hostler(tmp_path_factory.mktemp("hostler"), fake_model.url, settings).start()
    yield server
    if server.running:
        server.stop()


# Every secret begins with it, so that looking for all of them is looking for one.
MARK = secrets.token_hex(12)


def canary() -> str:
    # With what JSON, URLs and base64 each write otherwise.
    return f'{MARK}/{secrets.token_hex(8)}+"{secrets.token_hex(6)}'


class Vault:
    """One vault full of canaries, the variables by their names."""

    def __init__(self, wire: Wire, number: int, mcp: CredentialHost) -> None:
        self.id = wire.post("/v1/vaults", {"display_name": f"vault {number}"})["id"]
        self.variables = {f"KEY_{number}_{place}": canary() for place in range(VARIABLES)}
        self.others: list[str] = []
        # The addresses of MCP servers, and what may be sent to each path.
        self.servers: list[str] = []
        self.allowed: dict[str, list[str]] = {}
        # What renewals give: of each token, and of the one that renews the next time.
        self.renewed = [(canary(), canary()), (canary(), canary())]
        origin, other = (mcp.origins[scheme] for scheme in (["http", "https"] if number % 2 else ["https", "http"]))
        networking = {"type": "limited", "allowed_hosts": [HOST]}
        for name, value in self.variables.items():
            self._add(wire, {"type": "environment_variable", "secret_name": name, "secret_value": value,
                             "networking": networking})
        for place in range(BEARERS):
            path, token = f"/mcp/{number}-{place}", self._other()
            self._serve(mcp, (other if place else origin) + path, path, token)
            self._add(wire, {"type": "static_bearer", "token": token, "mcp_server_url": self.servers[-1]})
        path, token, renews, secret = f"/mcp/{number}-oauth", self._other(), self._other(), self._other()
        first, second = self.renewed
        self._serve(mcp, origin + path, path, first[0])
        # The first one is about to expire, so nobody is shown it.
        self.allowed[path] = [first[0], second[0]]
        self.allowed[f"/token/{number}"] = [secret, renews, first[1]]
        mcp.clients[str(number)] = Client(secret, {renews: first, first[1]: second})
        self._add(wire, {
            "type": "mcp_oauth", "access_token": token, "mcp_server_url": origin + path,
            "expires_at": (datetime.now(timezone.utc) + timedelta(seconds=20)).isoformat(),
            "refresh": {"client_id": "c", "refresh_token": renews, "token_endpoint": f"{origin}/token/{number}",
                        "token_endpoint_auth": {"type": f"client_secret_{'post' if number % 2 else 'basic'}",
                                                "client_secret": secret}}})
        self.oauth = path

    def _serve(self, mcp: CredentialHost, url: str, path: str, token: str) -> None:
        self.servers.append(url)
        self.allowed[path] = [token]
        mcp.tokens[path] = token

    def _other(self) -> str:
        self.others.append(canary())
        return self.others[-1]

    def _add(self, wire: Wire, auth: dict[str, Any]) -> None:
        wire.post(f"/v1/vaults/{self.id}/credentials", {"auth": auth})


def forms(value: str) -> list[bytes]:
    """As it may stand somewhere: as it is, and in base64 at each offset."""
    return [value.encode(), *(base64.b64encode(bytes(offset) + value.encode())[[0, 2, 3][offset]:-4]
                              for offset in range(3))]


def command(names: list[str], host: SecretHost) -> str:
    """Each variable in a header, a body and a sign-in, over TLS and in the clear, with what comes back kept in files."""
    lines = ["set -e", "env > env.txt", "env > /tmp/env.txt"]
    for name in names:
        for scheme, url in (("https", host.https), ("http", host.http)):
            lines.append(f'curl -sS -i -u "user:${name}" -H "X-Key: ${name}" --data "k=${name}&k2=${name}" '
                         f'{url}/{scheme}/{name} > {scheme}-{name}.txt')
    # Holds what it was started with while others look.
    lines.append("python3 -c 'import os, signal; kept = dict(os.environ); signal.pause()' > /dev/null 2>&1 &")
    lines.append(f'cat https-{names[0]}.txt http-{names[0]}.txt; cat /proc/self/environ | tr "\\0" "\\n" | grep ^KEY')
    return "\n".join(lines)


def agent_of(wire: Wire, vault: Vault) -> str:
    """Has a shell, and the MCP servers that the vault has credentials for."""
    names = [f"srv{place}" for place in range(len(vault.servers))]
    allow = {"permission_policy": {"type": "always_allow"}}
    toolsets = [{"type": "mcp_toolset", "mcp_server_name": name, "default_config": allow} for name in names]
    servers = [{"type": "url", "name": name, "url": url} for name, url in zip(names, vault.servers)]
    return str(wire.post("/v1/agents", {
        "name": "A", "model": "claude-opus-5-5", "mcp_servers": servers,
        "tools": [{"type": "agent_toolset_20260401", "default_config": allow}, *toolsets]})["id"])


def calls_of_all(vault: Vault) -> Reply:
    return Reply([tool_use(f"mcp__srv{place}__look") for place in range(len(vault.servers))])


def check_mcp(events: list[dict[str, Any]], count: int) -> None:
    results = [event for event in events if event["type"] == "agent.mcp_tool_result"]
    assert [result["content"][0]["text"] for result in results] == ["looked"] * count, results


def processes_of(server: Hostler, session: str) -> list[int]:
    first = json.loads((sandbox(server, session) / "process.json").read_text())["pid"]
    space = os.readlink(f"/proc/{first}/ns/pid_for_children")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "ns/pid") == space:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def memory_of(process: int) -> Iterator[bytes]:
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", 0) as memory:
        for line in maps:
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            if line.split()[1].startswith("r") and "[v" not in line:
                try:
                    memory.seek(start)
                    yield memory.read(end - start)
                except OSError:
                    continue


def files_below(*roots: Path) -> Iterator[tuple[str, bytes]]:
    for root in roots:
        for path in [root, *root.rglob("*")]:
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                yield str(path), content
                if content[:4] == ZSTD:
                    yield f"{path} unpacked", subprocess.run(["zstd", "-dcq"], input=content, capture_output=True,
                                                             check=True).stdout


def test_a_hundred_secrets_are_found_nowhere(wire: Wire, model: FakeModel, environment: dict[str, Any],
                                             host: SecretHost, mcp: CredentialHost, server: Hostler,
                                             tmp_path: Path) -> None:
    vaults = [Vault(wire, number, mcp) for number in range(VAULTS)]
    variables = {name: value for vault in vaults for name, value in vault.variables.items()}
    everything = [*variables.values(), *(value for vault in vaults for value in vault.others)]
    assert len(everything) == 100
    everything += [token for vault in vaults for tokens in vault.renewed for token in tokens]
    found: list[str] = []
    looked_at = 0

    def look(place: str, content: bytes) -> None:
        nonlocal looked_at
        looked_at += len(content)
        found.extend(f"{place}: {form!r}" for form in forms(MARK) if form in content)

    sessions = []
    for vault in vaults:
        session = wire.post("/v1/sessions", {"agent": agent_of(wire, vault), "environment_id": environment["id"],
                                             "vault_ids": [vault.id]})
        model.say(Reply([tool_use("bash", command=command(list(vault.variables), host))]), calls_of_all(vault), "Done.")
        events = settle(wire, session["id"], "Use the keys.")
        check_mcp(events, len(vault.servers))
        # The server of the OAuth credential takes its next token only, in the middle of a session.
        mcp.tokens[vault.oauth] = vault.renewed[1][0]
        model.say(calls_of_all(vault), "Done.")
        again = settle(wire, session["id"], "Once more.")
        check_mcp(again, len(vault.servers))
        look("the stream", json.dumps(again).encode())
        result = next(event for event in events if event["type"] == "agent.tool_result")
        assert not result.get("is_error"), result
        text = "".join(block["text"] for block in result["content"])
        assert "=hostler_placeholder_" in text and "*" * 20 in text, text
        look("the stream", json.dumps(events).encode())
        sessions.append(session["id"])

    # The host got each of them in each of the requests that it is for, and none of the others.
    for name, value in variables.items():
        for scheme in ("https", "http"):
            [told] = [told for told in host.seen if told.startswith(f"POST /{scheme}/{name}\n".encode())]
            sign_in = base64.b64encode(f"user:{value}".encode()).decode()
            # HTTP/2, which curl speaks over TLS, has lower case only.
            assert f"x-key: {value}\n".encode() in told.replace(b"X-Key", b"x-key")
            assert f"Basic {sign_in}\n".encode() in told
            assert told.endswith(f"k={value}&k2={value}".encode())
            others = [other for other in everything if other != value]
            assert not any(form in told for other in others for form in forms(other))
    assert len(host.seen) == 2 * len(variables)

    # An MCP server got its own token, a token endpoint what renews, and neither anything else.
    for address, told in mcp.seen:
        path = address.partition(" ")[2]
        [allowed] = [vault.allowed[path] for vault in vaults if path in vault.allowed]
        others = [other for other in everything if other not in allowed]
        assert not any(form in told for other in others for form in [*forms(other), quote_plus(other).encode()]), address
    assert {address.partition(" ")[0] for address, _ in mcp.seen} == {"http", "https"}
    for vault in vaults:
        for path, allowed in vault.allowed.items():
            told = b"".join(told for address, told in mcp.seen if address.endswith(f" {path}"))
            assert path.startswith("/token/") or all(value.encode() in told for value in allowed)
    assert len(mcp.renewed) == 2 * VAULTS

    # What is inside: files, /tmp, environments and memory of every process.
    for session in sessions:
        processes = processes_of(server, session)
        assert len(processes) >= 2, "the first one, and one that sleeps"
        look(f"/tmp of {session}", Path(f"/proc/{processes[0]}/root/tmp/env.txt").read_bytes())
        read = 0
        for process in processes:
            try:
                look(f"environment of {process}", Path(f"/proc/{process}/environ").read_bytes())
                for piece in memory_of(process):
                    look(f"memory of {process}", piece)
                    read += 1
            except PermissionError:
                assert os.geteuid() != 0
        assert read or os.geteuid() != 0

    # What clients are shown, and what operators are.
    for session in sessions:
        for path in (f"/v1/sessions/{session}", f"/v1/sessions/{session}/events?limit=1000"):
            look(path, wire.call("GET", path).content)
    for vault in vaults:
        look("vault", wire.call("GET", f"/v1/vaults/{vault.id}/credentials").content)
    look("metrics", wire.call("GET", "/metrics").content)
    for request in model.requests:
        look("a request to the model", json.dumps(request).encode())

    # What is on disk: of a server that runs, in a backup, and of one that has ended.
    backup = subprocess.run([str(binary()), "backup", str(tmp_path / "backup")], capture_output=True, check=True,
                            env=os.environ | server.settings | {
                                "HOSTLER__SERVER__DATA_DIR": str(server.data),
                                **({"HOSTLER__DATABASE__URL": server.database} if server.database else {})})
    look("what a backup says", backup.stdout + backup.stderr)
    server.stop()
    archives = server.data / "blobs" / "checkpoints"
    server.settings["HOSTLER__SANDBOX__IDLE_STOP"] = "1s"
    server.start()
    while len(list(archives.glob("*"))) < len(sessions):
        assert server.died() is None
    server.stop()
    assert all(content[:4] == ZSTD for content in map(Path.read_bytes, archives.glob("*")))
    for place, content in files_below(server.folder, tmp_path / "backup"):
        look(place, content)

    assert looked_at > 10_000_000
    assert found == []

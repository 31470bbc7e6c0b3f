"""Many readers with the official SDK, while the server is restarted again and again.

    target/venv/bin/python tests/sdk/restarts.py --restarts 100 --readers 200

The readers know nothing of Hostler's positions: they do what the SDK's documentation tells a client to do when a
stream breaks. They open a new one, list what they may have missed, and put both together by the ids of the events.
Afterwards every reader must have the whole log of its session, and no event that is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Callable

import anthropic
import httpx2

from fake_model import FakeModel, Reply, text
from hostler_process import Hostler

SESSIONS = 20
"""The readers share them evenly."""
BETWEEN_RESTARTS = (0.05, 0.6)
REST_SECONDS = 120
GONE = (anthropic.APIConnectionError, httpx2.TransportError, httpx2.StreamError)
"""How the end of the server shows in a client."""


@dataclass
class Report:
    restarts: int = 0
    acknowledged: int = 0
    events: int = 0
    comebacks: int = 0
    failures: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [f"restarts: {self.restarts}", f"messages acknowledged: {self.acknowledged}",
                f"events in the logs: {self.events}", f"streams opened again: {self.comebacks}",
                f"failures: {len(self.failures)}", *self.failures[:20]]


class Address:
    """Where the server is, for clients that outlive it."""

    def __init__(self, server: Hostler) -> None:
        self.over = asyncio.Event()
        """The server is not restarted any more, and nobody talks."""
        self._server = server
        self._up = asyncio.Event()
        self._client: anthropic.AsyncAnthropic | None = None

    async def client(self) -> anthropic.AsyncAnthropic:
        await self._up.wait()
        assert self._client is not None
        return self._client

    async def started(self) -> None:
        self._client = anthropic.AsyncAnthropic(
            base_url=self._server.base_url, api_key=self._server.api_key, max_retries=0,
            http_client=httpx2.AsyncClient(limits=httpx2.Limits(max_connections=None), timeout=httpx2.Timeout(60)))
        self._up.set()

    async def going(self) -> None:
        self._up.clear()

    async def pause(self, seconds: float) -> None:
        """The pace of the load: for so long, or until it is over."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds)

    async def gone(self) -> None:
        assert self._client is not None
        await self._client.close()


@dataclass
class Reader:
    session: str
    address: Address
    report: Report
    seen: dict[str, str] = field(default_factory=dict)
    """Ids of events, with their types."""
    latest: datetime | None = None
    last: str = ""
    """The type of the last event that came."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self) -> None:
        while True:
            client = await self.address.client()
            try:
                async with await client.beta.sessions.events.stream(self.session) as stream:
                    await self.catch_up(client)
                    async for event in stream:
                        await self.take(event)
            except GONE:
                pass
            self.report.comebacks += 1

    async def catch_up(self, client: anthropic.AsyncAnthropic) -> None:
        since = {"created_at_gte": self.latest} if self.latest else {}
        async for event in client.beta.sessions.events.list(self.session, limit=1000, **since):
            await self.take(event)

    async def take(self, event: anthropic.types.beta.BetaManagedAgentsSessionEvent) -> None:
        kind = str(event.type)
        if kind in ("event_start", "event_delta"):
            return
        self.seen[event.id] = kind
        at = event.processed_at
        if at and (self.latest is None or at > self.latest):
            self.latest = at
        async with self.changed:
            self.last = kind
            self.changed.notify_all()

    async def until(self, holds: Callable[[], bool]) -> bool:
        """Whether it came to hold in time."""
        async with self.changed:
            try:
                await asyncio.wait_for(self.changed.wait_for(holds), REST_SECONDS)
            except asyncio.TimeoutError:
                return False
        return True


async def talk(session: str, address: Address, report: Report) -> None:
    """Messages one after the other; an answer that never comes is not asked for again."""
    number = 0
    while not address.over.is_set():
        client = await address.client()
        number += 1
        content = [{"type": "text", "text": f"Message {number}."}]
        try:
            await client.beta.sessions.events.send(session, events=[{"type": "user.message", "content": content}])
            report.acknowledged += 1
        except GONE:
            pass
        await address.pause(random.uniform(0.05, 0.3))


async def run(server: Hostler, restarts: int, readers: int, seed: int) -> Report:
    random.seed(seed)
    report, address = Report(), Address(server)
    await address.started()
    client = await address.client()
    agent = await client.beta.agents.create(name="restarts", model="claude-opus-5-5")
    environment = await client.beta.environments.create(name="restarts")
    sessions = [(await client.beta.sessions.create(agent=agent.id, environment_id=environment.id)).id
                for _ in range(min(SESSIONS, readers))]
    followed = [Reader(sessions[n % len(sessions)], address, report) for n in range(readers)]
    reading = [asyncio.create_task(reader.run()) for reader in followed]
    talking = [asyncio.create_task(talk(session, address, report)) for session in sessions]
    for number in range(restarts):
        await address.pause(random.uniform(*BETWEEN_RESTARTS))
        await address.going()
        # Half of them are asked to end, as an upgrade does; half are killed.
        await asyncio.to_thread(server.stop if number % 2 else server.kill)
        await address.gone()
        await asyncio.to_thread(server.start)
        await address.started()
        report.restarts += 1
        failed = [task for task in (*reading, *talking) if task.done()]
        for task in failed:
            task.result()
    address.over.set()
    await asyncio.gather(*talking)
    await judge(await address.client(), sessions, followed, report)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    await address.gone()
    return report


async def listed(client: anthropic.AsyncAnthropic, session: str) -> list[str]:
    return [event.id async for event in client.beta.sessions.events.list(session, limit=1000)]


async def judge(client: anthropic.AsyncAnthropic, sessions: list[str], readers: list[Reader], report: Report) -> None:
    logs: dict[str, list[str]] = {}
    for session in sessions:
        witness = next(reader for reader in readers if reader.session == session)
        if not await witness.until(lambda: witness.last == "session.status_idle"):
            report.failures.append(f"{session}: does not come to rest, {witness.last} was last")
        log = await listed(client, session)
        report.events += len(log)
        if len(set(log)) != len(log):
            report.failures.append(f"{session}: an event is listed twice")
        logs[session] = log
    for reader in readers:
        log = set(logs[reader.session])
        if not await reader.until(lambda: log <= set(reader.seen)):
            report.failures.append(f"{reader.session}: a reader lacks {len(log - set(reader.seen))} events")
        # The witness may have seen the end of a turn behind which another one was waiting.
        strange = set(reader.seen) - log
        if strange and (strange := strange - set(await listed(client, reader.session))):
            report.failures.append(f"{reader.session}: a reader saw {len(strange)} events that are not in the log")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    model = FakeModel()
    model.responder = lambda _: Reply([text("Yes.")])
    with tempfile.TemporaryDirectory(prefix="hostler-restarts-") as folder:
        server = Hostler(Path(folder), model.url, {"HOSTLER__RATE_LIMITS__ENABLED": "false"}).start()
        try:
            report = asyncio.run(run(server, options.restarts, options.readers, options.seed))
        finally:
            if server.running:
                server.stop()
    model.close()
    print("\n".join(report.lines()))
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())

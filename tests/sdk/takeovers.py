"""How long a session stands still when the server that runs it is killed, paused or cut off from the database.

    tests/with-postgres target/venv/bin/python tests/sdk/takeovers.py --rounds 20

Two servers share one PostgreSQL. In each round one of them runs a session whose model is in the middle of an answer; that
server is killed, stopped with SIGSTOP, or cut off by a proxy that lets nothing pass. Measured is the time until the model is
asked again, by the other one. Afterwards the log must have one whole answer, one end for each request, and nothing that
the first server still wanted to say; a server that was paused or cut off goes on in the next round.
"""

from __future__ import annotations

import argparse
import os
import queue
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import conftest
from fake_model import FakeModel, Gate, Reply, text
from subscriber import Subscriber
from test_crash import new_session
from test_replicas import Replicas
from wire import Ledger, Wire

WAIT_SECONDS = 60
LEASE_SECONDS = 4
GOAL_SECONDS = LEASE_SECONDS + 1
SETTINGS = {**conftest.SETTINGS, "HOSTLER__ENGINE__LEASE": f"{LEASE_SECONDS}s"}
FAULTS = ("killed", "paused", "cut off")


@dataclass
class Report:
    seconds: dict[str, list[float]] = field(default_factory=lambda: {fault: [] for fault in FAULTS})
    failures: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        lines = [f"lease: {LEASE_SECONDS} s; goal: {GOAL_SECONDS} s"]
        for fault, seconds in self.seconds.items():
            took = sorted(seconds)
            p95 = took[min(len(took) - 1, round(len(took) * 0.95))]
            lines.append(f"{fault}: n {len(took)}, p50 {took[len(took) // 2]:.2f} s, p95 {p95:.2f} s, "
                         f"max {took[-1]:.2f} s")
        return lines + [f"failures: {len(self.failures)}", *self.failures[:20]]


class Models:
    """One for each server, so that it shows which of them runs a session."""

    def __init__(self) -> None:
        self.first, self.second = FakeModel(), FakeModel()
        self.asked: queue.Queue[str] = queue.Queue()
        self.gate = Gate()
        self.first.responder = self._of_the_first
        self.second.responder = self._of_the_second

    def _of_the_first(self, _: dict[str, Any]) -> Reply:
        self.asked.put("first")
        return Reply([text("Half"), text(" of it")], midway=self.gate)

    def _of_the_second(self, _: dict[str, Any]) -> Reply:
        self.asked.put("second")
        return Reply([text("A whole answer.")])

    def next(self) -> str:
        return self.asked.get(timeout=WAIT_SECONDS)

    def close(self) -> None:
        self.first.close()
        self.second.close()


def strike(replicas: Replicas, fault: str) -> None:
    if fault == "killed":
        replicas.first.kill()
    elif fault == "paused":
        replicas.first.signal(signal.SIGSTOP)
    else:
        replicas.way.cut()


def recover(replicas: Replicas, fault: str, ledger: Ledger) -> None:
    if fault == "killed":
        replicas.first.start()
        replicas.one = Wire(replicas.first.base_url, replicas.first.api_key, ledger)
    elif fault == "paused":
        replicas.first.signal(signal.SIGCONT)
    else:
        replicas.way.mend()


def begun_on_the_first(replicas: Replicas, models: Models) -> str:
    """A session in the middle of an answer there; the other one takes some of them, and finishes them."""
    while True:
        models.gate = Gate()
        session = new_session(replicas.one)
        replicas.one.say(session, "Tell me.")
        if models.next() == "first":
            models.gate.wait_reached()
            return session


def round_of(replicas: Replicas, models: Models, fault: str, ledger: Ledger, report: Report) -> None:
    session = begun_on_the_first(replicas, models)
    began = time.monotonic()
    strike(replicas, fault)
    assert models.next() == "second"
    report.seconds[fault].append(time.monotonic() - began)
    with Subscriber(replicas.two, session, after="0") as stream:
        stream.wait_for_idle()
    recover(replicas, fault, ledger)
    models.gate.wait_abandoned()
    judge(replicas.two.events(session), f"{session}, {fault}", report)


def judge(events: list[dict[str, Any]], name: str, report: Report) -> None:
    types = [e["type"] for e in events]
    said = [e["content"][0]["text"] for e in events if e["type"] == "agent.message"]
    if said != ["A whole answer."]:
        report.failures.append(f"{name}: it says {said}")
    if not types.count("span.model_request_start") == types.count("span.model_request_end") == 2:
        report.failures.append(f"{name}: requests and their ends are {types}")
    if types[-1] != "session.status_idle":
        report.failures.append(f"{name}: {types[-1]} is last")
    if len({e["id"] for e in events}) != len(events):
        report.failures.append(f"{name}: an event is there twice")


def run(folder: Path, ledger: Ledger, rounds: int) -> Report:
    report, models = Report(), Models()
    replicas = Replicas(folder, models.first.url, ledger, SETTINGS, models.second.url)
    try:
        for _ in range(rounds):
            for fault in FAULTS:
                round_of(replicas, models, fault, ledger, report)
    finally:
        replicas.close()
        models.close()
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    if not os.environ.get("HOSTLER_TEST_POSTGRES"):
        parser.error("it needs a PostgreSQL: run it with tests/with-postgres")
    with tempfile.TemporaryDirectory(prefix="hostler-takeovers-") as folder:
        report = run(Path(folder), Ledger(), options.rounds)
    late = [f"{fault}: {max(took):.2f} s" for fault, took in report.seconds.items() if max(took) > GOAL_SECONDS]
    print("\n".join(report.lines() + [f"later than the goal: {late or 'none'}"]))
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())

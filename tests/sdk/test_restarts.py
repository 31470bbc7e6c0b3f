"""A few rounds of `restarts.py`, which has the whole story and can be run for longer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import restarts
from conftest import SETTINGS
from fake_model import FakeModel, Reply, text
from hostler_process import Hostler


def test_readers_of_a_server_that_restarts_have_the_whole_log(fake_model: FakeModel, model: FakeModel,
                                                             tmp_path: Path) -> None:
    model.responder = lambda _: Reply([text("Yes.")])
    server = Hostler(tmp_path / "hostler", fake_model.url, SETTINGS).start()
    try:
        report = asyncio.run(restarts.run(server, restarts=6, readers=20, seed=1))
    finally:
        if server.running:
            server.stop()
    assert report.failures == []
    assert report.comebacks >= 20 and report.acknowledged > 0 and report.events > 0

"""One round of `takeovers.py`, which has the whole story and can be run for longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import takeovers
from wire import Ledger

pytestmark = pytest.mark.skipif(not os.environ.get("HOSTLER_TEST_POSTGRES"),
                                reason="this run has no PostgreSQL: see tests/with-postgres")


def test_a_session_goes_on_when_its_server_is_killed_paused_or_cut_off(tmp_path: Path, ledger: Ledger) -> None:
    report = takeovers.run(tmp_path, ledger, rounds=1)
    assert report.failures == []
    assert all(len(took) == 1 for took in report.seconds.values())

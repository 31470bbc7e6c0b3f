"""Backups of a server under load, one that is killed, and what comes back of them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from buckets import Bucket
from conftest import SETTINGS
from fake_model import FakeModel, Reply, text
from hostler_process import Hostler, binary
from subscriber import Subscriber
from test_crash import new_session
from wire import Ledger, Wire

DOWNLOADS = {**SETTINGS, "HOSTLER__SERVER__UPLOADS_DOWNLOADABLE": "true"}


@pytest.fixture
def source(fake_model: FakeModel, tmp_path: Path) -> Iterator[Hostler]:
    server = Hostler(tmp_path / "source", fake_model.url, DOWNLOADS).start()
    yield server
    if server.running:
        server.stop()


def hostler(server: Hostler, *arguments: str, settings: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **DOWNLOADS, **(settings or {}), "HOSTLER__SERVER__DATA_DIR": str(server.data),
                   **({"HOSTLER__DATABASE__URL": server.database} if server.database else {})}
    return subprocess.Popen([str(binary()), *arguments], env=environment, cwd=server.folder, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def done(process: subprocess.Popen[bytes]) -> str:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    return said.decode()


def refused(process: subprocess.Popen[bytes]) -> str:
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1, said.decode()
    return said.decode()


class Load:
    """A client that talks and uploads, and writes down what was acknowledged."""

    def __init__(self, server: Hostler, ledger: Ledger) -> None:
        self.wire = Wire(server.base_url, server.api_key, ledger)
        self.session = new_session(self.wire)
        self.said: list[str] = []
        self.files: dict[str, bytes] = {}
        self._over = threading.Event()
        self._some = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join(60)
        self.wire.close()

    def wait_for_some(self) -> None:
        for _ in range(5):
            assert self._some.acquire(timeout=60)

    def _run(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            content = f"file {number} ".encode() * 20_000
            file = self.wire.ok("POST", "/v1/files", files={"file": ("a.txt", content, "text/plain")})
            self.files[file["id"]] = content
            self.said.append(self.wire.say(self.session, f"message {number}")["id"])
            if number % 3 == 0:
                gone = next(iter(self.files))
                self.wire.delete(f"/v1/files/{gone}")
                del self.files[gone]
            self._some.release()


def test_a_backup_under_load_is_of_one_moment(source: Hostler, fake_model: FakeModel, model: FakeModel,
                                              tmp_path: Path, ledger: Ledger) -> None:
    model.responder = lambda _: Reply([text("Yes.")])
    place = str(tmp_path / "backups")
    with Load(source, ledger) as load:
        load.wait_for_some()
        before = list(load.said)
        first = done(hostler(source, "backup", place))
        load.wait_for_some()
        done(hostler(source, "backup", place))
        load.wait_for_some()
    with Subscriber(Wire(source.base_url, source.api_key, ledger), load.session, after="0") as stream:
        stream.wait_for_idle()
    name = first.splitlines()[0].rpartition("/")[2]
    whole = [e["id"] for e in Wire(source.base_url, source.api_key, ledger).events(load.session)]
    source.stop()

    again = Hostler(tmp_path / "again", fake_model.url, DOWNLOADS)
    again.api_key = source.api_key
    again.data.parent.mkdir(exist_ok=True)
    assert done(hostler(again, "restore", place, "--name", name)).startswith(f"restored {name}\n")
    again.start()
    wire = Wire(again.base_url, again.api_key, ledger)
    with Subscriber(wire, load.session, after="0") as stream:
        stream.wait_for_idle()
    events = [e["id"] for e in wire.events(load.session)]
    assert set(before) <= set(events)
    # Both went on from that moment by themselves, and what was queued then is processed in each at its time.
    common = set(whole) & set(events)
    assert [e for e in events if e in common] == [e for e in whole if e in common]
    for file in wire.get("/v1/files", limit=1000)["data"]:
        content = wire.call("GET", f"/v1/files/{file['id']}/content").content
        assert len(content) == file["size_bytes"] and content.startswith(b"file ")
    again.stop()


def test_a_backup_that_was_killed_is_none(source: Hostler, fake_model: FakeModel, tmp_path: Path,
                                          ledger: Ledger) -> None:
    wire = Wire(source.base_url, source.api_key, ledger)
    for number in range(40):
        wire.ok("POST", "/v1/files", files={"file": ("a.bin", os.urandom(500_000), "application/octet-stream")})
    place = tmp_path / "backups"
    process = hostler(source, "backup", str(place))
    end = threading.Event()
    while not (place / "blobs").is_dir() or not any((place / "blobs").iterdir()):
        assert process.poll() is None, "it was over before it was killed"
        end.wait(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    again = Hostler(tmp_path / "again", fake_model.url, DOWNLOADS)
    assert "there is no backup" in refused(hostler(again, "restore", str(place)))
    assert "40 files" in done(hostler(source, "backup", str(place)))
    done(hostler(again, "restore", str(place)))
    assert "is not empty" in refused(hostler(again, "restore", str(place)))


def test_half_of_a_restore_is_no_server(source: Hostler, fake_model: FakeModel, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    done(hostler(source, "backup", str(place)))
    rows, = (place / "databases").iterdir()
    whole = rows.read_bytes()
    rows.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    again = Hostler(tmp_path / "again", fake_model.url, DOWNLOADS)
    assert f"databases/{rows.name} of the backup is not as it was written" in refused(
        hostler(again, "restore", str(place)))
    assert "broke off" in refused(hostler(again, "serve", "--listen", "127.0.0.1:0"))
    assert "broke off" in refused(hostler(again, "restore", str(place)))


def test_a_backup_is_not_made_in_the_data_folder(source: Hostler) -> None:
    assert "does not belong into the data folder" in refused(hostler(source, "backup", str(source.data)))
    assert "needs a key" in refused(hostler(source, "backup", "s3://somewhere/else"))


@pytest.mark.skipif(not os.environ.get("HOSTLER_TEST_S3"), reason="this run has no S3: see tests/with-s3")
def test_a_backup_in_a_bucket_comes_back_from_it(source: Hostler, fake_model: FakeModel, tmp_path: Path,
                                                 ledger: Ledger) -> None:
    wire = Wire(source.base_url, source.api_key, ledger)
    file = wire.ok("POST", "/v1/files", files={"file": ("a.txt", b"kept", "text/plain")})
    bucket = Bucket()
    reach = {k: v for k, v in bucket.settings().items() if not k.endswith("URL")}
    place = f"s3://{bucket.name}/backups"
    done(hostler(source, "backup", place, settings=reach))
    assert len(bucket.keys("backups/backups/")) == 1
    source.stop()
    again = Hostler(tmp_path / "again", fake_model.url, {**DOWNLOADS, **bucket.settings("live")})
    again.api_key = source.api_key
    done(hostler(again, "restore", place, settings=bucket.settings("live")))
    again.start()
    wire = Wire(again.base_url, again.api_key, ledger)
    assert wire.call("GET", f"/v1/files/{file['id']}/content").content == b"kept"
    assert bucket.keys("live/files/") == [f"live/files/{file['id']}"]
    again.stop()

"""Files: what goes in comes out, under the name that is safe."""

from __future__ import annotations

from pathlib import Path

import anthropic
import pytest

from conftest import SETTINGS
from fake_model import FakeModel
from hostler_process import Hostler
from wire import Ledger, Wire


def test_an_upload_has_the_documented_shape(client: anthropic.Anthropic) -> None:
    file = client.beta.files.upload(file=("notes.txt", b"hello", "text/plain"))
    assert (file.filename, file.mime_type, file.size_bytes, file.downloadable) == ("notes.txt", "text/plain", 5, False)
    assert client.beta.files.retrieve_metadata(file.id) == file
    assert file.id in [f.id for f in client.beta.files.list(limit=1000)]
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.beta.files.download(file.id)
    assert refused.value.error_code == "file_not_downloadable"
    assert client.beta.files.delete(file.id).id == file.id
    with pytest.raises(anthropic.NotFoundError):
        client.beta.files.retrieve_metadata(file.id)


@pytest.mark.parametrize(("given", "stored"), [
    ("a.txt", "a.txt"), ("/etc/passwd", "passwd"), ("../../up.txt", "up.txt"), ("C:\\dir\\win.txt", "win.txt"),
    ("übung.txt", "übung.txt"), ("with space.txt", "with space.txt"), ("n" * 255, "n" * 255),
])
def test_only_the_last_part_of_a_name_is_kept(wire: Wire, given: str, stored: str) -> None:
    raw = (f'--x\r\ncontent-disposition: form-data; name="file"; filename="{given}"\r\n'
           "content-type: text/plain\r\n\r\nhello\r\n--x--\r\n").replace("\\", "\\\\").encode()
    file = wire.ok("POST", "/v1/files", content=raw, headers={"content-type": "multipart/form-data; boundary=x"})
    assert file["filename"] == stored


def test_an_expiry_is_kept(wire: Wire) -> None:
    file = wire.ok("POST", "/v1/files", files={"file": ("a.txt", b"x", "text/plain")},
                   data={"expires_in_seconds": "3600"})
    assert file["expires_at"] > file["created_at"]
    assert wire.get(f"/v1/files/{file['id']}") == file


def test_chosen_ids_come_in_one_page(wire: Wire) -> None:
    ids = [wire.ok("POST", "/v1/files", files={"file": (f"{n}.txt", b"x", "text/plain")})["id"] for n in range(3)]
    query = [("ids[]", i) for i in [ids[0], ids[2], ids[0], "file_011CZkZ9X2dpNyB7HsEFoRfW"]]
    page = wire.ok("GET", "/v1/files", params=query)
    assert {f["id"] for f in page["data"]} == {ids[0], ids[2]}
    assert page["next_page"] is None


def test_binary_content_comes_back_where_the_operator_allows_it(fake_model: FakeModel, tmp_path: Path,
                                                                ledger: Ledger) -> None:
    settings = SETTINGS | {"HOSTLER__SERVER__UPLOADS_DOWNLOADABLE": "true"}
    server = Hostler(tmp_path / "hostler", fake_model.url, settings).start()
    try:
        wire = Wire(server.base_url, server.api_key, ledger)
        content = bytes(range(256)) * 5000
        file = wire.ok("POST", "/v1/files", files={"file": ("all.bin", content, "application/octet-stream")})
        assert (file["downloadable"], file["size_bytes"]) == (True, len(content))
        downloaded = wire.call("GET", f"/v1/files/{file['id']}/content")
        assert downloaded.status_code == 200
        assert downloaded.content == content
    finally:
        server.stop()

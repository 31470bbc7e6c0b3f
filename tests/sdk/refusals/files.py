"""Files: multipart bodies that are not what they should be."""

from __future__ import annotations

from typing import Any

from .case import Case

MISSING = "/v1/files/file_011CZkZ9X2dpNyB7HsEFoRfW"


def upload(name: str, says: str, *, filename: str = "a.txt", part: str = "file", **options: Any) -> Case:
    return Case(f"file: {name}", "POST", "/v1/files", says, files={part: (filename, b"x", "text/plain")}, **options)


CASES = [
    *[upload(f"filename {bad!r}", "filename", filename=bad)
      for bad in ["a<b.txt", "a>b", "a:b", "a|b", "a?b", "a*b", "n" * 256]],
    Case("file: filename with a bell", "POST", "/v1/files", "multipart",
         raw=b'--x\r\ncontent-disposition: form-data; name="file"; filename="a\x07b"\r\n\r\nx\r\n--x--\r\n',
         headers={"content-type": "multipart/form-data; boundary=x"}),
    upload("another part", "upload: Extra inputs are not permitted", part="upload"),
    upload("expiry too soon", "expires_in_seconds", form={"expires_in_seconds": "3599"}),
    upload("expiry too late", "expires_in_seconds", form={"expires_in_seconds": "7776001"}),
    upload("expiry a word", "expires_in_seconds", form={"expires_in_seconds": "soon"}),
    upload("unknown field", "purpose: Extra inputs are not permitted", form={"purpose": "tests"}),
    upload("unknown beta value", "made-up-2026-01-01", headers={"anthropic-beta": "made-up-2026-01-01"}),
    Case("file: two files", "POST", "/v1/files", "file",
         files=[("file", ("a", b"x", "text/plain")), ("file", ("b", b"y", "text/plain"))]),
    Case("file: JSON", "POST", "/v1/files", "multipart", json={"file": "x"}),
    Case("file: nothing", "POST", "/v1/files", "multipart"),
    Case("file: no boundary", "POST", "/v1/files", "", raw=b"--x\r\n\r\n--x--",
         headers={"content-type": "multipart/form-data"}),
    Case("file: cut off", "POST", "/v1/files", "", headers={"content-type": "multipart/form-data; boundary=x"},
         raw=b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'),
    Case("file: wrong boundary", "POST", "/v1/files", "", raw=b"--y\r\n\r\n--y--",
         headers={"content-type": "multipart/form-data; boundary=x"}),
    Case("file: not found", "GET", MISSING, "", 404),
    Case("file content: not found", "GET", f"{MISSING}/content", "", 404),
    Case("file delete: not found", "DELETE", MISSING, "", 404),
    Case("file: climbing id", "GET", "/v1/files/..%2F..%2Fetc%2Fpasswd", "", 404),
    Case("file content: climbing id", "GET", "/v1/files/file_..%2F..%2Fetc%2Fpasswd/content", "", 404),
    Case("file content: an upload", "GET", "/v1/files/{file}/content", "", code="file_not_downloadable"),
]

"""A bucket of a test's own on the S3 server of this run (tests/with-s3)."""

from __future__ import annotations

import os
import re
import secrets
import threading
import time

import httpx2

WAIT_SECONDS = 120
# The server of the tests asks for a signature and believes it.
SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=tester/20260101/us-east-1/s3/aws4_request, "
                           "SignedHeaders=host, Signature=0"}


class Bucket:
    def __init__(self) -> None:
        self.server = os.environ["HOSTLER_TEST_S3"]
        self.name = f"sdk-{secrets.token_hex(8)}"
        self.http = httpx2.Client(base_url=self.server, headers=SIGNED, trust_env=False)
        self.http.put(f"/{self.name}").raise_for_status()

    def settings(self, prefix: str = "hostler") -> dict[str, str]:
        return {
            "HOSTLER__BLOBS__URL": f"s3://{self.name}/{prefix}",
            "HOSTLER__BLOBS__ENDPOINT": self.server,
            "HOSTLER__BLOBS__ACCESS_KEY_ID": "tester",
            "HOSTLER__BLOBS__SECRET_ACCESS_KEY": "not-a-secret",
        }

    def keys(self, prefix: str = "") -> list[str]:
        listed = self.http.get(f"/{self.name}", params={"list-type": "2", "prefix": prefix})
        listed.raise_for_status()
        return re.findall("<Key>([^<]+)</Key>", listed.text)

    def wait_for(self, prefix: str) -> list[str]:
        """A bucket tells nobody of anything, so it is looked at."""
        end = time.monotonic() + WAIT_SECONDS
        while not (found := self.keys(prefix)):
            assert time.monotonic() < end, f"nothing came to {prefix}"
            threading.Event().wait(0.2)
        return found

"""A real S3 server over HTTP for tests (moto's, in a process of its own): `s3` is a fresh bucket on it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import boto3
import httpx
import pytest
from botocore.client import BaseClient

from tests.fixtures_redis import free_port

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


class S3Server:
    """The server's process and address."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> S3Server:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}/moto-api/")
                return self
            assert self.process.poll() is None, "the S3 server ended"
            time.sleep(0.05)
        raise TimeoutError("the S3 server did not answer within 30 s")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)


class Bucket:
    """A bucket as another client sees it, to look behind the library's back."""

    def __init__(self, name: str, client: BaseClient) -> None:
        self.name = name
        self.client = client
        self.url = f"s3://{name}/some/prefix"

    def keys(self) -> list[str]:
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def unfinished_uploads(self) -> list[str]:
        return [item["Key"] for item in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    server = S3Server()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket of the test's own; the AWS_* variables lead to it, here and in processes the test starts."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": s3_server.url}.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=s3_server.url, region_name="us-east-1")
    bucket = Bucket(f"bucket-{uuid.uuid4().hex}", client)
    client.create_bucket(Bucket=bucket.name)
    yield bucket
    client.close()

"""A server that speaks S3, on this machine and for as long as the tests: moto's, as a process of its own.

The fixtures `s3_url` and `s3` are known to every test; what a user's machine sets for S3 means nothing to them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from synthharm.storage import as_path, filesystem

BUCKET = "synthharm-test"
# What else than AWS_... and proxies leads a client elsewhere, or lets it trust others.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_OURS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
}


def _misleads(variable: str) -> bool:
    return variable.startswith("AWS_") or variable.lower().endswith("_proxy") or variable in _CERTIFICATES


@contextmanager
def s3_server() -> Iterator[str]:
    """Run a server on a free port of the loopback address; gives its URL when it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    kept = {key: value for key, value in os.environ.items() if not (key.startswith("PYTHON") or _misleads(key))}
    process = subprocess.Popen(
        command,
        env=kept | _OURS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _await(url, process)
        yield url
    finally:
        process.kill()
        process.wait(timeout=60)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + 300
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode} before it answered")
        try:
            with direct.open(f"{url}/moto-api/", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the server does not answer at {url}")


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The URL of a server that runs while tests do."""
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    with s3_server() as url:
        yield url


@pytest.fixture
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty bucket, which is gone after the test.

    The environment says where the server is, for this process and for those that it starts.
    """
    import s3fs

    for key in filter(_misleads, list(os.environ)):
        monkeypatch.delenv(key)
    for key, value in {**_OURS, "AWS_ENDPOINT_URL": s3_url}.items():
        monkeypatch.setenv(key, value)
    s3fs.S3FileSystem.clear_instance_cache()  # file systems of tests before: they know another server
    system = s3fs.S3FileSystem(use_listings_cache=False)
    system.mkdir(BUCKET)
    yield f"s3://{BUCKET}"
    system.rm(BUCKET, recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


def upload_folder(folder: Path, address: str) -> Path:
    """Copy a folder from this machine, file by file, to an address; gives the path of the copy."""
    remote = as_path(address)
    system, name = filesystem(remote)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            system.put_file(str(path), f"{name}/{path.relative_to(folder).as_posix()}")
    return remote

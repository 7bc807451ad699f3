"""An engine that computes capacity units as AWS does and is atomic, in a process of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from tests.support.stack import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOME = Path(__file__).parents[2] / ".local" / "dynoxide"
BINARY = HOME / "node_modules" / "@dynoxide" / "linux-x64" / "dynoxide"
PACKAGE = "@dynoxide/linux-x64@1.2.1"


def binary() -> Path:
    """The engine, installed when it is first wanted; a test that cannot have it says why."""
    if not BINARY.exists():
        npm = shutil.which("npm") or pytest.skip("npm, which brings dynoxide, is not installed")
        command = [npm, "install", "--silent", "--no-audit", "--prefix", str(HOME), PACKAGE]
        brought = subprocess.run(command, capture_output=True, text=True, check=False)
        if brought.returncode or not BINARY.exists():
            pytest.skip(f"npm could not bring {PACKAGE}: {brought.stderr.strip()[-200:]}")
    return BINARY


@contextmanager
def counting_engine() -> Iterator[DynamoDBClient]:
    """The engine with the four tables, empty."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [binary(), "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        client = _client(port)
        for name in ("usage", "log", "directory", "activity"):
            create_table(name, client)
        yield client
    finally:
        process.terminate()
        process.wait()


def _client(port: int) -> DynamoDBClient:
    client = boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-central-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(max_pool_connections=32, connect_timeout=1),
    )
    for _ in range(100):
        try:
            client.list_tables()
        except BotoCoreError:
            time.sleep(0.05)
        else:
            break
    return client

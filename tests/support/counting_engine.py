"""DynamoDB in another process: it is atomic and computes the capacity units that AWS bills."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from unittest.mock import patch

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from odometer.bootstrap import process
from tests.support.stack import ENVIRONMENT, Stack, create_tables, new_stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TOOLS = Path(__file__).parents[2] / ".local/tools/counting"
BINARY = TOOLS / "node_modules/@dynoxide/linux-x64/dynoxide"


def binary() -> Path:
    """The engine's program; where it is missing the test is skipped."""
    if not BINARY.exists():
        pytest.skip("dynoxide is not here: make .local/tools/counting/.ready (on Linux and x64)")
    return BINARY


@contextmanager
def counting_engine() -> Iterator[DynamoDBClient]:
    """The engine with the four tables, empty."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    engine = subprocess.Popen(
        [binary(), "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        client = _client(port)
        create_tables(client)
        yield client
    finally:
        engine.terminate()
        engine.wait()


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


@contextmanager
def stack_on_counting_engine() -> Iterator[Stack]:
    """A deployment like the one on moto, with the same two organizations."""
    with counting_engine() as client:
        address = {"AWS_ENDPOINT_URL_DYNAMODB": client.meta.endpoint_url}
        with secret_server() as secret, patch.dict(os.environ, ENVIRONMENT | address | secret):
            yield new_stack()
        process.cache_clear()


class Secret(BaseHTTPRequestHandler):
    """Answers every call with one secret."""

    protocol_version = "HTTP/1.1"
    content = b'{"SecretString": "not a secret"}'

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(HTTPStatus.OK)
        self.send_header("content-length", f"{len(self.content)}")
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def secret_server() -> Iterator[dict[str, str]]:
    """What the environment must say so that the secret is asked for over HTTP, as on AWS."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Secret) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield {"AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()

"""Tests of the client: without network and environment, on a deployment in this process."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from pytest_socket import disable_socket, enable_socket

from odometer_client import AsyncClient, Client
from tests.support.memory_directory import ACME
from tests.support.stack import Stack, admin_of, stack_on_moto

URL = "https://odometer.test/Prod"


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@dataclass(frozen=True)
class InProcess(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers requests by a deployment in this process, as its gateway does."""

    stack: Stack
    decompresses: bool = True
    """As AWS's gateway does; the local stack does not."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers, body = dict(request.headers), request.read()
        headers.pop("accept-encoding")  # nothing is compressed on the way back
        if self.decompresses and headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        url = str(request.url).removeprefix(URL)
        text = body.decode(errors="replace") or None
        reply = self.stack.call(request.method, url, headers=headers, body=text)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.text.encode())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


@dataclass(frozen=True)
class Served:
    """A deployment in this process, and the key of an Admin."""

    stack: Stack
    key: str

    def client(self) -> Client:
        return Client(URL, self.key, transport=InProcess(self.stack))

    def async_client(self) -> AsyncClient:
        return AsyncClient(URL, self.key, transport=InProcess(self.stack))


@pytest.fixture
def served() -> Iterator[Served]:
    with stack_on_moto() as stack:
        yield Served(stack, admin_of(stack, ACME))

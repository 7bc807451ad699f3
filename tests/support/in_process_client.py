"""The public API in this process, for programs that would open a connection to it.

What its functions log is no output of the program.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

import httpx

from tests.support.stack import Stack

ADDRESS = "http://odometer.test"
LOOPBACK = ("127.0.0.1", "odometer.test")
"""Where a local stack may be: here, also at that address."""


@contextmanager
def open_to_clients(stack: Stack) -> Iterator[None]:
    """Let every httpx client reach a deployment in this process."""

    def answer(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        headers = {**request.headers}
        headers.pop("accept-encoding")  # nothing is compressed on the way
        url = str(request.url).removeprefix(ADDRESS)
        reply = stack.call(request.method, url, headers=headers, body=request.read() or None)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.text.encode())

    logged = partial(print, file=sys.__stdout__)
    with (
        patch.object(httpx.HTTPTransport, "handle_request", answer),
        patch("odometer.logs.write", logged),
    ):
        yield

"""The public API in this process, for programs that would open a connection to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from io import BytesIO
from unittest.mock import patch
from urllib.error import HTTPError
from urllib.request import Request
from urllib.response import addinfourl

from tests.support.stack import Reply, Stack

ADDRESS = "http://odometer.test"


@contextmanager
def open_to_clients(stack: Stack) -> Iterator[None]:
    """Let the command line's client reach a deployment in this process."""

    def urlopen(request: Request, timeout: float) -> addinfourl:
        return response_of(request.full_url, asked(stack, request))

    with patch("odometer_cli.client.urlopen", urlopen):
        yield


def asked(stack: Stack, request: Request) -> Reply:
    """Send a program's request through the gateway; it asks for nothing compressed here."""
    headers = {name.lower(): value for name, value in request.header_items()}
    headers.pop("accept-encoding", None)
    body = request.data if isinstance(request.data, bytes) else None
    url = request.full_url.removeprefix(ADDRESS)
    return stack.call(request.get_method(), url, headers=headers, body=body)


def response_of(url: str, reply: Reply) -> addinfourl:
    """What urllib gives a program: a response, or an exception where the answer is an error."""
    headers = Message()
    for name, value in reply.headers.items():
        headers[name] = value
    body = BytesIO(reply.text.encode())
    if reply.status >= 400:
        raise HTTPError(url, reply.status, "refused", headers, body)
    return addinfourl(body, headers, url, reply.status)

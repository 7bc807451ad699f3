"""Connections over which a request waits for its answer: as much of HTTP/1.1 as AWS speaks.

Reading an answer with `http.client` takes longer than all else that a call does. Here an answer has
a status, each header once, and a length or chunks. Whatever else is sent is no plain answer: it is
a `ValueError`, and the connection is closed.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from odometer.storage.trust import trusting

CONNECT_SECONDS, READ_SECONDS = 1, 4
HTTP, HTTPS = 80, 443
LARGEST_HEAD: Final = 2**16
LARGEST_BODY: Final = 2**25
"""Bytes; an answer of DynamoDB holds 16 MB at most, a third more in base64."""
_LINE: Final = b"\r\n"
_END: Final = b"\r\n\r\n"
_RECEIVED_AT_ONCE: Final = 2**16
_STATUS: Final = re.compile(r"http/1\.1 ([2-5]\d\d)( .*)?")
_CHUNK: Final = re.compile(rb"([0-9a-fA-F]{1,7})[ \t]*(;.*)?")


class Reply(NamedTuple):
    """An answer; the names of headers, and what they say, are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes | bytearray

    @property
    def is_last(self) -> bool:
        """Whether the server closes the connection after it."""
        return "close" in self.headers.get("connection", "")


@dataclass(slots=True, eq=False)
class Connection:
    """A connection on which one request at a time is sent."""

    sock: socket.socket
    _sent_at: float = 0.0

    def send(self, headers: Mapping[str, str], body: bytes) -> None:
        """Send a POST to `/`."""
        lines = [f"{name}: {value}" for name, value in headers.items()]
        if not all(map(str.isprintable, lines)):
            raise ValueError("a header has more than one line")
        head = "\r\n".join(["POST / HTTP/1.1", *lines, f"content-length: {len(body)}", "", ""])
        self._sent_at = monotonic()
        self.sock.sendall(head.encode("latin-1") + body)

    def reply(self) -> Reply:
        """The answer to what was sent; the time-out runs from the sending, whatever was read since.

        So answers that do not come are waited for at once, also where they are read in turn.
        """
        late_at = self._sent_at + (self.sock.gettimeout() or 0.0)
        if self._is_silent(max(0.0, late_at - monotonic())):
            raise TimeoutError("no answer")
        head, rest = self._until(_END)
        status, headers = read_head(head.decode("latin-1").lower())
        if headers.get("transfer-encoding") == "chunked" and "content-length" not in headers:
            return Reply(status, headers, self._chunks(rest))
        if "transfer-encoding" in headers:
            raise ValueError("transfer-encoding")
        length = headers.get("content-length", "none")
        if not (length.isascii() and length.isdigit()):
            raise ValueError("content-length")
        content, rest = self._exactly(rest, int(length))
        return Reply(status, headers, nothing_after(content, rest))

    def is_open(self) -> bool:
        """Whether it can be used when idle: one that has something to say has been closed."""
        return self._is_silent(0.0)

    def close(self) -> None:
        self.sock.close()

    def _is_silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        asked = select.poll()
        asked.register(self.sock, select.POLLIN)
        return not asked.poll(seconds * 1_000)

    def _chunks(self, rest: bytes) -> bytes | bytearray:
        """The content of all chunks; nothing but an empty line follows the last one."""
        content = bytearray()
        while True:
            size, rest = self._until(_LINE, rest)
            found = _CHUNK.fullmatch(size)
            if not found or len(content) > LARGEST_BODY:
                raise ValueError("chunk")
            chunk, rest = self._exactly(rest, int(found[1], 16) + 2)
            if not chunk.endswith(_LINE):
                raise ValueError("chunk")
            if len(chunk) == len(_LINE):
                return nothing_after(content, rest)
            content += chunk[:-2]

    def _until(self, end: bytes, received: bytes = b"") -> tuple[bytes, bytes]:
        """What comes before an end, and what has been received after it."""
        while end not in received:
            if len(received) > LARGEST_HEAD:
                raise ValueError("too long")
            received += self._some()
        found, _, rest = received.partition(end)
        return found, rest

    def _exactly(self, received: bytes, size: int) -> tuple[bytes | bytearray, bytes]:
        """So many bytes, and what has been received after them."""
        if size <= len(received):
            return received[:size], received[size:]
        if size > LARGEST_BODY:
            raise ValueError("too long")
        content, at = bytearray(size), len(received)
        content[:at] = received
        with memoryview(content) as view:
            while at < size:
                more = self.sock.recv_into(view[at:])
                if not more:
                    raise ConnectionError("the answer ended early")
                at += more
        return content, b""

    def _some(self) -> bytes:
        received = self.sock.recv(_RECEIVED_AT_ONCE)
        if not received:
            raise ConnectionError("the answer ended early")
        return received


def read_head(head: str) -> tuple[int, dict[str, str]]:
    first, *lines = head.split("\r\n")
    status = _STATUS.fullmatch(first)
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    headers = dict(pairs)
    are_plain = all(name and name == name.strip() for name in headers)
    if not status or not are_plain or len(headers) < len(lines):
        raise ValueError("no plain answer")
    return int(status[1]), headers


def nothing_after(content: bytes | bytearray, rest: bytes) -> bytes | bytearray:
    if rest:
        raise ValueError("more than one answer")
    return content


def connected(endpoint: str) -> Connection:
    address = urlsplit(endpoint)
    host, port = address.hostname or "", address.port
    if address.scheme == "https":
        return trusting(partial(opened, host, port or HTTPS))
    return opened(host, port or HTTP)


def opened(host: str, port: int, trust: ssl.SSLContext | None = None) -> Connection:
    sock = socket.create_connection((host, port), CONNECT_SECONDS)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock = trust.wrap_socket(sock, server_hostname=host) if trust else sock
    except BaseException:
        sock.close()
        raise
    sock.settimeout(READ_SECONDS)
    return Connection(sock)

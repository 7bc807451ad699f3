"""A plain answer is read as it was sent, however it arrives; any other is none."""

import socket
from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import pytest

from odometer.storage import connections
from odometer.storage.connections import Connection, Reply

LARGE = bytes(range(256)) * 1_000
PLAIN = b"HTTP/1.1 200 OK\r\nX-Amz-Crc32:\t7 \r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    """A connection and its other end."""
    mine, other = socket.socketpair()
    mine.settimeout(1)
    with closing(mine), closing(other):
        yield Connection(mine), other


def reply_of(ends: tuple[Connection, socket.socket], *pieces: bytes, closed: bool = False) -> Reply:
    """What is read where the other end sends these pieces, one after the other."""
    connection, other = ends

    def answer() -> None:
        for piece in pieces:
            other.sendall(piece)
        if closed:
            other.shutdown(socket.SHUT_WR)

    thread = Thread(target=answer, daemon=True)
    thread.start()
    try:
        connection.send({"host": "h.example"}, b"[]")
        return connection.reply()
    finally:
        thread.join(1)


def with_length(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)


def in_chunks(*chunks: bytes) -> bytes:
    sent = b"".join(b"%x;name=value\r\n%s\r\n" % (len(each), each) for each in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + sent + b"0\r\n\r\n"


def test_a_request_goes_out_as_one_message(ends: tuple[Connection, socket.socket]) -> None:
    assert reply_of(ends, PLAIN) == Reply(200, {"x-amz-crc32": "7", "content-length": "2"}, b"{}")
    sent = ends[1].recv(1_000)
    assert sent == b"POST / HTTP/1.1\r\nhost: h.example\r\ncontent-length: 2\r\n\r\n[]"


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (with_length(b""), b""),
        (with_length(LARGE), LARGE),
        (in_chunks(b"one ", b"two"), b"one two"),
        (in_chunks(LARGE, LARGE), LARGE + LARGE),
        (in_chunks(), b""),
    ],
    ids=["nothing", "large", "chunks", "large chunks", "no chunk"],
)
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(
    ends: tuple[Connection, socket.socket], sent: bytes, content: bytes
) -> None:
    assert reply_of(ends, sent).content == content
    assert reply_of(ends, *(sent[at : at + 1] for at in range(90)), sent[90:]).content == content
    assert ends[0].is_open()


@pytest.mark.parametrize("said", [b"Close", b"keep-alive"])
def test_a_server_says_whether_it_closes_the_connection(
    ends: tuple[Connection, socket.socket], said: bytes
) -> None:
    sent = b"HTTP/1.1 200 OK\r\nConnection: %s\r\nContent-Length: 0\r\n\r\n" % said
    assert reply_of(ends, sent).is_last == (said == b"Close")


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 33554433\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n folded\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n: 2\r\n\r\n{}",
        b"nonsense\r\n\r\n",
        b"x" * (connections.LARGEST_HEAD + 1),
        PLAIN + PLAIN,
        in_chunks(b"{}") + PLAIN,
        in_chunks(b"{}")[:-2] + b"Trailer: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    ],
    ids=lambda sent: sent[:90],
)
def test_what_is_not_plain_is_no_answer(
    ends: tuple[Connection, socket.socket], sent: bytes
) -> None:
    with pytest.raises(ValueError, match=r"."):
        reply_of(ends, sent)


def test_chunks_without_end_are_no_answer(
    ends: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LARGEST_BODY", 10)
    with pytest.raises(ValueError, match="chunk"):
        reply_of(ends, in_chunks(*[b"12345678"] * 3))


@pytest.mark.parametrize("sent", [PLAIN[:20], PLAIN[:-1], in_chunks(b"{}")[:-1], b""], ids=str)
def test_an_answer_that_ends_early_is_none(
    ends: tuple[Connection, socket.socket], sent: bytes
) -> None:
    with pytest.raises(ConnectionError):
        reply_of(ends, sent, closed=True)


def test_a_header_of_two_lines_is_not_sent(ends: tuple[Connection, socket.socket]) -> None:
    with pytest.raises(ValueError, match="line"):
        ends[0].send({"host": "h.example\r\nx-other: 1"}, b"")
    assert Connection(ends[1]).is_open()

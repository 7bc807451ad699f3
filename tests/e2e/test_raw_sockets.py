"""Bytes that no client sends: what the local gateway answers, and that nothing of them stays.

Whatever was sent, the next request on another connection gets its own answer. `docs/threats.md`
publishes what was found, and what is known of API Gateway: it ends TLS and HTTP itself.
"""

import gzip
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.costs.costs import write_section
from tests.support.live_deployment import Deployment
from tests.support.stack import ROOT

DOCUMENT = ROOT / "docs" / "threats.md"
TITLE = "Bytes that no client sends"
TEXT = """Each was sent over a socket to the local stack by `test_raw_sockets.py`, which writes
this table. *h11* and *hypercorn* are the emulator's server, *emulator* is the rest of it, *ours* is
`local/saving_emulator.py` or a function. `…` is no answer: the server waits for the rest, until the
client ends. Nothing of it stays: the next request on a fresh connection gets its own answer. On AWS
a function gets none of these bytes: the front of API Gateway ends TLS and HTTP, and hands an event
in JSON on. What is said of AWS is from its documents; nothing of it could be tried here."""
IDLE_SECONDS = 0.2
ANSWER_SECONDS = 20.0
LARGE = 10 * 1024 * 1024 + 1
Sent = Callable[["Gateway"], bytes]


@dataclass(frozen=True)
class Gateway:
    """Where the local gateway listens, and a key of the demo's Admin."""

    host: str
    port: int
    base: str
    key: str
    organization: str

    def connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=ANSWER_SECONDS)

    def head(self, line: str, *headers: str, path: str = "/v1/me") -> bytes:
        """A request up to its body; the connection ends with the answer, unless it says more."""
        given = {each.partition(":")[0].strip().lower() for each in headers}
        also = [f"Host: {self.host}:{self.port}"] if "host" not in given else []
        also += ["Connection: close"] if "connection" not in given else []
        lines = [line.replace("{}", self.base + path), *also, *headers, "", ""]
        return "\r\n".join(lines).replace("{key}", self.key).encode("latin-1")

    def answers(self, sent: bytes, *, ends: bool = False, waits: bool = False) -> bytes:
        """All that comes back until the other side ends, or says nothing more."""
        with closing(self.connect()) as made:
            made.sendall(sent)
            if ends:
                made.shutdown(socket.SHUT_WR)
            return b"".join(received(made, IDLE_SECONDS if waits else ANSWER_SECONDS))


def received(made: socket.socket, patience: float) -> Iterator[bytes]:
    made.settimeout(patience)
    while True:
        try:
            some = made.recv(65_536)
        except (TimeoutError, ConnectionResetError):
            return
        if not some:
            return
        yield some
        made.settimeout(IDLE_SECONDS)


@pytest.fixture(scope="module")
def gateway(deployment: Deployment) -> Gateway:
    if deployment.home is None:
        pytest.skip("the edges of a deployment elsewhere are those of AWS")
    address = urlsplit(deployment["BASE_URL"])
    assert address.hostname
    assert address.port
    names = deployment["ADMIN_TOKEN"], deployment["ORG_ID"]
    return Gateway(address.hostname, address.port, address.path, *names)


def statuses(answers: bytes) -> str:
    found = re.findall(rb"HTTP/1\.[01] (\d{3})", answers)
    return b", ".join(found).decode() or "…"


# what is sent


CHUNKED, KEEP, JSON = (
    "Transfer-Encoding: chunked",
    "Connection: keep-alive",
    "Content-Type: application/json",
)


def get(*headers: str, path: str = "/v1/me") -> Sent:
    return lambda gateway: gateway.head("GET {} HTTP/1.1", *headers, path=path)


def line(text: str, *headers: str, path: str = "/v1/me") -> Sent:
    return lambda gateway: gateway.head(text, *headers, path=path)


def post(body: bytes, *headers: str) -> Sent:
    return lambda gateway: gateway.head("POST {} HTTP/1.1", *headers, path="/v1/events") + body


def packed(body: bytes) -> Sent:
    return post(body, f"Content-Length: {len(body)}", "Content-Encoding: gzip", JSON)


def bare(text: str) -> Sent:
    return lambda gateway: text.format(gateway.base + "/v1/me").encode()


class Edge(NamedTuple):
    """Something odd: its bytes, the statuses that it gets here, from whom, and what AWS does."""

    sent: Sent
    here: str
    whose: str
    on_aws: str
    ends: bool = False
    """Whether we end our half of the connection after the last byte."""


UPGRADE = "Connection: Upgrade, HTTP2-Settings"
SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
FRONT = "refused or mended by its front, which speaks to no other server of ours"
TLS = "speaks HTTP/1.1 and HTTP/2, over TLS only"
SHORTER = "documented: 10,240 bytes of request line and headers in all"
CATCH_ALL = "another path: the function for whatever has no route, 404 or 405"
SAME = "the same function answers"
EDGES: Mapping[str, Edge] = {
    "Content-Length and chunked, with a second request": Edge(
        post(SMUGGLED, "Content-Length: 5", CHUNKED, KEEP), "401, 404", "h11, then emulator", FRONT
    ),
    "Content-Length that ends inside of a chunk": Edge(
        post(b"5c\r\nGET /x HTTP/1.1\r\n", "Content-Length: 4", CHUNKED, KEEP), "…", "h11", FRONT
    ),
    "two Content-Length that differ": Edge(
        post(b"hello", "Content-Length: 5", "Content-Length: 6"), "400", "h11", FRONT
    ),
    "two Content-Length alike": Edge(
        post(b"hello", "Content-Length: 5", "Content-Length: 5"), "401", "h11", FRONT
    ),
    "Content-Length: +5": Edge(post(b"hello", "Content-Length: +5"), "400", "h11", FRONT),
    "Content-Length of 23 digits": Edge(
        post(b"", f"Content-Length: {'9' * 23}"), "400", "h11", FRONT
    ),
    "Transfer-Encoding: xchunked": Edge(
        post(b"0\r\n\r\n", "Transfer-Encoding: xchunked"), "501", "h11", FRONT
    ),
    "Transfer-Encoding: chunked, identity": Edge(
        post(b"0\r\n\r\n", f"{CHUNKED}, identity"), "501", "h11", FRONT
    ),
    "a chunk of size zz": Edge(post(b"zz\r\nhello\r\n0\r\n\r\n", CHUNKED), "400", "h11", FRONT),
    "a chunk of 84 bits": Edge(post(b"f" * 21 + b"\r\nhello", CHUNKED), "400", "h11", FRONT),
    "a chunk longer than it says": Edge(
        post(b"3\r\nhello\r\n0\r\n\r\n", CHUNKED), "400", "h11", FRONT
    ),
    "a chunk with an extension": Edge(
        post(b"5;a=b\r\nhello\r\n0\r\n\r\n", CHUNKED), "401", "h11", FRONT
    ),
    "a folded header": Edge(get("Authorization: Bearer\r\n {key}"), "200", "h11, unfolded", FRONT),
    "a blank before the colon": Edge(get("Authorization : Bearer {key}"), "400", "h11", FRONT),
    "NUL in a header": Edge(get("X-A: a\x00b"), "400", "h11", FRONT),
    "CR in a header": Edge(get("X-A: a\rX-B: b"), "400", "h11", FRONT),
    "lines that end in LF": Edge(
        lambda gateway: get()(gateway).replace(b"\r\n", b"\n"), "401", "h11", FRONT
    ),
    "a header name beyond ASCII": Edge(get("X-\xe9: a"), "400", "h11", FRONT),
    "NUL in the path": Edge(get(path="/v1/me\x00"), "400", "h11", FRONT),
    "a blank in the path": Edge(get(path="/v1/me x"), "400", "h11", FRONT),
    "CRLF in the path": Edge(get(path="/v1/me\r\nX-A: b"), "400", "h11", FRONT),
    "letters beyond ASCII in the path": Edge(get(path="/v1/m\xe9"), "400", "h11", FRONT),
    "an absolute target": Edge(
        lambda gateway: gateway.head(f"GET http://{gateway.host}:{gateway.port}{{}} HTTP/1.1"),
        "404",
        "emulator",
        "the name in it must be the API's",
    ),
    "an absolute target elsewhere": Edge(
        line("GET http://evil.example{} HTTP/1.1"), "404", "emulator", "403: no API of that name"
    ),
    "`//v1//me`": Edge(get(path="//v1//me"), "401", "emulator, as `/v1/me`", CATCH_ALL),
    "`/v1%2fme`": Edge(get(path="/v1%2fme"), "401", "emulator, as `/v1/me`", CATCH_ALL),
    "`/v1/%2e%2e/v1/me`": Edge(get(path="/v1/%2e%2e/v1/me"), "404", "ours", CATCH_ALL),
    "`/v1/../v1/me`": Edge(get(path="/v1/../v1/me"), "404", "ours", CATCH_ALL),
    "`%00`": Edge(get(path="/v1/me%00"), "404", "ours", CATCH_ALL),
    "overlong UTF-8, `%c0%ae`": Edge(get(path="/v1/%c0%ae%c0%ae/me"), "404", "ours", CATCH_ALL),
    "half an escape": Edge(get(path="/v1/me%"), "404", "ours", "400, or the catch-all"),
    "a path of 20,000 letters": Edge(get(path=f"/v1/{'a' * 20_000}"), "404", "ours", SHORTER),
    "a query of 20,000 letters": Edge(get(path=f"/v1/me?{'a' * 20_000}"), "401", "ours", SHORTER),
    "a header of 12,000 letters": Edge(get(f"X-A: {'a' * 12_000}"), "401", "ours", SHORTER),
    "a header of a million letters": Edge(get(f"X-A: {'a' * 1_000_000}"), "431", "h11", SHORTER),
    "2,000 headers": Edge(get(*(f"X-{n}: a" for n in range(2_000))), "401", "ours", SHORTER),
    "half a head": Edge(
        lambda gateway: get()(gateway)[:-3], "…", "hypercorn", "ended after a while"
    ),
    "HTTP/0.9": Edge(bare("GET {}\r\n"), "…", "h11", TLS),
    "HTTP/1.0": Edge(line("GET {} HTTP/1.0"), "401", "ours", TLS),
    "HTTP/1.0 without Host": Edge(bare("GET {} HTTP/1.0\r\n\r\n"), "403", "ours", TLS),
    "HTTP/1.1 without Host": Edge(bare("GET {} HTTP/1.1\r\n\r\n"), "400", "h11", TLS),
    "two Host": Edge(get("Host: localhost", "Host: evil.example"), "400", "h11", FRONT),
    "Host of elsewhere": Edge(get("Host: evil.example"), "403", "ours", "403: no API of that name"),
    "HTTP/9.9": Edge(line("GET {} HTTP/9.9"), "401", "h11, as 1.1", TLS),
    "an upgrade to h2c": Edge(
        get(UPGRADE, "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
        "101",
        "hypercorn, then HTTP/2",
        TLS,
    ),
    "an upgrade to websocket": Edge(
        get(
            *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
        "403",
        "emulator",
        "a REST API has none",
    ),
    "TLS": Edge(lambda _: bytes.fromhex("160301002e0100002a0303") + bytes(64), "400", "h11", TLS),
    "2 kB of noise": Edge(lambda _: bytes(range(256)) * 8, "400", "h11", FRONT),
    "Expect: 100-continue": Edge(
        post(b"[]", "Expect: 100-continue", "Content-Length: 2", JSON),
        "100, 401",
        "hypercorn",
        SAME,
    ),
    "Expect: something": Edge(post(b"[]", "Expect: x", "Content-Length: 2"), "401", "h11", SAME),
    "HEAD": Edge(line("HEAD {} HTTP/1.1"), "405", "ours", SAME),
    "OPTIONS": Edge(line("OPTIONS {} HTTP/1.1", path="/v1/keys"), "405", "ours", SAME),
    "OPTIONS *": Edge(line("OPTIONS * HTTP/1.1"), "200", "emulator", "refused"),
    "TRACE": Edge(
        line("TRACE {} HTTP/1.1", "X-Private: echoed"), "403", "emulator", "no such verb"
    ),
    "CONNECT": Edge(line("CONNECT evil.example:443 HTTP/1.1"), "405", "emulator", "no such verb"),
    "BREW": Edge(line("BREW {} HTTP/1.1"), "403", "emulator", "no such verb"),
    "`get` in small letters": Edge(
        line("get {} HTTP/1.1"), "401", "hypercorn, as `GET`", "no such verb"
    ),
    "a body with GET": Edge(
        lambda gateway: get("Content-Length: 5")(gateway) + b"hello", "401", "ours", SAME
    ),
    "a body longer than it says": Edge(
        post(b"hello GET /", "Content-Length: 5", KEEP), "401, 400", "h11", FRONT
    ),
    "a body shorter than it says": Edge(post(b"he", "Content-Length: 5"), "…", "hypercorn", FRONT),
    "a body shorter than it says, and the end": Edge(
        post(b"he", "Content-Length: 5"), "400 or …", "hypercorn", FRONT, ends=True
    ),
    "half a connection": Edge(get(), "401", "ours", SAME, ends=True),
    "two Authorization, one of them good": Edge(
        get("Authorization: Bearer {key}", "Authorization: Bearer x"), "401", "ours", SAME
    ),
    "one good Authorization twice": Edge(
        get("Authorization: Bearer {key}", "Authorization: Bearer {key}"), "401", "ours", SAME
    ),
    "gzip that unpacks to 64 MB": Edge(
        packed(gzip.compress(bytes(64 * 1024 * 1024), 9)), "413", "ours", "413 above 10 MB"
    ),
    "gzip that is none": Edge(packed(b"{}"), "415", "ours", "415"),
    "half of a gzip": Edge(packed(gzip.compress(b"[]")[:-4]), "415", "ours", "415"),
    "10 MB and a byte": Edge(
        post(b"x" * LARGE, f"Content-Length: {LARGE}", JSON, "Authorization: Bearer {key}"),
        "413",
        "ours",
        "413, documented",
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_an_odd_request_gets_what_is_published_and_leaves_nothing_behind(
    gateway: Gateway, name: str
) -> None:
    edge = EDGES[name]
    answers = gateway.answers(edge.sent(gateway), ends=edge.ends, waits="…" in edge.here)
    assert statuses(answers) in edge.here.split(" or ")
    assert b"echoed" not in answers
    assert_is_well(gateway)


def assert_is_well(gateway: Gateway) -> None:
    """The next request on a connection of its own gets its own answer."""
    mine = uuid4().hex
    sent = gateway.head("GET {} HTTP/1.1", "Authorization: Bearer {key}", f"X-Request-Id: {mine}")
    head, _, body = gateway.answers(sent).partition(b"\r\n\r\n")
    assert statuses(head) == "200"
    assert f"x-request-id: {mine}".encode() in head.lower()
    assert json.loads(body)["organization"]["id"] == gateway.organization


def test_the_table_is_published_as_it_was_found() -> None:
    head = "| edge | here | whose | on AWS |\n|---|---|---|---|"
    rows = [f"| {name} | {e.here} | {e.whose} | {e.on_aws} |" for name, e in EDGES.items()]
    table = "\n".join([head, *rows])
    write_section(DOCUMENT, TITLE, f"{TEXT}\n\n{table}")
    assert table in DOCUMENT.read_text(encoding="utf-8")


def test_requests_on_one_connection_are_answered_in_their_order(gateway: Gateway) -> None:
    ids = [uuid4().hex for _ in range(3)]
    sent = b"".join(get(KEEP, f"X-Request-Id: {each}")(gateway) for each in ids)
    answered = re.findall(rb"(?i)x-request-id: (\w{32})", gateway.answers(sent))
    assert [each.decode() for each in answered] == ids


def test_half_requests_keep_nobody_waiting(gateway: Gateway) -> None:
    with ExitStack() as open_ones:
        for number in range(60):
            made = open_ones.enter_context(closing(gateway.connect()))
            whole = post(b"{}", "Content-Length: 2")(gateway)
            made.sendall(whole[: number * len(whole) // 60])
        assert_is_well(gateway)
    assert_is_well(gateway)


EVIL = "Origin: https://evil.example"


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/_ministack/health", (), "200"),
        ("/_ministack/health", (EVIL,), "403"),
        ("/_ministack/health", ("Origin: null",), "403"),
        ("/_ministack/health", ("Sec-Fetch-Site: cross-site",), "403"),
        ("/_ministack/health", ("Host: evil.example:4566",), "403"),
        ("/_ministack/health", ("Host: localhost.evil.example",), "403"),
        ("/_ministack/health", (EVIL, "Host: 0a1b2c3d.execute-api.localhost"), "403"),
        ("/%5fministack/health", (EVIL,), "403"),
        ("/", (EVIL, "X-Amz-Target: DynamoDB_20120810.ListTables"), "403"),
        ("/?Action=ListQueues", (EVIL,), "403"),
        ("/restapis/../_ministack/health", (EVIL,), "403"),
        ("{}", (EVIL,), "401"),
        ("{}", ("Sec-Fetch-Site: cross-site",), "401"),
    ],
)
def test_a_page_of_elsewhere_reaches_the_api_and_nothing_beside_it(
    gateway: Gateway, target: str, headers: tuple[str, ...], status: str
) -> None:
    """Any site that a developer looks at may ask loopback; the emulator's answer to all is `*`."""
    answers = gateway.answers(gateway.head(f"GET {target} HTTP/1.1", *headers))
    assert statuses(answers) == status
    assert status != "403" or b"access-control-allow-origin" not in answers.lower()

"""Texts from outside, given straight to whoever reads them, where a request is too slow a way."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from zlib import compress, decompress

from pydantic_core import PydanticCustomError

from odometer.access.keys import AccessKey, PresentedKey
from odometer.access.policy import Access
from odometer.access.secret import Secret
from odometer.access.tokens import Claims, EmbedToken, TokenMaker
from odometer.access.tokens import encoded as as_letters
from odometer.api.routes import family_at
from odometer.api.usage_metrics.family import Month
from odometer.api.usage_report.family import Offset, WallClock
from odometer.api.v1.directory import (
    ZoneName,
    rows_sent,
)
from odometer.api.v1.events import read_batch, sent_events
from odometer.api.v1.usage_query import DateOrTime, Zone
from odometer.directory.kinds import changed, definition_of, faults_of_kind, own_kind
from odometer.domain.errors import Corrupt, OdometerError
from odometer.domain.events import Rules
from odometer.domain.kinds import DEFAULT_PRODUCTS, Kind, Measure, Ratio
from odometer.domain.numbers import TooManyDecimals, exact, kept, shown
from odometer.domain.text import as_kept, fault_of_name, is_origin
from odometer.domain.time import (
    format_millis,
    format_seconds,
    instant_at,
    read_instant,
    read_second,
)
from odometer.storage.aws import of_json
from odometer.storage.connections import Connection
from odometer.storage.dynamo import from_dynamodb
from odometer.web.cursors import Chain, content_without_expiry
from odometer.web.fields import Day, Flag, Ids, Instant, Lines, VisibleName, Whole
from odometer.web.messages import Request, preferred_type
from odometer.web.models import read_json
from tests.fuzz.choices import Choices
from tests.fuzz.damage import damaged_bytes, damaged_json, damaged_text, damaged_value
from tests.fuzz.target import Target, same
from tests.support.memory_directory import ACME
from tests.support.usage_sender import usage_event

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
OWN = Kind(
    "document",
    (Measure("pages"), Measure("cost", decimals=4)),
    ratios=(Ratio("cost_each", "cost", "pages"),),
    breakdowns=("model",),
)
RULES = Rules({**DEFAULT_PRODUCTS, "document": OWN}, NOON, 3)
SECRET = Secret(("first",))
KEY = AccessKey.make(ACME)
CLAIMS = Claims(
    access=Access.TEAM,
    subject="core",
    products=("chat",),
    origins=("https://app.example.com",),
    expires=2_000_000_000,
)
TOKEN = TokenMaker(KEY, None, KEY.digest(SECRET), SECRET).make(CLAIMS)
CHAIN = Chain([b"key"], b"belongs to", {"cursor": ["x"]}, 1_770_000_000)
CURSOR = CHAIN.cursor(3, 2, {"zone": "UTC", "fold": 3}, [4, 5], 1)
EVENT = usage_event(time="2026-02-03T11:00:00Z")
OWN_EVENT = usage_event(
    time="2026-02-03T11:00:00.5+01:00",
    data={"product": "document", "pages": 3, "cost": 1.25, "model": "x"},
)
ROW = {"kind": "user", "username": "ada@acme.example", "departments": ["Sales"], "state": "invited"}
KIND_ROW = {
    "kind": "kind",
    "name": "document",
    "measures": [{"name": "pages", "unit": "count"}, {"name": "cost", "decimals": 4}],
    "ratios": [{"name": "each", "of": "cost", "per": "pages"}],
    "breakdowns": ["model"],
}
DOCUMENT = {
    "organization": {"name": "Acme", "time_zone": "Europe/Berlin", "domains": ["acme.example"]},
    "license": {"exp": 1, "iat": 2, "seats": 3, "seats_cap": 4, "settings": {"a": [1]}},
    "kinds": [{name: KIND_ROW[name] for name in KIND_ROW if name != "kind"}],
    "products": [{"id": "d", "name": "D", "kind": "document"}],
    "users": [{name: ROW[name] for name in ROW if name != "kind"}],
}
TIMES = (
    "2026-02-28T17:42:00Z",
    "2026-02-28t17:42:59.123456789+05:30",
    "2026-02-28T17:42",
    "2026-02-28",
    "2026-02-28 17:42:00",
    "2026-02",
)
ZONES = (
    "Europe/Berlin",
    "UTC",
    "+05:30",
    "-330",
    " 05:30",
    "Etc/GMT-14",
    "America/Argentina/Buenos_Aires",
)
NAMES = (
    "Ada",
    "a b",
    "cc7cf840-9ca9-46a3-9778-9015d6580d52",
    "https://app.example.com:8443",
    "http://[::1]:80",
)
NUMERALS = (
    "0",
    "1.25",
    "1e3",
    "-0.5e-3",
    "1099511627776",
    "0.000001",
    "12345678901234567890123456789012",
)


def text_target(
    name: str, seeds: Sequence[str], read: Callable[[str], object], *refuses: type[BaseException]
) -> Target:
    def case(choices: Choices) -> None:
        read(damaged_text(choices.of(seeds), choices))

    return Target(name, case, (*refuses, OdometerError))


def json_target(
    name: str, seed: object, read: Callable[[bytes], object], *refuses: type[BaseException]
) -> Target:
    def case(choices: Choices) -> None:
        text = damaged_json(json.dumps(seed), choices)
        body = text.encode(errors="surrogatepass")
        read(damaged_bytes(body, choices) if choices.one_in(8) else body)

    return Target(name, case, (*refuses, OdometerError))


# keys, tokens and cursors


def read_header(header: str) -> None:
    found = PresentedKey.from_header(header)
    if found and isinstance(found.key, AccessKey):
        same(AccessKey.parse(str(found.key)), found.key)
        found.key.fits(SECRET, "3:9c1e", "5f")
    token = EmbedToken.from_header(header)
    if token:
        same(str(token.key), header.strip().partition(" ")[2].strip())


def read_claims(choices: Choices) -> None:
    """Claims that somebody has signed who has the key: of a later release, or of an attacker."""
    content = {"version": 1, **{n: getattr(CLAIMS, n) for n in CLAIMS.__slots__}}
    claims = Claims.of(encoded(damaged_json(json.dumps(content), choices)))
    with suppress(UnicodeEncodeError):  # half a character, which nobody can be called
        same(Claims.of(claims.text), claims)


def encoded(text: str) -> str:
    return as_letters(text.encode(errors="surrogatepass"))


def read_cursor(cursor: str) -> None:
    mark = CHAIN.read(cursor)
    same(cursor, CURSOR)
    same(
        mark, CHAIN.read(CHAIN.cursor(mark.row, mark.directory, mark.pin, mark.ahead, mark.erased))
    )


def read_signed_cursor(choices: Choices) -> None:
    """A cursor that is signed and says something else: that of a later release."""
    body = urlsafe_b64decode(CURSOR + "=" * (-len(CURSOR) % 4))[16:]
    if choices.below(3):
        text = damaged_json(decompress(body).decode(), choices)
        body = compress(text.encode(errors="surrogatepass"))
    else:
        body = damaged_bytes(body, choices)
    signed = CHAIN._tag(body, CHAIN.keys[0]) + body  # noqa: SLF001
    cursor = urlsafe_b64encode(signed).rstrip(b"=").decode()
    with suppress(Corrupt):  # it is only asked of a cursor that was made just now
        content_without_expiry(cursor)
    CHAIN.read(cursor)


# times, zones, numbers and names


def read_time(text: str) -> None:
    second = read_second(text)
    if second is not None:
        same(read_second(format_seconds(instant_at(second))), second)
    instant = read_instant(text)
    if instant:
        same(
            read_instant(format_millis(instant)),
            instant.replace(microsecond=instant.microsecond // 1000 * 1000),
        )


def read_number(text: str) -> None:
    number = exact(text)
    for decimals in (0, 4, 6):
        try:
            whole = kept(number, decimals)
        except TooManyDecimals:
            continue
        if whole is not None:
            same(kept(exact(shown(whole, decimals)), decimals), whole) if len(
                shown(whole, decimals)
            ) <= 32 else None


def read_name(text: str) -> None:
    is_origin(text), fault_of_name(text)
    same(as_kept(as_kept(text)), as_kept(text))


READERS: tuple[Any, ...] = (
    *(Whole(1, 100), Whole(0, 2**53), Flag(), VisibleName(128), Lines(8192), Instant(), Day()),
    *(Ids(), WallClock(), Offset(), DateOrTime(), Zone(), ZoneName(64), Month()),
)


def read_parameter(choices: Choices) -> None:
    text = damaged_text(choices.of([*TIMES, *ZONES, *NAMES, *NUMERALS, "true"]), choices)
    reader = choices.of(READERS)
    reader.read(reader.spelled(text))


def read_any(choices: Choices) -> None:
    choices.of(READERS).read(damaged_value([1, {"a": "b"}], choices))


# documents


def request_of(body: bytes, media_type: str) -> Request:
    headers = {"content-type": [media_type]}
    return Request("POST", "/", {}, {}, headers, body, "request-1")


def read_events(body: bytes, media_type: str) -> None:
    events, receipt = read_batch(sent_events(request_of(body, media_type)), RULES)
    same(receipt.accepted, len(events))
    receipt.model_dump_json().encode()
    for event in events:
        assert event.identity[0] <= date(2026, 2, 4)


def read_rows(body: bytes, media_type: str) -> None:
    for sent in rows_sent(request_of(body, media_type)):
        if sent.kind == "kind" and not sent.faults:
            read_kind(dict(sent.row))


def read_kind(row: dict[str, Any]) -> None:
    said = {name: value for name, value in row.items() if name != "values"}
    if said.get("name") and said.get("measures"):
        kind = changed(Kind("", ()), said)
        list(faults_of_kind(None, said))
        same(own_kind(kind.name, definition_of(kind)), kind)


def read_definition(body: bytes) -> None:
    own_kind.__wrapped__("document", body.decode(errors="replace"))


# answers of AWS, and what a stream or a queue delivers


class Received:
    """A socket on which somebody has sent something."""

    def __init__(self, content: bytes) -> None:
        self.left = content

    def recv(self, most: int) -> bytes:
        taken, self.left = self.left[:most], self.left[most:]
        return taken

    def recv_into(self, view: memoryview) -> int:
        taken = self.recv(min(len(view), 7))
        view[: len(taken)] = taken
        return len(taken)

    def gettimeout(self) -> float:
        return 0.0


PLAIN = b'HTTP/1.1 200 OK\r\nx-amz-crc32: 5\r\ncontent-length: 14\r\n\r\n{"Item": {}}  '
CHUNKED = (
    b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n2;x\r\n1}\r\n0\r\n\r\n'
)


class Answered(Connection):
    """A connection on which an answer has come."""

    def _is_silent(self, seconds: float) -> bool:
        return False


def read_reply(choices: Choices) -> None:
    content = damaged_bytes(choices.of([PLAIN, CHUNKED]), choices)
    Answered(Received(content)).reply()  # type: ignore[arg-type]


ITEM = {
    "pk": {"S": "x"},
    "n": {"N": "5"},
    "b": {"B": "Y2AAAA=="},
    "m": {"M": {"l": {"L": [{"NULL": True}, {"BOOL": True}]}}},
}


def read_item(body: bytes) -> None:
    found = of_json(body.decode(errors="surrogatepass"))
    from_dynamodb(found)


def read_message(body: bytes) -> None:
    read_json(body)


def any_path(text: str) -> None:
    family_at(f"/{text}")
    preferred_type(text, "application/json")


TARGETS = [
    text_target("authorization", [f"Bearer {KEY}", f"Bearer {TOKEN}", "Basic YTpi"], read_header),
    Target("claims of a token", read_claims, (OdometerError,)),
    text_target("cursor", [CURSOR], read_cursor),
    Target("signed cursor", read_signed_cursor, (OdometerError,)),
    text_target("time", TIMES, read_time, ValueError),
    text_target("number", NUMERALS, read_number),
    text_target("name", NAMES, read_name),
    Target("parameter", read_parameter, (PydanticCustomError,)),
    Target("value of a body", read_any, (PydanticCustomError,)),
    json_target("event", EVENT, partial(read_events, media_type="application/json")),
    json_target(
        "event of an own kind",
        OWN_EVENT,
        partial(read_events, media_type="application/cloudevents+json"),
    ),
    json_target(
        "batch of events",
        [EVENT, OWN_EVENT],
        partial(read_events, media_type="application/cloudevents-batch+json"),
    ),
    json_target("directory document", DOCUMENT, partial(read_rows, media_type="application/json")),
    json_target("directory row", ROW, partial(read_rows, media_type="application/x-ndjson")),
    json_target("row of a kind", KIND_ROW, partial(read_rows, media_type="application/x-ndjson")),
    json_target("definition of a kind", json.loads(definition_of(OWN)), read_definition),
    json_target("body", DOCUMENT, read_message),
    text_target("path and accept", ["/api/v1/teams", "text/csv;q=0.5, */*"], any_path),
    Target("answer of AWS", read_reply, (ValueError, ConnectionError)),
    json_target("item in an answer of AWS", ITEM, read_item, ValueError, RecursionError),
]

"""What comes from the gateway and what goes back to it."""

import base64
import gzip
import json
from dataclasses import replace
from random import Random

import pytest

from odometer.domain.errors import Fault, Invalid, TooLarge
from odometer.web.messages import NDJSON, Request, Response
from tests.support.stack import proxy_event

MEGABYTE = 1024 * 1024


def request(**headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request.of(proxy_event("GET", "/x", named))


def test_null_maps_are_empty() -> None:
    bare = dict.fromkeys(proxy_event("GET", "/x", {}))
    assert Request.of({**bare, "httpMethod": "GET", "path": "/x"}) == Request(
        "GET", "/x", {}, {}, {}, b"", ""
    )


@pytest.mark.parametrize("sent", ["a", "A.b_c-9", "x" * 128])
def test_a_valid_request_id_is_kept(sent: str) -> None:
    assert request(x_request_id=sent).id == sent


@pytest.mark.parametrize(
    "sent", ["", " ", "a b", "a\r\nX: y", "é", "x" * 129, "<script>", "a\n", "\u0661"]
)
def test_any_other_request_id_is_replaced(sent: str) -> None:
    assert request(x_request_id=sent).id == "request-1"


def test_a_request_id_sent_twice_is_none() -> None:
    event = proxy_event("GET", "/x", {})
    event["multiValueHeaders"] = {"X-Request-Id": ["a", "b"]}
    assert Request.of(event).id == "request-1"


def test_headers_are_known_by_any_spelling() -> None:
    event = proxy_event("GET", "/x", {})
    event["multiValueHeaders"] = {"AUTHORIZATION": ["one"], "authorization": ["two"]}
    assert Request.of(event).header("authorization") == "one, two"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("application/json", "application/json"),
        ("Application/JSON ; charset=utf-8", "application/json"),
        ("", ""),
        (";", ""),
        ("text/plain", "text/plain"),
    ],
)
def test_a_media_type_is_read_without_its_parameters(sent: str, read: str) -> None:
    assert request(content_type=sent).media_type == read


def test_a_body_arrives_as_it_was_sent() -> None:
    for body in (b"", b'{"a": "\xc3\xa9"}', bytes(range(256))):
        assert Request.of(proxy_event("PUT", "/x", {}, body)).body == body
    assert Request.of(proxy_event("PUT", "/x", {}, "é")).body == b"\xc3\xa9"
    assert Request.of(proxy_event("PUT", "/x", {}, "\ud800")).body == b"\xed\xa0\x80"


def test_an_answer_says_what_it_is() -> None:
    assert Response(200, b"{}").for_gateway(request(x_request_id="mine")) == {
        "statusCode": 200,
        "headers": {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": "mine",
        },
        "body": "{}",
        "isBase64Encoded": False,
    }


def test_an_answer_without_a_body_has_no_type() -> None:
    assert "Content-Type" not in Response(204).for_gateway(request())["headers"]


def lines(**headers: str) -> Request:
    """A request that accepts lines, and nothing before them."""
    return request(accept=NDJSON, **headers)


LINES = b'{"kind":"user","id":"x"}\n' * (2 * MEGABYTE // 25)


@pytest.mark.parametrize("accepted", ["gzip", "GZIP", "br, gzip;q=0.5", "gzip;q=1"])
def test_a_large_answer_is_compressed_for_those_who_accept_it(accepted: str) -> None:
    answer = Response(200, LINES, NDJSON).for_gateway(lines(accept_encoding=accepted))
    assert answer["headers"]["Content-Encoding"] == "gzip"
    assert answer["headers"]["Vary"] == "Accept-Encoding"
    assert gzip.decompress(base64.b64decode(answer["body"])) == LINES


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip; q=0.0, br", "xgzipx"])
def test_a_large_answer_is_sent_plainly_to_everybody_else(accepted: str) -> None:
    answer = Response(200, LINES, NDJSON).for_gateway(lines(accept_encoding=accepted))
    assert "Content-Encoding" not in answer["headers"]
    assert answer["body"].encode() == LINES


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 6 * MEGABYTE,
        b'"' * 4 * MEGABYTE,
        "é".encode() * MEGABYTE,
        "\N{ABACUS}".encode() * (MEGABYTE // 2),
    ],
    ids=["long", "full of quotes", "full of accents", "full of pictures"],
)
def test_an_answer_that_lambda_cannot_carry_is_refused_and_never_cut(body: bytes) -> None:
    assert len(json.dumps(body.decode())) > 6 * MEGABYTE - 65_536
    with pytest.raises(Invalid, match="Accept-Encoding: the answer is too large without gzip"):
        Response(200, body, NDJSON).for_gateway(lines())
    packed = Response(200, body, NDJSON).for_gateway(lines(accept_encoding="gzip"))
    assert packed["isBase64Encoded"]


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/json", "text/csv, application/x-ndjson"]
)
def test_nothing_is_compressed_that_the_gateway_would_not_unpack(accept: str) -> None:
    answer = Response(200, LINES, NDJSON).for_gateway(
        request(accept=accept, accept_encoding="gzip")
    )
    assert "Content-Encoding" not in answer["headers"]
    plain = Response(200, LINES).for_gateway(lines(accept_encoding="gzip"))
    assert "Content-Encoding" not in plain["headers"]


def test_an_answer_that_is_too_large_even_compressed_is_refused() -> None:
    noise = Random(7).randbytes(3 * MEGABYTE).hex().encode() * 2
    with pytest.raises(TooLarge):
        Response(200, noise, NDJSON).for_gateway(lines(accept_encoding="gzip"))


def test_an_answer_that_can_be_narrowed_is_refused_with_every_parameter_that_does() -> None:
    sent = lines(accept_encoding="gzip")
    asked = replace(sent, query={"from": ["x"], "other": ["y"]})
    noise = Random(7).randbytes(3 * MEGABYTE).hex().encode() * 2
    with pytest.raises(Invalid) as refused:
        Response(200, noise, NDJSON, narrowed_by=("from", "to")).for_gateway(asked)
    words = "the answer is too large: narrow from, to"
    assert refused.value.faults == (
        Fault("from", "size", words, "x"),
        Fault("to", "size", words, None),
    )

"""The command line's client: what it sends, when it sends again, and what it says of a refusal."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from unittest.mock import patch

import httpx
import pytest

from odometer_cli.client import Client, segment
from odometer_cli.failure import Failure, Refused, Unreachable

TOKEN = "odo_secret"
Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class Server:
    """Gives prepared answers in turn, and remembers what was asked, and each pause."""

    answers: list[Answer] = field(default_factory=list)
    asked: list[httpx.Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers.pop(0)(request)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with patch("odometer_cli.client.time.sleep", server.pauses.append):
        yield server


@pytest.fixture
def client(server: Server) -> Client:
    return Client("https://odometer.test/dev", TOKEN, httpx.MockTransport(server.answer))


def answer(status: int, body: bytes = b"{}", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, headers=named, content=body)


def dead(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused")


def test_a_request_carries_the_key_and_its_body_under_the_base_url(
    server: Server, client: Client
) -> None:
    server.answers = [answer(200, b'{"key_id":"k"}')]
    assert client.post("/v1/keys", {"name": "n"}) == {"key_id": "k"}
    (request,) = server.asked
    assert (request.method, str(request.url)) == ("POST", "https://odometer.test/dev/v1/keys")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Content-Type"] == "application/json"
    assert request.content == b'{"name": "n"}'


def test_a_compressed_answer_arrives_unpacked(server: Server, client: Client) -> None:
    server.answers = [answer(200, gzip.compress(b"lines\n"), Content_Encoding="gzip")]
    assert client.call("GET", "/v1/directory/export").content == b"lines\n"


@pytest.mark.parametrize("status", [429, 503])
def test_what_is_refused_for_the_moment_is_sent_again_after_the_pause_asked_for(
    server: Server, client: Client, status: int
) -> None:
    server.answers = [answer(status, Retry_After="3"), answer(status), answer(200)]
    assert client.get("/v1/keys") == {}
    assert server.pauses == [3.0, 1.0]


def test_patience_ends_after_five_tries(server: Server, client: Client) -> None:
    server.answers = [answer(503, X_Request_Id=f"r-{turn}") for turn in range(6)]
    with pytest.raises(Unreachable) as raised:
        client.get("/v1/keys")
    assert len(server.asked) == 5
    assert "r-4" in raised.value.remedy


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 500, 504])
def test_no_other_refusal_is_sent_again(server: Server, client: Client, status: int) -> None:
    server.answers = [answer(status)]
    with pytest.raises(Failure):
        client.post("/v1/keys", {})
    assert server.pauses == []


def test_a_connection_that_fails_is_not_tried_again_since_the_first_may_have_arrived(
    server: Server, client: Client
) -> None:
    server.answers = [dead]
    with pytest.raises(Unreachable, match="does not answer: connection refused"):
        client.post("/v1/keys", {})


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "forbidden", "message": "no", "details": {}}},
        {"error": "FORBIDDEN", "message": "no", "status": 403},
        {"status": "error", "message": "no"},
    ],
)
def test_the_reason_is_read_from_each_familys_error(
    server: Server, client: Client, body: dict[str, object]
) -> None:
    server.answers = [answer(403, json.dumps(body).encode())]
    with pytest.raises(Refused) as raised:
        client.get("/v1/keys")
    assert raised.value.what == "403: no"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error":"x"}', b'"text"'])
def test_a_refusal_that_explains_nothing_is_still_told(
    server: Server, client: Client, body: bytes
) -> None:
    server.answers = [answer(502, body)]
    with pytest.raises(Unreachable, match="502: no explanation was given"):
        client.get("/v1/keys")


def test_an_answer_that_is_no_json_is_from_somebody_else(server: Server, client: Client) -> None:
    server.answers = [answer(200, b"<html>")]
    with pytest.raises(Refused, match="is not Odometer") as raised:
        client.get("/v1/keys")
    assert raised.value.remedy == "Check the base URL."


def test_an_id_cannot_lead_to_another_path(server: Server, client: Client) -> None:
    assert segment("../keys?a=b#c") == "..%2Fkeys%3Fa%3Db%23c"
    server.answers = [answer(200)]
    client.call("DELETE", f"/v1/keys/{segment('../keys?a=b#c')}")
    assert server.asked[0].url.raw_path == b"/dev/v1/keys/..%2Fkeys%3Fa%3Db%23c"

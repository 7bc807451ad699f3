"""Retries and errors, against answers that a test writes."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from odometer_client import (
    APIError,
    AsyncClient,
    Client,
    Forbidden,
    InvalidRequest,
    OdometerError,
    Retry,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
)
from odometer_client.settings import bearer

KEY = "odo_a-key-that-nobody-may-see_1234"
RECEIPT = {"accepted": 1, "duplicate": 0, "rejected": 0, "errors": []}
Answer = httpx.Response | Exception


@dataclass
class Answers(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers requests in order, and remembers them."""

    answers: list[Answer]
    requests: list[httpx.Request] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        content = answer.content  # a response can be read by one client only
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


def fault(status: int, code: str = "", details: Any = None, **headers: str) -> httpx.Response:
    content = {"error": {"code": code, "message": "It is so.", "details": details or {}}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=content, headers=named)


def receipt() -> httpx.Response:
    return httpx.Response(202, json=RECEIPT)


@pytest.fixture
def pauses() -> Iterator[list[float]]:
    """The seconds that clients would have slept for."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with patch("time.sleep", slept.append), patch("asyncio.sleep", sleep):
        yield slept


def send(*answers: Answer, retry: Retry | None = None) -> Answers:
    """Send an event by both clients, which must do the same."""
    first, second = Answers(list(answers)), Answers(list(answers))
    outcomes = [
        outcome_of(lambda: Client("https://x.test", KEY, retry=retry, transport=first).send([{}])),
        outcome_of(
            lambda: asyncio.run(
                AsyncClient("https://x.test", KEY, retry=retry, transport=second).send([{}])
            )
        ),
    ]
    assert type(outcomes[0]) is type(outcomes[1])
    assert [r.method for r in first.requests] == [r.method for r in second.requests]
    if isinstance(outcomes[0], Exception):
        raise outcomes[0]
    return first


def outcome_of(call: Any) -> Any:
    try:
        return call()
    except OdometerError as error:
        return error


def test_a_client_waits_for_as_long_as_it_is_told_and_sends_the_same_again(
    pauses: list[float],
) -> None:
    sent = send(fault(429, Retry_After="3"), fault(503), httpx.ReadTimeout("slow"), receipt())
    bodies = {request.content for request in sent.requests}
    ids = {request.headers["x-request-id"] for request in sent.requests}
    assert (len(sent.requests), len(bodies), len(ids)) == (4, 1, 1)
    first, second, third = pauses[:3]
    assert 3 <= first <= 3.75
    assert 1 <= second <= 1.25
    assert 2 <= third <= 2.5


def test_a_client_gives_up_after_some_tries(pauses: list[float]) -> None:
    with pytest.raises(ServerError):
        send(*[fault(503)] * 3, receipt(), retry=Retry(tries=3))
    assert len(pauses) == 2 * 2


def test_a_client_asked_to_wait_for_long_says_so_instead(pauses: list[float]) -> None:
    with pytest.raises(TooManyRequests) as error:
        send(fault(429, Retry_After="3600"), receipt())
    assert error.value.retry_after == 3600
    assert pauses == []


@pytest.mark.parametrize("said", ["soon", "", "-5", "²"])
def test_a_retry_after_that_says_nothing_is_none(said: str, pauses: list[float]) -> None:
    headers = [(b"retry-after", said.encode())]
    answer = httpx.Response(429, json={}, headers=headers)
    assert len(send(answer, receipt()).requests) == 2


def test_a_retry_after_may_be_a_date(pauses: list[float]) -> None:
    send(fault(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), receipt())
    assert 0.5 <= pauses[0] <= 0.625


@pytest.mark.parametrize(
    "answer", [fault(503), fault(500), httpx.ReadTimeout("slow")], ids=["503", "500", "timeout"]
)
def test_what_must_not_be_done_twice_is_not_sent_twice(answer: Answer, pauses: list[float]) -> None:
    client = Client("https://x.test", KEY, transport=Answers([answer]))
    with pytest.raises(OdometerError):
        client.create_key(name="ci", user="ada", scopes=["usage:read"])


def test_what_was_refused_at_the_door_is_sent_again_whatever_it_is(pauses: list[float]) -> None:
    told: dict[str, Any] = {
        "key_id": "1",
        "former_until": None,
        "access_key": "odo_new",
        "name": "ci",
    }
    whole: dict[str, Any] = {
        **told,
        "user": "1",
        "scopes": [],
        "created_at": "2026-01-01T00:00:00Z",
    }
    made = httpx.Response(201, json={**whole, "expires_at": None})
    answers = Answers([fault(429), httpx.ConnectError("refused"), made])
    key = Client("https://x.test", KEY, transport=answers).rotate_key("1")
    assert (str(key.access_key), len(answers.requests)) == ("odo_new", 3)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, InvalidRequest), (401, Unauthorized), (403, Forbidden)]
)
def test_an_error_says_what_is_wrong_and_what_to_do(status: int, kind: type[APIError]) -> None:
    answer = fault(status, "a_code", {"limit": "0"}, X_Request_Id="r-1")
    with pytest.raises(kind) as caught:
        send(answer)
    error = caught.value
    assert (error.status, error.code, error.parameter) == (status, "a_code", "limit")
    assert (error.request_id, error.details) == ("r-1", {"limit": "0"})
    for words in ("It is so.", error.advice, "r-1"):
        assert words
        assert words in str(error)


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"error":"x"}', b"\xff", b"[" * 100_000])
def test_an_error_of_somebody_else_is_an_error_too(content: bytes) -> None:
    with pytest.raises(APIError) as caught:
        send(httpx.Response(404, content=content))
    assert (caught.value.code, caught.value.parameter) == ("", None)


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(202, content=b"<html>"), httpx.Response(202, json={}), httpx.Response(302)],
    ids=["html", "empty", "redirect"],
)
def test_an_answer_that_is_not_odometers_is_said_to_be_so(answer: httpx.Response) -> None:
    with pytest.raises(UnexpectedAnswer, match="Check the base URL"):
        send(answer)


def test_a_page_that_leads_to_itself_ends_the_iteration() -> None:
    page = {"range": "", "value": 1, "terms": [], "events": [], "next_cursor": "again"}
    answers = Answers([httpx.Response(200, json=page) for _ in range(3)])
    client = Client("https://x.test", KEY, transport=answers)
    with pytest.raises(UnexpectedAnswer, match="the same page"):
        list(client.explain_pages(measure="tests", start="2026-01-01", end="2026-02-01"))


def test_the_key_is_in_the_header_and_nowhere_else(
    caplog: pytest.LogCaptureFixture, pauses: list[float]
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = Answers([httpx.ConnectError("refused")] * 9)
    client = Client("https://x.test", f"{KEY}\n", transport=answers)
    with pytest.raises(Unreachable) as caught:
        client.me()
    assert answers.requests[0].headers["authorization"] == f"Bearer {KEY}"
    told = [
        repr(client),
        repr(vars(client)),
        repr(bearer(KEY)),
        str(caught.value),
        repr(caught.value),
        caplog.text,
    ]
    assert [each for each in told if "nobody-may-see" in each] == []


@pytest.mark.parametrize("key", ["", " ", "odo_a b", "odo_\x00", "odo_é", "odo_a\nb"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match=r"^Give an access key as key= or in ODOMETER_KEY\.$"):
        Client("https://x.test", key)


@pytest.mark.parametrize("url", ["", "x.test", "ftp://x.test", "https://", "https://x:y"])
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^Give the base URL"):
        Client(url, KEY)


def test_address_and_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODOMETER_URL", "https://x.test/Prod/")
    monkeypatch.setenv("ODOMETER_KEY", KEY)
    assert Client().url == "https://x.test/Prod"

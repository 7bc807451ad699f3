"""Requests and pauses until there is an answer, without doing either: a client carries them out.

A conversation is a generator. It yields a `Send` and is sent the response or the error that came of
it, or it yields a `Wait`; it returns the result. So `Client` and `AsyncClient` share every rule.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import httpx

from odometer_client.errors import APIError, Unreachable, error_of
from odometer_client.operations import Call, result_of

T = TypeVar("T")
PERMITTED = frozenset({429})
"""These say that nothing was done, so anything may be sent again."""
RETRIED = frozenset({429, 500, 502, 503, 504})
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Retry:
    """How often a call is sent, and how long to wait in between."""

    tries: int = 5
    first_pause: float = 0.5
    """Seconds; each pause is twice as long as the one before, or as the server asks."""
    longest_pause: float = 30.0
    """Seconds. Who is asked to wait for longer gets the error at once, with `retry_after`."""

    def pause(self, tried: int, asked: float | None) -> float:
        """Seconds to wait, with up to a quarter more, so that clients do not come back at once."""
        grown = min(self.first_pause * 2.0 ** (tried - 1), self.longest_pause)
        return max(grown, asked or 0.0) * (1 + random.random() / 4)  # noqa: S311  it is no secret


@dataclass(frozen=True)
class Send:
    """Send a request, with the arguments that httpx has for it."""

    method: str
    url: str
    params: Mapping[str, str]
    content: bytes | None
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Wait:
    """Wait for so many seconds."""

    seconds: float


Came = httpx.Response | httpx.RequestError | None
Answered = tuple[T, httpx.Response]
Conversation = Generator[Send | Wait, Came, Answered[T]]


def conversation(call: Call[T], url: str, retry: Retry) -> Conversation[T]:
    """Send a call until it is answered or has failed for good."""
    request_id = uuid4().hex
    for tried in range(1, max(1, retry.tries) + 1):
        came = yield sending(call, url, request_id)
        if isinstance(came, httpx.Response) and came.is_success:
            return result_of(call, came), came
        error, again = judged(call, came, request_id)
        asked = error.retry_after if isinstance(error, APIError) else None
        if not again or tried >= retry.tries or (asked or 0) > retry.longest_pause:
            raise error
        yield Wait(retry.pause(tried, asked))
    raise AssertionError("a conversation ends with an answer or an error")


def judged(call: Call[T], came: Came, request_id: str) -> tuple[Exception, bool]:
    """The error that it is, and whether to send the call again."""
    if isinstance(came, httpx.Response):
        status = came.status_code
        return error_of(came), status in (RETRIED if call.repeatable else PERMITTED)
    return unreachable(call, came, request_id), call.repeatable or isinstance(came, NEVER_SENT)


def unreachable(call: Call[T], came: Came, request_id: str) -> Unreachable:
    words = f"{call.method} {call.path} was not answered: {type(came).__name__}: {came}"
    error = Unreachable(words, request_id=request_id)
    error.__cause__ = came if isinstance(came, Exception) else None
    return error


def sending(call: Call[T], url: str, request_id: str) -> Send:
    headers = {"Accept": call.accept, "X-Request-Id": request_id, **call.headers}
    if call.body is not None:
        headers["Content-Type"] = call.media_type
    return Send(call.method, url + call.path, call.query, call.body, headers)

"""What can go wrong, each with what to do about it.

OdometerError
├── Unreachable           no answer came
├── UnexpectedAnswer      what answers there is not Odometer
└── APIError              the API answered with an error
    ├── InvalidRequest    400, 406, 413, 415
    ├── Unauthorized      401
    ├── Forbidden         403
    ├── NotFound          404, 405
    ├── Conflict          409
    ├── TooManyRequests   429
    └── ServerError       5xx
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

ADVICE = {
    400: "Correct what the message names.",
    401: "Use another key: this one is unknown, has expired, or was revoked or rotated.",
    403: "Use a key whose scopes and whose owner's role permit it.",
    404: "Check the base URL, and the name of what you ask about.",
    406: "Ask for JSON.",
    409: "Look at what is there now before you try again.",
    413: "Send it in smaller parts, or ask for less.",
    415: "Send JSON.",
    429: "Wait, and send less at once.",
    500: "Try again once or twice, then give the request id to the operator.",
    503: "Try again later.",
    504: "Ask for less, or try again later.",
}


class OdometerError(Exception):
    """Whatever this package raises; `advice` says what to do."""

    advice = ""

    def __init__(self, message: str, *, advice: str = "", request_id: str = "") -> None:
        self.message = message
        self.advice = advice or self.advice
        self.request_id = request_id
        super().__init__(message)

    def __str__(self) -> str:
        named = f"request id {self.request_id}" if self.request_id else ""
        return " ".join(filter(None, [self.message, self.advice, f"({named})" if named else ""]))


class Unreachable(OdometerError):
    """No answer came, whatever the reason: it may be that the request was carried out."""

    advice = "Check the base URL and the network, and try again."


class UnexpectedAnswer(OdometerError):
    """An answer that cannot be read."""

    advice = "Check the base URL: what answers there is not Odometer, or is another version."


class APIError(OdometerError):
    """An error that the API answered with."""

    def __init__(self, response: httpx.Response) -> None:
        fault = fault_in(response)
        self.status = response.status_code
        self.code = str(fault.get("code", ""))
        details = fault.get("details")
        self.details: Mapping[str, Any] = details if isinstance(details, dict) else {}
        """The value of each parameter that is wrong, as it was sent."""
        self.retry_after = retry_after(response)
        """For how many seconds the API asks to be left alone; None if it does not say."""
        super().__init__(
            str(fault.get("message") or f"HTTP {self.status} without an explanation."),
            advice=ADVICE.get(self.status, "Try again later." if self.status >= 500 else ""),  # noqa: PLR2004
            request_id=response.headers.get("x-request-id", ""),
        )

    @property
    def parameter(self) -> str | None:
        """The first parameter that is wrong, if the error is about one."""
        return next(iter(self.details), None)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {super().__str__()}"


class InvalidRequest(APIError):
    """The request breaks a rule; `parameter` names the first that is wrong."""


class Unauthorized(APIError):
    """The key opens nothing."""


class Forbidden(APIError):
    """The key is good and may not do this."""


class NotFound(APIError):
    """Nothing of this name exists."""


class Conflict(APIError):
    """Somebody else was first."""


class TooManyRequests(APIError):
    """More requests than the deployment lets in."""


class ServerError(APIError):
    """A fault of the deployment."""


KINDS: Mapping[int, type[APIError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: NotFound,
    409: Conflict,
    429: TooManyRequests,
}


def error_of(response: httpx.Response) -> OdometerError:
    """The exception of an answer that is no success."""
    status = response.status_code
    if status < 400:  # noqa: PLR2004
        return UnexpectedAnswer(f"HTTP {status} was answered, which the API never does.")
    return KINDS.get(status, InvalidRequest if status < 500 else ServerError)(response)  # noqa: PLR2004


def fault_in(response: httpx.Response) -> Mapping[str, Any]:
    """The content of the envelope; empty if somebody else than the API answered."""
    try:
        fault = json.loads(response.content)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return fault if isinstance(fault, dict) else {}


def retry_after(response: httpx.Response) -> float | None:
    """Seconds until the server wants to be asked again, from a number or a date."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        at = parsedate_to_datetime(said)
        at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return max(0.0, (at - datetime.now(timezone.utc)).total_seconds())

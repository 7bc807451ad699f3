"""An API family: how one published API words its errors; and the common envelope."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from odometer.access.policy import Caller
from odometer.domain.errors import (
    Fault,
    Invalid,
    NotAllowed,
    NotFound,
    OdometerError,
    Throttled,
    TooLarge,
    Unavailable,
)
from odometer.web.messages import Request

STATUS_AND_MESSAGE: Mapping[str, tuple[int, str]] = {
    "invalid_parameter": (400, "The request cannot be processed"),  # functions name the fault
    "unauthorized": (401, "Authentication required"),
    "forbidden": (403, "Insufficient permissions"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "not_acceptable": (406, "None of the accepted content types can be answered"),
    "conflict": (409, "Conflicts with what is stored"),
    "payload_too_large": (413, "Larger than can be handled at once"),
    "unsupported_media_type": (415, "Content type not supported"),
    "too_many_requests": (429, "Too many requests"),
    "internal_error": (500, "Internal server error"),
    "unavailable": (503, "Temporarily unavailable"),
    "timeout": (504, "Timed out"),
}
"""Also what the gateway says in `template.yaml`, word for word."""
STATUS = {code: status for code, (status, _) in STATUS_AND_MESSAGE.items()}
MESSAGES = {code: message for code, (_, message) in STATUS_AND_MESSAGE.items()}
RETRY_AFTER_SECONDS = 2
LONGEST_VALUE = 64
TOO_DEEP = "…"
"""What is shown of a value that is nested too deeply to be shown."""


class Family:
    """What a family adds: its name, paths, challenge and the shape of its errors."""

    name: ClassVar[str]
    base: ClassVar[str] = ""
    """How the paths of the family begin."""
    challenge: ClassVar[str] = 'Bearer realm="odometer"'

    fallback_type: ClassVar[str | None] = None
    """The media type for a client who accepts none of those offered; None answers 406."""

    def check_organization(self, caller: Caller, sent: Sequence[str]) -> None:
        """Refuse a caller who names an organization that is not theirs."""
        raise NotImplementedError

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        raise NotImplementedError

    def status(self, error: OdometerError) -> int:
        return STATUS[error.code]

    def headers(self, error: OdometerError) -> dict[str, str]:
        match error:
            case NotAllowed():
                return {"Allow": ", ".join(error.allowed)}
            case Throttled():
                return {"Retry-After": str(error.seconds)}
            case Unavailable():
                return {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return {"WWW-Authenticate": self.challenge} if error.code == "unauthorized" else {}


class Envelope(Family):
    """`{"error": {"code", "message", "details"}}`."""

    name = "edge"
    challenge = 'Bearer realm="odometer", Basic realm="odometer"'

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        details = {}
        message = MESSAGES.get(error.code, "")
        if isinstance(error, Invalid):
            message = "; ".join(dict.fromkeys(map(fault_message, error.told)))
            details = {fault.name: echoed(fault.value) for fault in error.told}
        elif isinstance(error, TooLarge) and error.limit:
            message = f"{message}: at most {error.limit}"
        elif isinstance(error, NotFound) and error.parameter:
            message = f"{error.parameter}: not found"
            details = {error.parameter: echoed(error.name)}
        return {"error": {"code": error.code, "message": message, "details": details}}


def fault_message(fault: Fault) -> str:
    """A fault in words, with its parameter unless the whole answer is too large."""
    return fault.message if fault.rule == "size" else f"{fault.name}: {fault.message}"


def echoed(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    try:
        text = str(value)
    except RecursionError:  # some Pythons read JSON deeper than they write it
        text = TOO_DEEP
    return text[:LONGEST_VALUE].encode(errors="backslashreplace").decode()

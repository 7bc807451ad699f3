"""The common envelope: errors of `/v1`, of `/v2`, of unknown paths and of the gateway itself."""

from collections.abc import Mapping
from typing import Any

from odometer.domain.errors import Fault, Invalid, NotFound, OdometerError, TooLarge
from odometer.web.family import Family
from odometer.web.messages import Request

MESSAGES = {
    "invalid_parameter": "The request cannot be processed",  # the gateway: functions name the fault
    "unauthorized": "Authentication required",
    "forbidden": "Insufficient permissions",
    "not_found": "Not found",
    "method_not_allowed": "Method not allowed",
    "not_acceptable": "None of the accepted content types can be answered",
    "conflict": "Conflicts with what is stored",
    "payload_too_large": "Larger than can be handled at once",
    "unsupported_media_type": "Content type not supported",
    "too_many_requests": "Too many requests",
    "internal_error": "Internal server error",
    "unavailable": "Temporarily unavailable",
    "timeout": "Timed out",
}
"""Also what the gateway says in `template.yaml`, word for word."""
LONGEST_VALUE = 64


class Envelope(Family):
    """`{"error": {"code", "message", "details"}}`."""

    name = "v1"
    challenge = 'Bearer realm="odometer", Basic realm="odometer"'

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        """The first fault in words, every one in the details."""
        details = {}
        message = MESSAGES.get(error.code, "")
        if isinstance(error, Invalid):
            message = "; ".join(dict.fromkeys(map(told, error.faults)))
            details = {fault.name: shown(fault.value) for fault in error.faults}
        elif isinstance(error, TooLarge) and error.limit:
            message = f"{message}: at most {error.limit}"
        elif isinstance(error, NotFound) and error.parameter:
            message = f"{error.parameter}: not found"
            details = {error.parameter: shown(error.name)}
        return {"error": {"code": error.code, "message": message, "details": details}}


def told(fault: Fault) -> str:
    """A fault in words; that an answer is too large is no fault of one parameter."""
    return fault.message if fault.rule == "size" else f"{fault.name}: {fault.message}"


def shown(value: object) -> object:
    """A value as it may be sent back: never long, never nested."""
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)[:LONGEST_VALUE].encode(errors="backslashreplace").decode()


ENVELOPE = Envelope()

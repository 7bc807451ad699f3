"""The usage report API: how it words its errors."""

from collections.abc import Mapping
from typing import Any

from odometer.api.family import Family
from odometer.api.wire import Request
from odometer.domain.errors import Invalid, OdometerError

MESSAGES = {
    "unauthorized": "Invalid or missing Basic Auth credentials",
    "forbidden": "admin access required",
    "not_found": "not found",
    "method_not_allowed": "method not allowed",
    "not_acceptable": "no accepted content type can be answered",
    "conflict": "conflicts with what is stored",
    "payload_too_large": "too much to answer at once",
    "unsupported_media_type": "content type not supported",
    "too_many_requests": "too many requests",
    "internal_error": "internal server error",
    "unavailable": "temporarily unavailable",
    "timeout": "timed out",
}


class UsageReport(Family):
    """The first fault of a request, in its own words."""

    name = "usage_report"
    challenge = 'Basic realm="odometer", charset="UTF-8"'

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        """The published error body."""
        first = error.faults[0].message if isinstance(error, Invalid) else MESSAGES[error.code]
        return {"status": "error", "message": first}


FAMILY = UsageReport()

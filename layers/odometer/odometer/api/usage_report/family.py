"""The usage report API: its errors, in its own words."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from odometer.access.policy import READ_REPORT
from odometer.api.usage_report.parameters import CLOCK_FORM, LARGEST_PAGE, ReportedProduct
from odometer.domain.errors import Fault, Incomplete, Invalid, OdometerError, TimedOut, Unavailable
from odometer.domain.people import UserType
from odometer.web.endpoint import endpoint
from odometer.web.family import Family
from odometer.web.messages import JSON, Request

BASE = "/insights/api/v3/public/usage-report"
VALUE_SHOWN = 10_240  # the gateway lets no longer request through: what was sent is shown whole


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
    "unavailable": "failed to resolve org users",
    "timeout": "failed to resolve org users",
}
UNREAD = "failed to read all usage"
WORDS = {
    "type": f"invalid or missing type (valid: [{' '.join(UserType)}])",
    "product": f"invalid or missing product (valid: [{' '.join(ReportedProduct)}])",
    "from": "invalid from format: {value} (expected {expected})",
    "to": "invalid to format: {value} (expected {expected})",
    "timezone": "invalid timezone format: {value} (expected +HH:MM or -HH:MM, e.g. +05:30)",
    "page": "page must be a positive integer",
    "limit": f"limit must be a positive integer between 1 and {LARGEST_PAGE}",
}
RULES_OVER_SEVERAL = ("order", "span", "size")
"""Rules over several values: they speak for themselves."""


class UsageReport(Family):
    """The first fault of a request, in its own words."""

    name = "usage_report"
    base = BASE
    challenge = 'Basic realm="odometer", charset="UTF-8"'
    fallback_type = JSON

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        match error:
            case Invalid():
                message = fault_message(error.faults[0])
            case Incomplete():
                message = UNREAD
            case _:
                message = MESSAGES[error.code]
        return {"status": "error", "message": message}

    def status(self, error: OdometerError) -> int:
        """A directory that cannot be read is a 500; usage that cannot be is a partial answer."""
        of_directory = isinstance(error, Unavailable | TimedOut)
        return 500 if of_directory and not isinstance(error, Incomplete) else super().status(error)


usage_report = partial(endpoint, UsageReport(), may=READ_REPORT)


def fault_message(fault: Fault) -> str:
    if fault.rule == "missing" and fault.name in ("from", "to"):
        return f"{fault.name} is required"
    words = (
        fault.message if fault.rule in RULES_OVER_SEVERAL else WORDS.get(fault.name, fault.message)
    )
    words = words.replace("{expected}", fault.expected or CLOCK_FORM)
    return words.replace("{value}", str(fault.value)[:VALUE_SHOWN])

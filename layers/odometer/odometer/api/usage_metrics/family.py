"""The usage metrics API: its errors list every fault of a request."""

from collections.abc import Callable, Mapping
from typing import Any

from odometer.access.policy import Caller, Rule
from odometer.domain.errors import ForeignOrganization, Invalid, OdometerError
from odometer.web.context import Named
from odometer.web.endpoint import Endpoint
from odometer.web.endpoint import endpoint as any_endpoint
from odometer.web.family import Family
from odometer.web.messages import JSON, Request

WORDS = {
    400: ("BAD_REQUEST", "Bad Request – Invalid or missing parameters."),
    401: ("UNAUTHORIZED", "Unauthorized – Invalid token."),
    403: ("FORBIDDEN", "Forbidden – User lacks permission."),
    404: ("NOT_FOUND", "Not Found – Resource not found."),
    405: ("METHOD_NOT_ALLOWED", "Method Not Allowed – Resource has other methods."),
    406: ("NOT_ACCEPTABLE", "Not Acceptable – No accepted content type can be answered."),
    409: ("CONFLICT", "Conflict – Differs from what is stored."),
    413: ("PAYLOAD_TOO_LARGE", "Payload Too Large – Ask for less at once."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type – Send JSON."),
    429: ("TOO_MANY_REQUESTS", "Too Many Requests – Try again in a moment."),
    500: ("INTERNAL_SERVER_ERROR", "Internal Server Error – Unexpected server error."),
    503: ("SERVICE_UNAVAILABLE", "Service Unavailable – Try again in a moment."),
    504: ("GATEWAY_TIMEOUT", "Gateway Timeout – Ask for less at once."),
}
INVALID_ORGANIZATION = "Unauthorized – Invalid organization."


class UsageMetrics(Family):
    """Every fault of a request at once, as `parameter: what was expected`."""

    name = "usage_metrics"
    unfit = JSON

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        """The published error body."""
        word, message = WORDS[status]
        message = INVALID_ORGANIZATION if isinstance(error, ForeignOrganization) else message
        faults = error.faults if isinstance(error, Invalid) else ()
        return {
            "error": word,
            "message": message,
            "status": status,
            "requestId": request.id,
            "details": {"errors": [f"{fault.name}: {fault.message}" for fault in faults]},
        }


FAMILY = UsageMetrics()


def endpoint(
    path: str, *, may: Rule, about: Named | None = None
) -> Callable[[Callable[..., Any]], Endpoint]:
    """A route of this family: all are GET."""
    return any_endpoint(FAMILY, "GET", path, may=may, about=about)


# parameters

OFFSET = "How many items to skip."


class UsageOverTime(UsageMetrics):
    """The same family, where a request names the organization that it is about."""

    def admit(self, request: Request, caller: Caller) -> None:
        """Only the caller's own; whether any other exists is not told."""
        if not all(map(caller.is_of, request.query.get("organizationId", ()))):
            raise ForeignOrganization


USAGE_FAMILY = UsageOverTime()


def usage_endpoint(
    path: str, *, may: Rule, about: Named | None = None
) -> Callable[[Callable[..., Any]], Endpoint]:
    """A route that reports usage over time."""
    return any_endpoint(USAGE_FAMILY, "GET", path, may=may, about=about)

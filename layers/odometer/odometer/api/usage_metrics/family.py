"""The usage metrics API: its errors list every fault of a request."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from odometer.access.policy import READ_ORGANIZATION, Caller
from odometer.domain.errors import ForeignOrganization, Invalid, OdometerError
from odometer.web.endpoint import endpoint
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
    base = "/api/v1"
    fallback_type = JSON

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
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

    def check_organization(self, caller: Caller, sent: Sequence[str]) -> None:
        """Answer the same for every other organization, whether it exists or not."""
        if not all(map(caller.is_of, sent)):
            raise ForeignOrganization


usage_metrics = partial(endpoint, UsageMetrics(), may=READ_ORGANIZATION)

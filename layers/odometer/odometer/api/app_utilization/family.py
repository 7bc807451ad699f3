"""The app utilization API: its errors, and how its routes begin."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from odometer.access.policy import READ_ORGANIZATION, Caller
from odometer.domain.errors import Fault, Forbidden, Invalid, NotFound, OdometerError
from odometer.domain.identity import UUID
from odometer.web.endpoint import endpoint
from odometer.web.family import Envelope, echoed
from odometer.web.messages import Request

WORDS = {
    "missing": "{name} is required",
    "choice": "Unknown {name}: {value}. Valid values: {expected}",
    "extra_forbidden": "Unknown parameter: {name}",
    "repeated": "{name} was sent more than once",
}
"""Faults that need no more than the name and the value; `{expected}` is what could be sent."""
SENTENCES = frozenset({"order", "span", "pair", "either", "cursor", "value", "size"})
"""Faults that speak for themselves."""
RELATED_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "end_date": ("start_date", "end_date"),
    "compare_end_date": ("compare_start_date", "compare_end_date"),
    "compare": ("compare", "compare_start_date", "compare_end_date"),
}
"""The parameters that are at fault related, by the one that is checked last."""


class AppUtilization(Envelope):
    """The common envelope, in the words of this API."""

    name = "app_utilization"
    base = "/v2/clients/{client_id}"

    def check_organization(self, caller: Caller, sent: Sequence[str]) -> None:
        """Refuse a client that cannot exist as not found, and every other client as forbidden."""
        for client in sent:
            if not UUID.fullmatch(client):
                raise NotFound(client)
            if not caller.is_of(client):
                raise Forbidden

    def problem(self, error: OdometerError, status: int, request: Request) -> Mapping[str, Any]:
        content = dict(super().problem(error, status, request)["error"])
        if isinstance(error, Invalid):
            first = error.faults[0]
            at_fault = error.faults if first.rule == "size" else (first,)
            details = {k: v for each in at_fault for k, v in details_of(each, request).items()}
            content |= {"message": fault_message(first), "details": details}
        elif error.code in MESSAGES:
            things = [name for key, name in THINGS.items() if key in request.parameters]
            words = MESSAGES[error.code].replace("{things}", " or ".join(things))
            content["message"] = words[:1].upper() + words[1:]
        return {"error": content}


MESSAGES = {
    "forbidden": "Insufficient permissions for this client",
    "not_found": "{things} not found",
    "internal_error": "Server error",
}
THINGS = {"user_id": "user", "app_id": "app", "client_id": "client"}
"""What a path may name, in the order of the message."""

app_utilization = partial(
    endpoint, AppUtilization(), may=READ_ORGANIZATION, organization="client_id"
)


def fault_message(fault: Fault) -> str:
    if fault.rule in SENTENCES:
        return fault.message
    words = WORDS.get(fault.rule, "Invalid {name}: {value}. {message}")
    return (
        words.replace("{expected}", fault.expected)
        .replace("{message}", fault.message[:1].upper() + fault.message[1:])
        .replace("{name}", str(echoed(fault.name)))
        .replace("{value}", str(echoed(fault.value)))
    )


def details_of(fault: Fault, request: Request) -> dict[str, object]:
    """The parameters of a fault as they were sent; null where they were not."""
    related = fault.rule in SENTENCES and RELATED_PARAMETERS.get(fault.name)
    if not related:
        return {str(echoed(fault.name)): echoed(fault.value)}
    sent = {name: request.query.get(name, [None]) for name in related}
    return {name: echoed(values[-1]) for name, values in sent.items()}

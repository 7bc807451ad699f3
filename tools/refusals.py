"""The errors of an endpoint: which there are, and what each looks like.

Examples are made by the code that answers.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from odometer.directory.people import Team, User
from odometer.directory.snapshot import Directory
from odometer.domain.errors import Incomplete, Invalid, OdometerError
from odometer.web.endpoint import Endpoint
from odometer.web.family import STATUS, Envelope
from odometer.web.messages import CSV, NDJSON, Request
from odometer.web.models import Body, Query, parameter_names, read_query
from tools.contents import contents_of

ALWAYS = ("internal_error", "unavailable", "timeout", "unauthorized", "forbidden")
FROM_BOTH = "too_many_requests"
REQUEST_ID = "7d0c1a52-1f0b-4d0e-9f7a-3d8c5e2b6a10"


def codes_of(endpoint: Endpoint) -> list[str]:
    """The codes of everything that can be wrong with a request to an endpoint, by status."""
    found = {*ALWAYS, FROM_BOTH, *(error.code for error in endpoint.raises)}
    return sorted(found | set(by_needs(endpoint)), key=lambda code: STATUS[code])


def by_needs(endpoint: Endpoint) -> Iterator[str]:
    needs, contents = set(endpoint.needs.values()), contents_of(endpoint)
    in_lines = NDJSON in contents.answer
    if any(issubclass(need, Query | Body) for need in needs) or contents.body or in_lines:
        yield "invalid_parameter"
    if contents.body:
        yield "unsupported_media_type"
    if Request in needs or in_lines:
        yield "payload_too_large"
    if "{" in endpoint.path or needs & {Directory, Team, User}:
        yield "not_found"
    if CSV in contents.answer and endpoint.family.fallback_type is None:
        yield "not_acceptable"


def speakers(endpoint: Endpoint, code: str) -> tuple[bool, ...]:
    """Who answers with this code: functions (False), the gateway (True), or both of them."""
    if code == FROM_BOTH:
        return False, True
    return (endpoint.family.status(error_of(code)) != STATUS[code],)


def answered(endpoint: Endpoint, code: str) -> Mapping[str, Any]:
    """The body of an answer with this code."""
    family = Envelope() if speakers(endpoint, code)[0] else endpoint.family
    error = fault_of(endpoint) if code == Invalid.code else error_of(code)
    names = re.findall(r"\{(\w+)\}", endpoint.path)
    request = Request("GET", endpoint.path, dict.fromkeys(names, ""), {}, {}, b"", REQUEST_ID)
    return family.problem(error, STATUS[code], request)


def error_of(code: str) -> OdometerError:
    """An error with a code; of those that are in no family's way, the one that all word alike."""
    if code == Incomplete.code:
        return Incomplete()
    return next(each() for each in kinds_of(OdometerError) if each.code == code)


def kinds_of(error: type[OdometerError]) -> Iterator[type[OdometerError]]:
    yield error
    for each in error.__subclasses__():
        yield from kinds_of(each)


def fault_of(endpoint: Endpoint) -> Invalid:
    """A fault that a client may make: it leaves out what is needed, or sends what cannot be."""
    named = dict.fromkeys(re.findall(r"\{(\w+)\}", endpoint.path), "acme")
    for query in (need for need in endpoint.needs.values() if issubclass(need, Query)):
        own = [name for name in parameter_names(query) if name not in named]
        for sent in ({}, *({name: ["?"]} for name in own), {"colour": ["blue"]}):
            try:
                with suppress(AttributeError):
                    read_query(query, named, sent)
            except Invalid as fault:
                return fault
    return Invalid.parameter("body", "not valid JSON")

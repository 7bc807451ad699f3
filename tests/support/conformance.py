"""All checks of schemathesis, on the documents that the endpoints have written of themselves."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from werkzeug.http import HTTP_STATUS_CODES

from odometer.domain.text import UUID
from odometer.web.messages import NDJSON
from tests.support.stack import answer_to, endpoints, proxy_event
from tools.contents import is_report
from tools.openapi import documents

Test = TypeVar("Test", bound=Callable[..., None])
DOCUMENTS = documents(endpoints())
RANGE = {"from": "2026-01-15T18:30:00+05:30", "to": "2026-02-20T12:00:00.5Z"}
INSTANT = re.compile(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]+)?(Z|[+-][0-9:]{5})")

EXCLUDED: dict[str, list[Any]] = {
    # one bad row is answered with its fault, in a 200: it never fails the others
    "PUT /v1/directory": [negative_data_rejection],
    "POST /v1/events": [negative_data_rejection],
    # that an owner must exist and an expiry be ahead, JSON schema cannot say
    "POST /v1/keys": [positive_data_acceptance],
    # nor that a team, a user or a product must be there
    "POST /v1/embed-tokens": [positive_data_acceptance],
    # nor that a cursor is one that was given out
    "GET /v1/directory/export": [positive_data_acceptance],
    # nor that one instant must be after the other
    **{
        f"{each.method} {each.path}": [positive_data_acceptance]
        for each in endpoints().values()
        if is_report(each)
    },
}


def keeps_to_its_document(
    family: str, cases: int, application: Any = None
) -> Callable[[Test], Test]:
    """Run a test with so many cases of a family, the same ones every time."""
    here = {**DOCUMENTS[family], "servers": []}  # not relative to where a document stands
    schema = schemathesis.openapi.from_dict(here)
    schema.app = application
    schema.hook("filter_body")(sayable)
    schema.hook("filter_query")(is_filled)
    # only one family minds a parameter that it does not know
    schema.config.generation.update(allow_extra_parameters=family == "app_utilization")
    operations = sum(len(each) for each in DOCUMENTS[family]["paths"].values())
    bounds = settings(
        max_examples=max(1, cases // operations),
        phases=[each for each in Phase if each is not Phase.explicit],  # examples have own tests
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    def decorated(test: Test) -> Test:
        parametrized: Test = schema.parametrize()(bounds(test))
        return parametrized

    return decorated


def hold(case: Any, there: Mapping[str, str], *beside: Any, **call: Any) -> None:
    """Send a case and compare its answer with the document."""
    placed(case.path_parameters, there)
    placed(case.query, there)
    excluded = EXCLUDED.get(f"{case.operation.method.upper()} {case.operation.path}", [])
    case.call_and_validate(excluded_checks=[*excluded, *beside], **call)


def placed(parameters: Any, there: Mapping[str, str]) -> None:
    """Make every other name one that is there, and most ranges one that holds something.

    Every other are those with an odd sum of letters, most are those with no multiple of four. An id
    that is no UUID stays where one is expected, because the case is about that.
    """
    for name, value in (parameters or {}).items():
        is_malformed = UUID.fullmatch(there.get(name, "")) and not UUID.fullmatch(str(value))
        if name in there and not is_malformed and sum(map(ord, str(value))) % 2:
            parameters[name] = there[name]
    ends = [str((parameters or {}).get(name)) for name in RANGE]
    if all(map(INSTANT.fullmatch, ends)) and len("".join(ends)) % 4:
        parameters.update(RANGE)


def is_filled(context: Any, query: Any) -> bool:
    """Leave to tests of their own that a parameter without a value is as good as none."""
    return "" not in (query or {}).values()


def sayable(context: Any, body: Any) -> bool:
    """Leave to the unit tests what JSON schema cannot say: bytes, and that 5.0 is no integer."""
    return all(map(is_sayable, values(body)))


def is_sayable(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii() or len(value) < 20
    return not (isinstance(value, float) and value.is_integer())


def values(content: Any) -> Iterator[object]:
    """Everything in a body that is neither object nor array."""
    if isinstance(content, dict | list):
        for each in content.values() if isinstance(content, dict) else content:
            yield from values(each)
    else:
        yield content


@schemathesis.serializer(NDJSON)
def lines(context: Any, value: Any) -> bytes:
    """Send lines as they were generated."""
    return str(value).encode()


def application(
    environ: Mapping[str, Any], start: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """The public API in this process as a WSGI application."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name == "CONTENT_TYPE" and value)
    }
    body = environ["wsgi.input"].read()
    url = f"{environ['REQUEST_URI'].partition('?')[0]}?{environ['QUERY_STRING']}"
    reply = answer_to(proxy_event(environ["REQUEST_METHOD"], url, headers, body))
    start(f"{reply.status} {HTTP_STATUS_CODES[reply.status]}", list(reply.headers.items()))
    return [reply.text.encode()]

"""The handlers keep to their documents, whatever is sent: all checks of schemathesis, each family.

`CASES` says how many cases each family gets: 1,000 unless told, many more in the soak.
"""

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

from odometer.api.openapi import PAGES, documents
from odometer.api.wire import NDJSON
from odometer.domain.kinds import DEFAULT_PRODUCTS
from tests.support.book import ACME
from tests.support.cast import cast_of
from tests.support.meters import Meters, used
from tests.support.stack import OTHER, endpoints, stack_on_moto
from tests.support.web import application

Test = TypeVar("Test", bound=Callable[..., None])
CASES = int(os.environ.get("CASES", "1000"))
DOCUMENTS = documents(endpoints())
APP = "cc7cf840-9ca9-46a3-9778-9015d6580d52"
THERE = {
    "teamId": "acme-core",
    "user_id": "acme-member",
    "userId": "acme-member",
    "organizationId": ACME,
    "client_id": ACME,
    "app_id": APP,
}
"""What most cases are about, so that there is something to find."""
RANGE = {"from": "2026-01-15T18:30:00+05:30", "to": "2026-02-20T12:00:00.5Z"}
INSTANT = re.compile(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]+)?(Z|[+-][0-9:]{5})")

EXCLUDED: dict[str, list[Any]] = {
    # one bad row is answered with its fault, in a 200: it never fails the others
    "PUT /v1/directory": [negative_data_rejection],
    "POST /v1/events": [negative_data_rejection],
    # that an owner must exist and an expiry be ahead, JSON schema cannot say
    "POST /v1/keys": [positive_data_acceptance],
    # nor that one instant must be after the other
    **{name: [positive_data_acceptance] for name in PAGES},
}


@pytest.fixture(scope="module")
def admin() -> Iterator[dict[str, str]]:
    """The header of an Admin, in a deployment that lasts for all cases."""
    with stack_on_moto() as stack:
        cast_of(stack, OTHER)
        us = cast_of(stack, ACME)
        stack.apply(ACME, "product", {"id": APP, "name": "Mail", "kind": "app"})
        day = datetime(2026, 2, 3, tzinfo=UTC)
        events = [used("acme-member", product, day, 1, 2, 3) for product in DEFAULT_PRODUCTS]
        Meters(ACME).send(events, day)
        yield {"Authorization": f"Bearer {us.key('admin')}"}


def schema_of(family: str) -> Any:
    """The document of a family over the handlers in this process."""
    schema = schemathesis.openapi.from_dict(DOCUMENTS[family])
    schema.app = application
    schema.hook("map_path_parameters")(placed)
    schema.hook("map_query")(placed)
    schema.hook("filter_body")(sayable)
    return schema


def placed(context: Any, parameters: Any) -> Any:
    """Make every other name one that there is, and most ranges one that holds something.

    Every other are those with an odd number of letters, most are those with no multiple of four.
    """
    for name, value in (parameters or {}).items():
        if name in THERE and len(str(value)) % 2:
            parameters[name] = THERE[name]
    ends = {name: str((parameters or {}).get(name)) for name in RANGE}
    if all(INSTANT.fullmatch(end) for end in ends.values()) and len("".join(ends.values())) % 4:
        parameters.update(RANGE)
    return parameters


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


def keeps_to_its_document(family: str) -> Callable[[Test], Test]:
    """Run a test with as many cases as a family gets, the same ones every time."""
    operations = sum(len(each) for each in DOCUMENTS[family]["paths"].values())
    bounds = settings(
        max_examples=max(1, CASES // operations),
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    def decorated(test: Test) -> Test:
        parametrized: Test = schema_of(family).parametrize()(bounds(test))
        return parametrized

    return decorated


@schemathesis.serializer(NDJSON)
def lines(context: Any, value: Any) -> bytes:
    """Lines are sent as they were drawn."""
    return str(value).encode()


def check(case: Any, admin: dict[str, str]) -> None:
    """Send a case and hold its answer against the document."""
    excluded = EXCLUDED.get(f"{case.operation.method.upper()} {case.operation.path}")
    case.call_and_validate(headers=admin, excluded_checks=excluded)


@keeps_to_its_document("app_utilization")
def test_app_utilization_keeps_to_its_document(case: Any, admin: dict[str, str]) -> None:
    check(case, admin)


@keeps_to_its_document("usage_metrics")
def test_usage_metrics_keep_to_their_document(case: Any, admin: dict[str, str]) -> None:
    check(case, admin)


@keeps_to_its_document("usage_report")
def test_usage_reports_keep_to_their_document(case: Any, admin: dict[str, str]) -> None:
    check(case, admin)


@keeps_to_its_document("v1")
def test_directory_keys_and_events_keep_to_their_document(case: Any, admin: dict[str, str]) -> None:
    check(case, admin)

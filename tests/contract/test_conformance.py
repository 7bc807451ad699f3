"""The handlers keep to their documents, whatever is sent: all checks of schemathesis, each family.

`CASES` says how many cases each family gets: 300 by default, many more in the soak.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from odometer.domain.kinds import DEFAULT_PRODUCTS
from tests.support.conformance import application, hold, keeps_to_its_document
from tests.support.memory_directory import ACME
from tests.support.people import people_of
from tests.support.stack import OTHER, stack_on_moto
from tests.support.usage_sender import UsageSender, used

CASES = int(os.environ.get("CASES", "300"))
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

in_process = partial(keeps_to_its_document, cases=CASES, application=application)


@pytest.fixture(scope="module")
def admin() -> Iterator[dict[str, str]]:
    """The header of an Admin, in a deployment that lasts for all cases."""
    with stack_on_moto() as stack:
        people_of(stack, OTHER)
        us = people_of(stack, ACME)
        stack.apply(ACME, "product", {"id": APP, "name": "Mail", "kind": "app"})
        day = datetime(2026, 2, 3, tzinfo=UTC)
        events = [used("acme-member", product, day, 1, 2, 3) for product in DEFAULT_PRODUCTS]
        UsageSender(ACME).send(events, day)
        yield {"Authorization": f"Bearer {us.key('admin')}"}


@in_process("app_utilization")
def test_app_utilization_keeps_to_its_document(case: Any, admin: dict[str, str]) -> None:
    hold(case, THERE, headers=admin)


@in_process("usage_metrics")
def test_usage_metrics_keep_to_their_document(case: Any, admin: dict[str, str]) -> None:
    hold(case, THERE, headers=admin)


@in_process("usage_report")
def test_usage_reports_keep_to_their_document(case: Any, admin: dict[str, str]) -> None:
    hold(case, THERE, headers=admin)


@in_process("v1")
def test_directory_keys_and_events_keep_to_their_document(case: Any, admin: dict[str, str]) -> None:
    hold(case, THERE, headers=admin)

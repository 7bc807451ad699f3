"""Both Python clients ask everything over HTTP, and a meter's events count."""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clients.python.tests.test_operations import Asked, ask_everything
from odometer_client import AsyncClient, Client, Meter
from tests.e2e.conftest import Fresh, fresh
from tests.support.live_deployment import Deployment

PATIENCE_SECONDS = 60
another = fresh
"""A second organization, because each client begins with one that has no usage."""


@pytest.mark.parametrize(("kind", "whose"), [(Client, "fresh"), (AsyncClient, "another")])
def test_a_client_asks_every_operation(
    deployment: Deployment, request: pytest.FixtureRequest, kind: Callable[..., Any], whose: str
) -> None:
    organization: Fresh = request.getfixturevalue(whose)
    asked = Asked(kind(deployment["BASE_URL"], organization.key))

    def is_counted() -> bool:
        totals = asked.usage(product="docs", period="7d").totals
        return bool(totals["credits"].value == Decimal("0.35"))

    ask_everything(asked, lambda: wait_until(is_counted))
    asked.close()


def test_a_meters_events_count(deployment: Deployment, fresh: Fresh, tmp_path: Path) -> None:
    with Meter("meter", spool=tmp_path, url=deployment["BASE_URL"], key=fresh.key) as meter:
        for _ in range(1_200):
            meter.count("chat", user="ada@example.com", interactions=1)
        assert meter.flush(PATIENCE_SECONDS)
    assert (meter.stats().sent, meter.stats().rejected) == (1_200, 0)
    client = Client(deployment["BASE_URL"], fresh.key)

    def is_counted() -> bool:
        return client.usage(product="chat", period="7d").totals["interactions"].value == 1_200

    wait_until(is_counted)


def wait_until(is_so: Callable[[], bool]) -> None:
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < gives_up_at
        time.sleep(0.5)

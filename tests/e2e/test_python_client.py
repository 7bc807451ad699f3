"""The Python client asks every operation over HTTP, and a meter's events count."""

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from clients.python.tests.test_operations import Asked, ask_everything
from odometer_client import AsyncClient, Client, Meter
from odometer_client.answers import Usage
from tests.e2e.conftest import Fresh
from tests.support.live_deployment import Deployment

PATIENCE_SECONDS = 60


def test_every_operation_is_answered_over_http(deployment: Deployment, fresh: Fresh) -> None:
    with Client(deployment["BASE_URL"], fresh.key) as client:

        def is_counted() -> bool:
            totals = client.usage(product="docs", period="7d").totals
            return totals["credits"].value == Decimal("0.35")

        ask_everything(Asked(client), lambda: wait_until(is_counted))


def test_a_meters_events_count(deployment: Deployment, fresh: Fresh, tmp_path: Path) -> None:
    with Meter("meter", spool=tmp_path, url=deployment["BASE_URL"], key=fresh.key) as meter:
        for _ in range(1_200):
            meter.count("chat", user="ada@example.com", interactions=1)
        assert meter.flush(PATIENCE_SECONDS)
    assert (meter.stats().sent, meter.stats().rejected) == (1_200, 0)
    assert meter._sender._compressed  # noqa: SLF001  so the gateway has unpacked what was sent

    async def usage() -> Usage:
        async with AsyncClient(deployment["BASE_URL"], fresh.key) as client:
            return await client.usage(product="chat", period="7d")

    wait_until(lambda: asyncio.run(usage()).totals["interactions"].value == 1_200)


def wait_until(is_so: Callable[[], bool]) -> None:
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < gives_up_at
        time.sleep(0.5)

"""What a report costs while much that came late waits to be settled, in capacity units."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, timedelta
from random import Random
from typing import NamedTuple

import pytest

from bench.daily_usage import END, PRODUCT, DailyUsage, store_usage
from bench.pipeline import ORGANIZATION
from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import LEAST_MEASURES
from odometer.domain.time import Period
from odometer.engine import calendar
from odometer.engine.format.decisions import Fold
from odometer.engine.read.measuring import measure
from odometer.engine.read.views import View
from odometer.storage.dynamo import Meter, Table
from tests.support.counting_engine import counting_engine

pytestmark = pytest.mark.engine
NOON = calendar.first_second(END, UTC) + 12 * 3600
USERS = 10_000
LATE = 5_000
IN_A_FOLD = 2_500
STRIPS_OF_A_YEAR = 47
YEARS = {"calendar year": date(2025, 1, 1), "over a New Year": date(2025, 6, 20)}


class Cost(NamedTuple):
    """What a year's report reads."""

    tail: float
    rest: float
    queries: int


@pytest.fixture(scope="module")
def store() -> Iterator[Table]:
    with counting_engine() as client:
        store = Table("usage", Meter(), client)
        list(store_usage(store, ORGANIZATION, DailyUsage(USERS)))
        yield store


def cost(store: Table, first: date) -> Cost:
    meter = Meter()
    view = View.latest(ORGANIZATION, Table("usage", meter, store.client), "UTC", NOON)
    tail, queries = meter.read_units, meter.requests
    measure(view, PRODUCT, Period.of_days(first, first + timedelta(364), UTC))
    return Cost(tail, meter.read_units - tail, meter.requests - queries)


def test_late_events_that_wait_add_strips_to_a_years_report_and_nothing_for_each_day(
    store: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before, the same report read 2,917 units in two Queries for each day."""
    settled = {when: cost(store, first) for when, first in YEARS.items()}
    random = Random(1)
    begin = calendar.first_second(END - timedelta(700), UTC)
    events = [
        Event(
            random.randrange(USERS),
            PRODUCT.id,
            "ci",
            random.randrange(begin, NOON - 86_400),
            0,
            (1, 5, *[0] * (LEAST_MEASURES - 2)),
            digest_of("ci", str(number)),
        )
        for number in range(LATE)
    ]
    for number in (1, 2):
        fold = Fold(number, events[(number - 1) * IN_A_FOLD : number * IN_A_FOLD], 0)
        store.put(fold.to_item(ORGANIZATION, NOON))
    for when, first in YEARS.items():
        waiting = cost(store, first)
        with capsys.disabled():
            print(f"\n{when}: settled {settled[when]}, waiting {waiting}")  # noqa: T201
        years = 1 + (when != "calendar year")
        assert waiting.queries <= settled[when].queries + 3 * years
        assert waiting.rest <= settled[when].rest + STRIPS_OF_A_YEAR

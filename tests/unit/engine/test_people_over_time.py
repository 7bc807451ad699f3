"""A few people over time are read from their rows in `%people`, and from nobody else's."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from random import Random

import pytest

from odometer.domain.time import SECOND, Period, epoch_second
from odometer.engine.format.products import PEOPLE, TOTALS
from odometer.engine.read.people import PeopleSeries, series_of_some
from odometer.engine.read.series import Series
from odometer.reports.blocks import Granularity, blocks, edges, tally_blocks
from tests.property.test_series import (
    EVERYTHING,
    PRODUCTS,
    expected,
    some_event,
    take,
)
from tests.support.simulated_engine import ORGANIZATION, SimulatedEngine

BEGIN = datetime(2026, 1, 6, 12, tzinfo=UTC)
DAY = 86_400
SPREAD = 50
CATALOG = [*EVERYTHING, TOTALS, PEOPLE]
FIRST = datetime(2026, 2, 3, tzinfo=UTC)
PERIODS = [
    Period(FIRST, datetime(2026, 2, 20, tzinfo=UTC)),
    Period(FIRST + timedelta(hours=3, minutes=15), datetime(2026, 3, 14, 18, tzinfo=UTC)),
    Period(FIRST + SECOND, datetime(2026, 3, 15, 23, 59, 59, tzinfo=UTC)),
]
CUTS = [Granularity.ALL, Granularity.DAILY, Granularity.WEEKLY, Granularity.MONTHLY]
USERS = [{0}, {SPREAD}, {0, 2 * SPREAD, 5 * SPREAD}, set(range(6 * SPREAD))]


def history(zone: str) -> SimulatedEngine:
    """Ten weeks in which people use everything, at odd seconds and at the edges of the ranges."""
    simulated = SimulatedEngine(epoch_second(BEGIN), zone, CATALOG, SPREAD)
    random = Random(zone)
    for _ in range(70):
        events = [some_event(simulated, random) for _ in range(9)]
        edge = random.choice(PERIODS)
        moments = (epoch_second(at) + random.choice([-1, 0]) for at in (edge.start, edge.end))
        for moment in moments:
            event = some_event(simulated, random)
            events += [event._replace(second=moment)] if moment <= simulated.now else []
        simulated.accept(events, random, 0)
        simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
        if random.random() < 0.7:
            take(simulated, "settle", random)
        simulated.pass_time(DAY)
    return simulated


@pytest.fixture(scope="module", params=["UTC", "Europe/London", "Asia/Kathmandu"])
def simulated(request: pytest.FixtureRequest) -> SimulatedEngine:
    return history(request.param)


@pytest.mark.parametrize("users", USERS, ids="{} users".format)
def test_rows_of_people_say_what_everybodys_frames_say(
    simulated: SimulatedEngine, users: Collection[int]
) -> None:
    view, tried = simulated.view(), 0
    for period, cut in product(PERIODS, CUTS):
        ends = edges(blocks(period, cut))
        people = PeopleSeries(view, CATALOG, PRODUCTS, ends)
        if people.is_exact:
            tried += 1
            found = tally_blocks(people, users)
            assert found == [expected(simulated.folds(), pair, users) for pair in pairwise(ends)]
    assert tried == (4 if simulated.zone == "Asia/Kathmandu" else 12)


@pytest.mark.parametrize(
    ("users", "known", "is_people"),
    [({5}, 1_000, True), ({5}, 300, False), ({5, 70}, 1_000, True), (range(500), 1_000, False)],
)
def test_rows_are_read_where_they_weigh_less(
    users: Collection[int], known: int, *, is_people: bool
) -> None:
    simulated = history("UTC")
    view = simulated.view()
    object.__setattr__(view.head, "users", known)
    ends = edges(blocks(PERIODS[0], Granularity.DAILY))
    chosen = series_of_some(view, CATALOG, PRODUCTS, ends, users)
    assert isinstance(chosen, PeopleSeries if is_people else Series)
    assert isinstance(series_of_some(view, CATALOG, PRODUCTS, ends, None), Series)


def test_a_persons_days_are_read_from_their_block() -> None:
    simulated, asked = history("UTC"), list[str]()
    ends, view = edges(blocks(PERIODS[0], Granularity.DAILY)), simulated.view()
    simulated.usage.before_each = asked.append
    tally_blocks(PeopleSeries(view, CATALOG, PRODUCTS, ends), {0})
    assert len(asked) <= 2

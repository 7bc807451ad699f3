"""What reading and writing costs, counted by an engine that computes capacity units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bench.dense import END, PRODUCT, Dense, store
from bench.pipeline import ORGANIZATION, Pipeline, a_day_of_events
from odometer.domain.time import Period
from odometer.readings import calendar, keys
from odometer.readings.reading import View
from odometer.readings.shelf import Span
from odometer.storage.dynamo import Meter, Table
from odometer.storage.shelf import TableShelf
from tests.support.counting import counting_engine

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.engine
NOON = calendar.start(END, UTC) + 12 * 3600


@pytest.fixture
def client() -> Iterator[DynamoDBClient]:
    with counting_engine() as client:
        yield client


class Cost(NamedTuple):
    days: int
    units: float
    queries: int
    crosses: bool


def measured(client: DynamoDBClient, dense: Dense, first: date, end: date) -> Cost:
    """What a range costs in frames alone; its totals are what was used."""
    meter = Meter()
    view = View.latest(ORGANIZATION, TableShelf(Table("usage", meter, client)), "UTC", NOON)
    units, queries = meter.read_units, meter.requests
    used = view.usage(PRODUCT, Period.of_days(first, end - timedelta(1), UTC))
    assert used.totals == dense.totals(first, end)
    crosses = first.year != (end - timedelta(1)).year
    return Cost((end - first).days, meter.read_units - units, meter.requests - queries, crosses)


@pytest.mark.parametrize(("users", "p95", "most"), [(1_000, 6, 8), (10_000, 50, 60)])
def test_a_range_of_any_length_costs_two_readings(
    client: DynamoDBClient,
    capsys: pytest.CaptureFixture[str],
    users: int,
    p95: float,
    most: float,
) -> None:
    dense, random = Dense(users), Random(users)
    stored: defaultdict[str, int] = defaultdict(int)
    for what, size in store(TableShelf(Table("usage", Meter(), client)), ORGANIZATION, dense):
        stored[what] += size
    user_days = sum(len(day.tests) - day.tests.count(0) for day in dense.days.values())
    lengths = [*[28, 366] * 30, *(random.randint(1, 366) for _ in range(140))]
    costs = []
    for length in lengths:
        first = END - timedelta(random.randint(length, 740))
        costs.append(measured(client, dense, first, first + timedelta(length)))
    units = sorted(cost.units for cost in costs)
    mean = {n: sum(c.units for c in costs if c.days == n) / 30 for n in (28, 366)}
    with capsys.disabled():
        print(f"\n{users} users: read units p95 {units[190]}, max {units[-1]}; ", end="")
        print(f"366 d / 28 d {mean[366] / mean[28]:.2f}; bytes for each user and day: ", end="")
        print(f"{stored['delta'] / user_days:.2f} + {stored['keyframe'] / user_days:.2f}")
    assert units[190] <= p95
    assert units[-1] <= most
    assert mean[366] <= 1.6 * mean[28]
    assert max(cost.queries for cost in costs if not cost.crosses) <= 3
    assert sum(stored.values()) < 7 * user_days


@pytest.mark.parametrize(("batch", "most"), [(10, 0.3), (100, 0.1), (1_000, 0.08)])
def test_an_event_costs_a_fraction_of_a_write(
    client: DynamoDBClient, capsys: pytest.CaptureFixture[str], batch: int, most: float
) -> None:
    begin = calendar.start(date(2026, 11, 18), UTC)
    events = a_day_of_events(10_000, 20_000, begin)
    usage, entries = (partial(Table, name, client=client) for name in ("usage", "log"))
    pipeline = Pipeline(usage, entries)
    pipeline.run(events, batch, begin)
    shelf = TableShelf(Table("usage", Meter(), client))
    view = View.latest(ORGANIZATION, shelf, "UTC", begin)
    day = Period.of_days(date(2026, 11, 18), date(2026, 11, 18), UTC)
    assert view.usage(PRODUCT, day).totals["tests"] == sum(each.measures[0] for each in events)
    each = {step: units / len(events) for step, units in pipeline.units.items()}
    with capsys.disabled():
        steps = ", ".join(f"{step} {units:.4f}" for step, units in each.items())
        print(f"\nbatches of {batch}: {sum(each.values()):.3f} write units an event ({steps})")
    assert sum(each.values()) <= most
    assert weight(shelf, keys.identities(ORGANIZATION, date(2026, 11, 18))) <= 12.5 * len(events)
    assert weight(shelf, keys.segments(ORGANIZATION, PRODUCT.id)) <= 6.5 * len(events)


def weight(shelf: TableShelf, pk: str) -> int:
    """The bytes of a partition's columns."""
    (items,) = shelf.read([Span(pk, " ", keys.TOP)])
    columns = (value for item in items for value in item.values() if isinstance(value, bytes))
    return sum(map(len, columns))

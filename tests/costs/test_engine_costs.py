"""What reading and writing costs, counted by an engine that computes capacity units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from pytest_socket import enable_socket

from bench.daily_usage import END, PRODUCT, DailyUsage, store_usage
from bench.pipeline import ORGANIZATION, TAIL, Everyone, Pipeline, a_day_of_events
from odometer.domain.time import Period, instant_at
from odometer.engine import calendar
from odometer.engine.format import keys, log_entries
from odometer.engine.format.decisions import Fold
from odometer.engine.format.segments import Segment
from odometer.engine.read.measuring import measure
from odometer.engine.read.views import View
from odometer.engine.store import KeyRange
from odometer.engine.write.settle import put_segments
from odometer.storage.dynamo import Meter, Table
from tests.support.counting_engine import counting_engine

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.engine
DAY = timedelta(1)
PROMISED = {1_000: (6, 8), 10_000: (50, 60)}
"""Read units by users: p95 and maximum of ranges of 1 to 366 days."""
DIRECTORY_UNITS = 55
"""Everything about 10,000 users: more than any report asks."""
NOON = calendar.first_second(END, UTC) + 12 * 3600


class Stored(NamedTuple):
    """Two years of frames on the engine, and their bytes by what they are."""

    client: DynamoDBClient
    dense: DailyUsage
    size: Mapping[str, int]


@pytest.fixture
def client() -> Iterator[DynamoDBClient]:
    with counting_engine() as client:
        yield client


@pytest.fixture(scope="module", params=[1_000, 10_000])
def stored(request: pytest.FixtureRequest) -> Iterator[Stored]:
    enable_socket()
    with counting_engine() as client:
        dense, size = DailyUsage(request.param), Counter[str]()
        for what, weight in store_usage(Table("usage", Meter(), client), ORGANIZATION, dense):
            size[what] += weight
        yield Stored(client, dense, size)


class Cost(NamedTuple):
    days: int
    units: float
    queries: int
    crosses: bool


def measured(stored: Stored, first: date, end: date) -> Cost:
    """What a range costs in frames alone; its totals are what was used."""
    meter = Meter()
    view = View.latest(ORGANIZATION, Table("usage", meter, stored.client), "UTC", NOON)
    units, queries = meter.read_units, meter.requests
    used = measure(view, PRODUCT, Period.of_days(first, end - DAY, UTC))
    assert used.totals == stored.dense.totals(first, end)
    crosses = first.year != (end - DAY).year
    return Cost((end - first).days, meter.read_units - units, meter.requests - queries, crosses)


def test_a_range_of_any_length_costs_two_readings(
    stored: Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    p95, most = PROMISED[stored.dense.users]
    random = Random(stored.dense.users)
    lengths = [*[28, 366] * 30, *(random.randint(1, 366) for _ in range(140))]
    costs = []
    for length in lengths:
        first = END - random.randint(length, 740) * DAY
        costs.append(measured(stored, first, first + length * DAY))
    units = sorted(cost.units for cost in costs)
    mean = {n: sum(c.units for c in costs if c.days == n) / 30 for n in (28, 366)}
    user_days = sum(len(day.tests) - day.tests.count(0) for day in stored.dense.days.values())
    size = {what: weight / user_days for what, weight in stored.size.items()}
    with capsys.disabled():
        print(
            f"\n{stored.dense.users} users: read units p95 {units[190]}, max {units[-1]}; ", end=""
        )
        print(f"366 d / 28 d {mean[366] / mean[28]:.2f}; bytes for each user and day: ", end="")
        print(f"{size['delta']:.2f} + {size['keyframe']:.2f}")
    assert units[190] <= p95
    assert units[-1] <= most
    assert mean[366] <= 1.6 * mean[28]
    assert max(cost.queries for cost in costs if not cost.crosses) <= 3
    assert sum(size.values()) < 7


def test_a_report_up_to_now_pays_for_a_day_of_events_and_a_tail(
    stored: Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    users = stored.dense.users
    store = Table("usage", Meter(), stored.client)
    begin = calendar.first_second(END, UTC)
    known = Everyone().ordinals
    events = [
        log_entries.numbered(event, known("", [event.who], 0)[event.who])
        for event in a_day_of_events(users, users * 12 // 5 + TAIL, begin)
    ]
    settled, tail = Segment.of(events[:-TAIL], PRODUCT), events[-TAIL:]
    put_segments(ORGANIZATION, store, 1, PRODUCT, settled)
    store.put(Fold(1, tail, 0).to_item(ORGANIZATION, NOON))
    meter, random = Meter(), Random(1)
    reader = Table("usage", meter, stored.client)
    view = View.latest(ORGANIZATION, reader, "UTC", begin + 86_400)
    found = meter.read_units
    costs = []
    for _ in range(30):
        before = meter.read_units
        length = random.randint(1, 366 * 86_400)
        measure(view, PRODUCT, Period(*(instant_at(begin + 86_400 - back) for back in (length, 0))))
        costs.append(found + meter.read_units - before)
    with capsys.disabled():
        print(f"\n{users} users: up to now {max(costs)} read units, {found} of them for the tail")
    assert max(costs) <= 180 - DIRECTORY_UNITS


@pytest.mark.parametrize(("batch", "most"), [(10, 0.3), (100, 0.1), (1_000, 0.08)])
def test_an_event_costs_a_fraction_of_a_write(
    client: DynamoDBClient, capsys: pytest.CaptureFixture[str], batch: int, most: float
) -> None:
    begin = calendar.first_second(date(2026, 11, 18), UTC)
    events = a_day_of_events(10_000, 20_000, begin)
    usage, entries = (partial(Table, name, client=client) for name in ("usage", "log"))
    pipeline = Pipeline(usage, entries)
    pipeline.run(events, batch, begin)
    store = Table("usage", Meter(), client)
    view = View.latest(ORGANIZATION, store, "UTC", begin)
    day = Period.of_days(date(2026, 11, 18), date(2026, 11, 18), UTC)
    assert measure(view, PRODUCT, day).totals["tests"] == sum(each.measures[0] for each in events)
    each = {step: units / len(events) for step, units in pipeline.units.items()}
    with capsys.disabled():
        steps = ", ".join(f"{step} {units:.4f}" for step, units in each.items())
        print(f"\nbatches of {batch}: {sum(each.values()):.3f} write units an event ({steps})")
    assert sum(each.values()) <= most
    assert weight(store, keys.identities(ORGANIZATION, date(2026, 11, 18))) <= 12.5 * len(events)
    assert weight(store, keys.segments(ORGANIZATION, PRODUCT.id)) <= 6.5 * len(events)


def weight(store: Table, pk: str) -> int:
    """The bytes of a partition's columns."""
    (items,) = store.read([KeyRange(pk, " ", keys.TOP)])
    columns = (value for item in items for value in item.values() if isinstance(value, bytes))
    return sum(map(len, columns))

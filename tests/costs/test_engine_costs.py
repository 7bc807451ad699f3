"""What reading and writing costs, counted by an engine that computes capacity units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

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
from tests.costs.costs import write_section
from tests.support.counting_engine import counting_engine
from tools.counts import DOCUMENT, EVENTS, STEPS, StepCost, Way, published_steps, table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.engine
DAY = timedelta(1)
WAYS = {
    Way(10, 5_000): 0.3,
    Way(100, 5_000): 0.1,
    Way(1_000, 5_000): 0.08,
    Way(100, 1_000): 0.2,
    Way(100, 100): 1.0,
}
"""Most write units of an event, by the way in which it comes."""
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


@pytest.mark.parametrize(("way", "most"), WAYS.items(), ids=str)
def test_an_event_costs_a_fraction_of_a_write(
    client: DynamoDBClient, way: Way, most: float
) -> None:
    begin = calendar.first_second(date(2026, 11, 18), UTC)
    events = a_day_of_events(10_000, min(20_000, 50 * way.settled, 1_000 * way.batch), begin)
    usage, entries = (partial(Table, name, client=client) for name in ("usage", "log"))
    pipeline = Pipeline(usage, entries, tail=way.settled)
    pipeline.run(events, way.batch, begin)
    store = Table("usage", Meter(), client)
    view = View.latest(ORGANIZATION, store, "UTC", begin)
    day = Period.of_days(date(2026, 11, 18), date(2026, 11, 18), UTC)
    assert measure(view, PRODUCT, day).totals["tests"] == sum(each.measures[0] for each in events)
    assert sum(pipeline.units.values()) <= most * len(events)
    assert weight(store, keys.identities(ORGANIZATION, date(2026, 11, 18))) <= 12.5 * len(events)
    assert weight(store, keys.segments(ORGANIZATION, PRODUCT.id)) <= 6.5 * len(events)
    stored = stored_bytes(client)
    assert pipeline.audit(begin) == 0
    pipeline.rebuild(begin)
    counted = {step: step_cost(pipeline.meters[step], stored[step], len(events)) for step in STEPS}
    publish(way, counted)
    published = published_steps()[way]
    assert {step: counted[step] for step in STEPS if counted[step] != about(published[step])} == {}


def step_cost(meter: Meter, stored: int, events: int) -> StepCost:
    counted = (meter.write_units, meter.read_units, meter.requests, stored)
    return StepCost(*(each / events for each in counted))


def about(published: StepCost) -> Any:
    """Compressed sizes differ a little from machine to machine."""
    return pytest.approx(published, 0.1, 0.001)


def stored_bytes(client: DynamoDBClient) -> Counter[str]:
    """What tables are billed for, by the step that wrote it; an item weighs 100 bytes by itself."""
    stored: Counter[str] = Counter()
    for name in ("log", "usage"):
        for page in client.get_paginator("scan").paginate(TableName=name):
            for item in page["Items"]:
                stored[step_of(name, item["pk"]["S"])] += 100 + sum(map(size_of, item.items()))
    return stored


def step_of(table: str, pk: str) -> str:
    if table == "log":
        return "accept"
    return "fold" if pk.split("#")[1] == "F" else "settle"


def size_of(attribute: tuple[str, Any]) -> int:
    name, typed = attribute
    ((kind, value),) = typed.items()
    return len(name) + (len(value) // 2 + 1 if kind == "N" else len(value))


def publish(way: Way, counted: Mapping[str, StepCost]) -> None:
    """With `UPDATE=1`, write the table of all ways, in which one is counted anew."""
    ways = {**published_steps(), way: counted}
    rows = [
        [f"{batch:,}", f"{settled:,}", step, cost.cells]
        for (batch, settled), costs in sorted(ways.items())
        for step, cost in costs.items()
    ]
    head = ["batch", "settled together", "step", "write units", "read units", "calls"]
    write_section(DOCUMENT, EVENTS, TEXT + table([*head, "bytes stored"], rows, left=3))


TEXT = """\
Each event of a day of 20,000 events of 10,000 users (fewer in small batches or plans), counted
by `UPDATE=1 pytest tests/costs/test_engine_costs.py`. *Settled together* is how many wait until a
worker settles them: at once when 5,000 wait, and otherwise five minutes after the first. The audit
folds the log again once a day; a rebuild makes a product's year again, of which this is the only
day. Bytes are those that a table is billed for: what was accepted and folded is kept for 35 days,
what was settled as long as usage is.

"""


def weight(store: Table, pk: str) -> int:
    """The bytes of a partition's columns."""
    (items,) = store.read([KeyRange(pk, " ", keys.TOP)])
    columns = (value for item in items for value in item.values() if isinstance(value, bytes))
    return sum(map(len, columns))

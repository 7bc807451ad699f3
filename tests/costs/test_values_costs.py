"""What a year by the values of a breakdown costs to read, counted in capacity units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta
from functools import partial
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bench.daily_usage import PRODUCT as PIPED
from bench.frame_items import by_shard, decisions, frame_items
from bench.pipeline import ORGANIZATION, Pipeline, a_day_of_events
from odometer.domain.events import Event
from odometer.domain.kinds import KINDS
from odometer.domain.time import Period
from odometer.domain.values import FIRST, MOST_VALUES, ROWS
from odometer.engine import calendar
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.values import used_by_value
from odometer.engine.read.views import View
from odometer.reports.blocks import Granularity, blocks, edges
from odometer.storage.dynamo import Meter, Table
from tests.costs.costs import write_section
from tests.support.counting_engine import counting_engine
from tests.support.stack import ROOT, create_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.engine
PRODUCT = MeteredProduct("exports", replace(KINDS["completion"], breakdowns=("format",)))
BEGIN, END = date(2025, 1, 1), date(2026, 1, 19)
NOON = calendar.first_second(END, UTC) + 12 * 3600
FROM = date(2025, 1, 15)
MOST = (120, 4_000, 9_000, 300)
"""The most of each measure that a value has on a day."""
LARGEST = {
    Granularity.ALL: 10,
    Granularity.MONTHLY: 60,
    Granularity.WEEKLY: 120,
    Granularity.DAILY: 320,
}
"""Read units."""


EVENTS = 2_000
MOST_OF_A_VALUE = 0.02
"""Write units that an event costs more because it has a value."""


class Cost(NamedTuple):
    units: float
    requests: int


def columns(day: date) -> list[list[int]]:
    """Every measure of every value, all of which are used on every day."""
    random = Random(f"{day}")
    return [[0] * FIRST + [random.randint(1, most) for _ in range(MOST_VALUES)] for most in MOST]


@pytest.fixture(scope="module")
def client() -> Iterator[DynamoDBClient]:
    with counting_engine() as client:
        table = Table("usage", Meter(), client)
        days = ((day, by_shard(columns(day))) for day in calendar.days(BEGIN, END))
        table.put_all(frame_items(ORGANIZATION, PRODUCT.by_value(0), days))
        table.put_all(decisions(ORGANIZATION, END, 10_000))
        yield client


def ask(client: DynamoDBClient, granularity: Granularity) -> tuple[Cost, Sequence[int], list[int]]:
    """What a year costs, its edges, and the sums of the first measure of a value by block."""
    meter = Meter()
    view = View.latest(ORGANIZATION, Table("usage", meter, client), "UTC", NOON)
    before = Cost(meter.read_units, meter.requests)
    ends = edges(blocks(Period.of_days(FROM, FROM + timedelta(364), UTC), granularity))
    found = [block.of(ROWS - 1)[0] for block in used_by_value(view, [PRODUCT.by_value(0)], ends)]
    return Cost(meter.read_units - before[0], meter.requests - before[1]), ends, found


def test_a_year_of_a_thousand_values_costs_no_more_than_is_promised(
    client: DynamoDBClient,
) -> None:
    days = {calendar.first_second(d, UTC): columns(d)[0][-1] for d in calendar.days(BEGIN, END)}
    lines = ["| a year | read units | requests |", "| --- | ---: | ---: |"]
    for granularity, most in LARGEST.items():
        cost, ends, found = ask(client, granularity)
        wanted = [sum(n for at, n in days.items() if a <= at < b) for a, b in pairwise(ends)]
        assert found == wanted
        assert cost.units <= most
        lines.append(f"| {granularity.value} | {cost.units:,.0f} | {cost.requests} |")
    text = "\n".join([TEXT, "", *lines])
    write_section(ROOT / "docs" / "performance.md", "A year of 1,000 values", text)


def test_a_value_costs_a_fraction_of_a_write(client: DynamoDBClient) -> None:
    begin = calendar.first_second(date(2026, 11, 18), UTC)
    plain = a_day_of_events(10_000, EVENTS, begin)
    texts = [f"value-{Random(at).randrange(MOST_VALUES)}" for at in range(EVENTS)]
    valued = [each._replace(values=(text, "")) for each, text in zip(plain, texts, strict=True)]
    costs = [units_of(client, name, events) for name, events in (("p", plain), ("v", valued))]
    assert costs[1] - costs[0] <= MOST_OF_A_VALUE


def units_of(client: DynamoDBClient, name: str, events: Sequence[Event[str]]) -> float:
    """Write units of each event of a day, from the log to sealed frames."""
    product = PIPED._replace(kind=replace(PIPED.kind, breakdowns=("model",)))
    create_tables(client, (f"usage-{name}", f"log-{name}"))
    usage, log = (partial(Table, f"{table}-{name}", client=client) for table in ("usage", "log"))
    pipeline = Pipeline(usage, log, product)
    pipeline.run(events, 100, calendar.first_second(date(2026, 11, 18), UTC))
    return sum(pipeline.units.values()) / len(events)


TEXT = """Frames alone, counted by `UPDATE=1 pytest tests/costs/test_values_costs.py`: a product of
four measures whose breakdown has 1,000 values, all of them used on every day. A kind of one measure
takes about a quarter of it."""

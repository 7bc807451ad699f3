"""What a year of usage costs to read, counted by an engine that computes capacity units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, timedelta
from itertools import chain, product
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bench.pipeline import ORGANIZATION
from bench.sums_of_groups import put_sums
from bench.year import END, PRODUCTS, Year, store_usage
from odometer.domain.time import Period
from odometer.engine import calendar
from odometer.engine.format.groups import TEAM, USER, Division, EachUser, Groups, Members
from odometer.engine.read.people import series_of_some
from odometer.engine.read.series import Series
from odometer.engine.read.views import View
from odometer.reports.blocks import ANY, USERS, Granularity, Tally, blocks, edges, tally_blocks
from odometer.storage.dynamo import Meter, Table
from tests.costs.costs import write_section
from tests.support.counting_engine import counting_engine
from tests.support.stack import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.engine
NOON = calendar.first_second(END, UTC) + 12 * 3600
A_YEAR = timedelta(365)
BEGINNINGS = {"of a calendar year": date(2025, 1, 1), "over a New Year": date(2025, 1, 15)}
SIZES = (1_000, 10_000)
TEAMS = 20
PEOPLE: Mapping[str, Callable[[int], Collection[int] | None]] = {
    "organization": lambda _: None,
    "team": lambda users: range(0, users, TEAMS),
    "user": lambda users: {users // 2},
    "some": lambda users: range(0, users, TEAMS),
    "user elsewhere": lambda users: {users // 2},
}
"""Elsewhere, days do not begin with those of UTC, by which usage over time is cut."""
MEMBERS: Mapping[str, Callable[[int], Members]] = {
    "team": lambda _: Members(TEAM, "teams", [0]),
    "user elsewhere": lambda users: Members(USER, "", [users // 2]),
}
BLOCKS_CHECKED = {Granularity.MONTHLY: 1, Granularity.WEEKLY: 30, Granularity.DAILY: 200}


class Cost(NamedTuple):
    """What a question costs in frames alone."""

    units: float
    requests: int


MOST = {1_000: Cost(15, 8), 10_000: Cost(105, 8)}
"""The most that a year of the whole organization may cost, however it is cut."""
OF_A_USER = Cost(40, 56)
OF_A_TEAM = {1_000: Cost(65, 8), 10_000: Cost(130, 8)}
"""The most that a year of a team may cost, however it is cut and whatever the zone."""
OF_SOME: Mapping[Granularity, Mapping[int, Cost]] = {
    Granularity.ALL: {1_000: Cost(15, 8), 10_000: Cost(105, 8)},
    Granularity.MONTHLY: {1_000: Cost(75, 28), 10_000: Cost(625, 28)},
    Granularity.WEEKLY: {1_000: Cost(135, 112), 10_000: Cost(1_100, 112)},
    Granularity.DAILY: {1_000: Cost(400, 8), 10_000: Cost(3_700, 36)},
}
"""The most that a year of any other users may cost, and of a team of which somebody has moved
within the hour: their measures are in frames alone."""


class Measured(NamedTuple):
    """An organization that has used both products for more than a year."""

    year: Year
    client: DynamoDBClient

    def ask(
        self, first: date, granularity: Granularity, whose: str
    ) -> tuple[Cost, list[Period], list[Tally]]:
        """What a year from a day on costs, and what it comes to."""
        users = PEOPLE[whose](self.year.users)
        members = MEMBERS[whose](self.year.users) if whose in MEMBERS else None
        meter = Meter()
        view = View.latest(ORGANIZATION, Table("usage", meter, self.client), "UTC", NOON)
        before = Cost(meter.read_units, meter.requests)
        period = Period.of_days(first, first + A_YEAR - timedelta(1), UTC)
        cut = blocks(period, granularity)
        ends = edges(cut)
        series = (
            Series(view, PRODUCTS, ends, members=members)
            if members
            else series_of_some(view, PRODUCTS, PRODUCTS, ends, users)
        )
        found = tally_blocks(series, users)
        return Cost(meter.read_units - before[0], meter.requests - before[1]), cut, found


@pytest.fixture(scope="module", params=SIZES, ids="{} users".format)
def measured(request: pytest.FixtureRequest) -> Iterator[Measured]:
    year = Year(request.param)
    with counting_engine() as client:
        table = Table("usage", Meter(), client)
        store_usage(table, ORGANIZATION, year)
        add_up(table, year.users)
        yield Measured(year, client)


def add_up(table: Table, users: int) -> None:
    """Write the sums of twenty teams, and of everybody by themselves."""
    head = View.latest(ORGANIZATION, table, "UTC", NOON).head
    pairs = ((user, user % TEAMS) for user in range(users))
    divisions: list[Division] = [Groups.of(TEAM, "teams", pairs), EachUser(users)]
    put_sums(table, ORGANIZATION, head, divisions, PRODUCTS, date(END.year - 2, 1, 1))


def brute_force(year: Year, block: Period, users: Collection[int] | None) -> Tally:
    """What was used in whole days, user by user."""
    tally: Tally = Counter()
    active: dict[str, set[int]] = {each.kind.name: set() for each in PRODUCTS}
    days = calendar.days(block.start.date(), block.end.date())
    for day, used in product(days, PRODUCTS):
        kind, columns = used.kind, year.day(day, used)
        for who in range(year.users) if users is None else users:
            for name, column in zip(kind.measures, columns, strict=True):
                tally[kind.name, name] += column[who]
            if columns[0][who]:
                active[kind.name].add(who)
    tally[ANY, USERS] = len(set(chain.from_iterable(active.values())))
    return tally + Counter({(kind, USERS): len(them) for kind, them in active.items()})


@pytest.mark.parametrize("whose", PEOPLE)
@pytest.mark.parametrize("granularity", BLOCKS_CHECKED)
def test_what_is_counted_is_right(measured: Measured, granularity: Granularity, whose: str) -> None:
    users = PEOPLE[whose](measured.year.users)
    _, cut, found = measured.ask(BEGINNINGS["over a New Year"], granularity, whose)
    at = BLOCKS_CHECKED[granularity]
    assert found[at] == brute_force(measured.year, cut[at], users)


def test_a_year_costs_no_more_than_is_promised(measured: Measured) -> None:
    size = measured.year.users
    table = [["a year", "blocks", *PEOPLE], ["---", "---", *["---:"] * len(PEOPLE)]]
    for (when, first), granularity in product(BEGINNINGS.items(), Granularity):
        costs = [measured.ask(first, granularity, whose)[0] for whose in PEOPLE]
        of_some = OF_SOME[granularity][size]
        promised = [MOST[size], OF_A_TEAM[size], OF_A_USER, of_some, OF_A_TEAM[size]]
        for cost, most in zip(costs, promised, strict=True):
            assert cost.units <= most.units
            assert cost.requests <= most.requests
        cells = [f"{cost.units:,.0f} / {cost.requests}" for cost in costs]
        table.append([when, granularity.value, *cells])
    lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
    write_section(
        ROOT / "docs" / "performance.md", f"A year of {size:,} users", f"{TEXT}\n\n{lines}"
    )


TEXT = """Read units / requests of usage over time in frames alone, counted by
`UPDATE=1 pytest tests/costs/test_series_costs.py`: two products of four measures each,
sixty percent of the users active in both on weekdays, five percent at weekends. A team is
a twentieth of them; `some` are as many who are no team."""

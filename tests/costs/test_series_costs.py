"""What a year of usage costs to read, counted by an engine that computes capacity units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from itertools import chain, product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from bench.pipeline import ORGANIZATION
from bench.sums_of_groups import put_sums
from bench.year import END, PRODUCTS, Year, store_usage
from odometer.domain.people import UserType
from odometer.domain.time import Period
from odometer.engine import calendar
from odometer.engine.format.groups import TEAM, USER, Division, EachUser, Members
from odometer.engine.read.people import series_of_some
from odometer.engine.read.series import Series
from odometer.engine.read.views import View
from odometer.reports.blocks import ANY, USERS, Granularity, Tally, blocks, edges, tally_blocks
from odometer.services.figures import Asked, Filter, GroupBy, Report
from odometer.services.groups import Roster
from odometer.storage.dynamo import Meter, Table
from tests.costs.costs import write_section
from tests.support.counting_engine import counting_engine
from tests.support.stack import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from odometer.domain.kinds import Kind
    from odometer.services.usage import Usage

pytestmark = pytest.mark.engine
NOON = calendar.first_second(END, UTC) + 12 * 3600
A_YEAR = timedelta(365)
BEGINNINGS = {"of a calendar year": date(2025, 1, 1), "over a New Year": date(2025, 1, 15)}
SIZES = (1_000, 10_000)
TEAMS, DEPARTMENTS = 20, 5
PEOPLE: Mapping[str, Callable[[int], Collection[int] | None]] = {
    "organization": lambda _: None,
    "team": lambda users: range(0, users, TEAMS),
    "user": lambda users: {users // 2},
    "some": lambda users: range(0, users, TEAMS),
    "user elsewhere": lambda users: {users // 2},
}
"""Elsewhere, days do not begin with those of UTC, by which usage over time is cut."""
MEMBERS: Mapping[str, Callable[[int], Members]] = {
    "team": lambda users: Members(TEAM, roster(users).digest(TEAM), [0]),
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


class KnownDirectory:
    """Who is in which team and departments: a tenth in two of them; one in a hundred is a service.

    Whoever is in the same of all is in one of 215 cells.
    """

    kinds: Mapping[str, Kind] = {each.id: each.kind for each in PRODUCTS}
    head = SimpleNamespace(blocks_of=lambda *_: [])

    def __init__(self, users: int) -> None:
        self.users = range(users)

    def commits(self, _: object) -> Mapping[str, str]:
        return {}

    def columns(self, *_: str) -> Mapping[str, Sequence[Any]]:
        types = (UserType.ACCOUNT, UserType.SERVICE)
        both = [[], [DEPARTMENTS]]
        return {
            "team": [user % TEAMS for user in self.users],
            "departments": [
                [user // TEAMS % DEPARTMENTS, *both[user // 100 % 10 == 0]] for user in self.users
            ],
            "type": [types[user // 7 % 100 == 0] for user in self.users],
        }


def add_up(table: Table, users: int) -> None:
    """Write the sums of teams and of everybody by themselves, and of one product all others."""
    head = View.latest(ORGANIZATION, table, "UTC", NOON).head
    teams, *others = roster(users).divisions
    of_both: list[Division] = [teams, EachUser(users)]
    since = date(END.year - 2, 1, 1)
    put_sums(table, ORGANIZATION, head, of_both, PRODUCTS, since)
    put_sums(table, ORGANIZATION, head, others, PRODUCTS[:1], since)


def roster(users: int) -> Roster:
    return Roster(KnownDirectory(users).columns())


def figures(measured: Measured, asked: Asked) -> float:
    """What the totals of all groups cost, and blocks of a page of them."""
    meter = Meter()
    view = View.latest(ORGANIZATION, Table("usage", meter, measured.client), "UTC", NOON)
    before, directory = meter.read_units, KnownDirectory(measured.year.users)
    report = Report(cast("Usage", SimpleNamespace(view=view, directory=directory)), asked)
    page = report.totals.groups
    if asked.group_by == GroupBy.USER:
        page = [measured.year.someone]
    if len(asked.edges) > 2:
        report.blocks(page)
    return meter.read_units - before


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


CUTS = {"all": Granularity.ALL, "months": Granularity.MONTHLY, "days": Granularity.DAILY}
FILTERS = {
    "of anybody": Filter(),
    "of a team": Filter(team=3),
    "of accounts in two departments": Filter(None, frozenset({0, 1}), UserType.ACCOUNT),
}
MOST_UNITS = {"of anybody": 75, "of a team": 75, "of accounts in two departments": 130}
"""Of blocks by group, or of their totals with active days by strips."""
MOST_OF_RANGE, MOST_OF_USERS = 105, 100
"""Of a range in one block, and what a page of users costs more: whom to show, and their rows."""


def test_a_year_of_figures_costs_no_more_than_is_promised(measured: Measured) -> None:
    table = [["by", *(f"{cut} {of}" for cut, of in product(CUTS, FILTERS))]]
    table.append(["---", *["---:"] * (len(table[0]) - 1)])
    period = Period.of_days(
        BEGINNINGS["over a New Year"],
        BEGINNINGS["over a New Year"] + A_YEAR - timedelta(1),
        UTC,
    )
    for by in GroupBy:
        cells = []
        for cut, of in product(CUTS, FILTERS):
            ends = edges(blocks(period, CUTS[cut]))
            days = by in {GroupBy.TEAM, GroupBy.DEPARTMENT}
            asked = Asked(PRODUCTS[:1], ends, FILTERS[of], by, days=days)
            units = figures(measured, asked)
            more = MOST_OF_USERS if by == GroupBy.USER else 0
            assert units <= (MOST_OF_RANGE if cut == "all" else MOST_UNITS[of] + more)
            cells.append(f"{units:,.0f}")
        table.append([by.value, *cells])
    lines = "\n".join(f"| {' | '.join(row)} |" for row in table)
    title = f"Figures of a year: {measured.year.users:,} users"
    write_section(ROOT / "docs" / "performance.md", title, f"{OF_FIGURES}\n\n{lines}")


OF_FIGURES = """Read units of the figures of one product in a year over a New Year, in frames alone,
counted by `UPDATE=1 pytest tests/costs/test_series_costs.py`: totals of all groups, and blocks of
them; of users, blocks of one on the page. 20 teams, 6 departments of which a tenth of the users is
in two, and two types make 215 cells. Active days are asked for with teams and departments."""

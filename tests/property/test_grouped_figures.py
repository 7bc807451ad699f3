"""Figures against brute force: any products, groups, filters and blocks, after any steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise, product
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.people import UserType
from odometer.domain.time import epoch_second
from odometer.engine import calendar
from odometer.engine.format.decisions import read_head
from odometer.engine.format.groups import CELL, DEPARTMENT, TEAM, EachUser, Groups
from odometer.engine.format.products import PEOPLE, TOTALS
from odometer.engine.read.series import Series
from odometer.reports.blocks import Granularity, blocks, edges, tally_blocks
from odometer.services.figures import Asked, Figures, Filter, Group, GroupBy, Report
from odometer.services.groups import Roster as KnownRoster
from odometer.services.groups import department_members
from tests.property.test_series import (
    BEGINNINGS,
    EVERYTHING,
    SHARDS_APART,
    USERS_KNOWN,
    Step,
    periods,
    simulate,
    some_event,
    take,
)
from tests.property.test_series import expected as tally_of_events
from tests.support.memory_store import CountedRounds
from tests.support.simulated_engine import ORGANIZATION, SimulatedEngine

if TYPE_CHECKING:
    from odometer.directory.snapshot import Directory
    from odometer.domain.events import Event
    from odometer.domain.kinds import Kind
    from odometer.engine.store import Item, KeyRange
    from odometer.services.usage import Usage

TEAMS = [None, 0, 1]
DEPARTMENTS: list[list[int]] = [[], [0], [1], [0, 1]]
LIVE = ["send", "wait", "send", "settle"]
DEEDS = [*["live"] * 6, *["group"] * 3, "send", "wait", "settle", "rebuild", "age"]
ZONES = ["Asia/Kathmandu", "America/New_York"]


class Roster:
    """Who is in which team and departments, and of which type."""

    def __init__(self, seed: int, spread: int) -> None:
        luck = Random(seed)
        places = range((len(USERS_KNOWN) + 1) * spread)
        known = {place: luck.getrandbits(16) for place in places if place % spread == 0}

        def column(values: Sequence[Any]) -> list[Any]:
            chosen = {p: Random(f"{seed} {values} {k}").choice(values) for p, k in known.items()}
            return [chosen.get(place, values[0]) for place in places]

        self.kinds: Mapping[str, Kind] = {}
        self.team: list[int | None] = column(TEAMS)
        self.departments: list[list[int]] = column(DEPARTMENTS)
        self.type: list[str] = column([*UserType])

    def columns(self, *_: str) -> Mapping[str, list[Any]]:
        return {"team": self.team, "departments": self.departments, "type": self.type}

    def departments_with(self, ids: Sequence[str]) -> set[int]:
        return {int(each) for each in ids}

    def commits(self, _: object) -> Mapping[str, str]:
        return {}

    @property
    def head(self) -> Any:
        return SimpleNamespace(blocks_of=lambda *_: [])

    def groups(self, event: Event[int], by: GroupBy) -> Sequence[Group]:
        """The groups that an event counts in."""
        team = self.team[event.who]
        groups: Mapping[GroupBy, Sequence[Group]] = {
            GroupBy.NONE: [],
            GroupBy.PRODUCT: [event.product],
            GroupBy.TEAM: [team],
            GroupBy.DEPARTMENT: self.departments[event.who] or [None],
            GroupBy.USER: [event.who],
            GroupBy.USER_TYPE: [self.type[event.who]],
        }
        return groups[by]

    def has(self, user: int, only: Filter) -> bool:
        return (
            only.team in (None, self.team[user])
            and (only.departments is None or bool(only.departments & {*self.departments[user]}))
            and only.user_type in (None, self.type[user])
            and (only.users is None or user in only.users)
        )


def usage_of(simulated: SimulatedEngine, roster: Roster) -> Usage:
    view = simulated.view()
    roster.kinds = {product.id: product.kind for product in simulated.products}
    return cast("Usage", SimpleNamespace(view=view, directory=roster))


def figures_of(events: Iterable[Event[int]], asked: Asked, zone: str) -> Figures:
    sums = Counter({(p.kind.name, n): 0 for p in asked.products for n in p.kind.measures})
    kinds = {product.id: product.kind for product in asked.products}
    users, days = set(), set()
    for event in events:
        kind = kinds[event.product]
        names = [(kind.name, name) for name in kind.measures]
        sums.update(dict(zip(names, event.measures, strict=False)))
        users.add(event.who)
        days.add(calendar.day_of(event.second, calendar.zone_of(kind, zone)))
    return Figures(dict(sums), len(users), len(days) if asked.days else None)


def expected(
    simulated: SimulatedEngine, roster: Roster, asked: Asked, ends: Sequence[int]
) -> tuple[Figures, dict[Group, Figures]]:
    ids = {product.id for product in asked.products}
    events = [
        event
        for fold in simulated.folds()
        for event in fold.events
        if event.product in ids
        and ends[0] <= event.second < ends[1]
        and roster.has(event.who, asked.users)
    ]
    groups = {group for event in events for group in roster.groups(event, asked.group_by)}
    of_groups = {
        group: [event for event in events if group in roster.groups(event, asked.group_by)]
        for group in sorted(groups, key=str)
    }
    zone = simulated.zone
    return figures_of(events, asked, zone), {
        group: figures_of(some, asked, zone) for group, some in of_groups.items()
    }


def midnights(end: datetime, days: int, zone: tzinfo) -> list[int]:
    last = calendar.day_of(epoch_second(end), zone)
    return [calendar.first_second(last - timedelta(ago), zone) for ago in range(days, -1, -1)]


@st.composite
def ends_of_blocks(draw: st.DrawFn) -> list[int]:
    period = draw(periods())
    how = draw(st.sampled_from([*Granularity, *ZONES, "hours", "local"]))
    if how in list(Granularity):
        return edges(blocks(period, Granularity(how)))
    end = period.end
    if how == "hours":
        last = epoch_second(end) + 1
        return [last - 3600 * ago for ago in range(draw(st.integers(1, 30)), -1, -1)]
    zone = "Europe/Berlin" if how == "local" else how
    inner = midnights(end, draw(st.integers(1, 9)), ZoneInfo(zone))
    return [inner[0] - draw(st.sampled_from([0, 1, 7_000])), *inner[1:], inner[-1] + 5_000]


@st.composite
def questions(draw: st.DrawFn) -> Asked:
    products = draw(st.lists(st.sampled_from(EVERYTHING), min_size=1, max_size=3, unique=True))
    only = Filter(
        draw(st.sampled_from([None, None, 0, 1])),
        draw(st.sampled_from([None, None, frozenset({0}), frozenset({0, 1})])),
        draw(st.sampled_from([None, None, *UserType])),
    )
    ends, other = draw(ends_of_blocks()), draw(periods())
    return Asked(
        products,
        ends,
        only,
        draw(st.sampled_from(GroupBy)),
        draw(st.sampled_from([None, (epoch_second(other.start), epoch_second(other.end))])),
        draw(st.booleans()),
    )


def group(simulated: SimulatedEngine, roster: Roster, turn: int, budget: int) -> None:
    """Add up some weeks by team, department, type and cell, and by user."""
    head = read_head(ORGANIZATION, simulated.usage)
    if head:
        columns = KnownRoster(roster.columns())
        divisions = [*columns.divisions, EachUser(min(len(columns), 1_000))]
        simulated.grouping.write(
            ORGANIZATION, head, divisions, str(turn), turn, simulated.now, budget
        )
        simulated.pass_time(3600)  # then a read that may be behind is not


@settings(max_examples=15)
@given(
    begin=st.sampled_from(BEGINNINGS),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
    steps=st.lists(
        st.tuples(st.sampled_from(DEEDS), st.integers(0, 2**16)), min_size=1, max_size=18
    ),
    spread=st.sampled_from([1, 3, SHARDS_APART]),
    seed=st.integers(0, 99),
    asked=st.lists(questions(), min_size=1, max_size=4),
    some=st.none() | st.none() | st.sets(st.integers(0, len(USERS_KNOWN))),
)
def test_figures_equal_brute_force(
    begin: datetime,
    zone: str,
    steps: list[Step],
    spread: int,
    seed: int,
    asked: list[Asked],
    some: set[int] | None,
) -> None:
    simulated = simulate(begin, [], spread, zone, [*EVERYTHING, TOTALS, PEOPLE])
    for turn, (step, luck) in enumerate(steps):
        if step == "group":
            divided = Roster(Random(luck).choice([seed, seed, seed + 1]), spread)
            group(simulated, divided, turn, Random(luck).choice([1, 200, 5_000, 5_000]))
        else:
            for each in LIVE if step == "live" else [step]:
                take(simulated, each, Random(f"{turn} {luck} {each}"))
    for question in asked:
        users = None if some is None else frozenset(place * spread for place in some)
        only = question.users._replace(users=users)
        check(simulated, Roster(seed, spread), question._replace(users=only))


def check(simulated: SimulatedEngine, roster: Roster, asked: Asked) -> None:
    report = Report(usage_of(simulated, roster), asked)
    ends = (asked.edges[0], asked.edges[-1])
    for found, pair in ((report.totals, ends), (report.compared, asked.compare)):
        if found is not None and pair is not None:
            all_, groups = expected(simulated, roster, asked, pair)
            assert found.all == all_
            shown = {g: found.of_groups.at(at) for at, g in enumerate(found.groups)}
            assert shown == groups
    in_blocks = report.blocks(report.totals.groups)
    nothing = figures_of([], asked, simulated.zone)
    for block, pair in enumerate(pairwise(asked.edges)):
        all_, groups = expected(simulated, roster, asked, pair)
        assert in_blocks.all.at(block) == all_
        shown = {group: columns.at(block) for group, columns in in_blocks.groups.items()}
        assert shown == {group: groups.get(group, nothing) for group in report.totals.groups}


WEEKS = 9
BEGIN = datetime(2026, 2, 2, 12, tzinfo=UTC)
FILTERS = {
    "anybody": Filter(),
    "a team": Filter(team=1),
    "a department": Filter(departments=frozenset({0})),
    "two departments": Filter(departments=frozenset({0, 1})),
    "accounts": Filter(user_type=UserType.ACCOUNT),
    "accounts of a team": Filter(team=0, user_type=UserType.ACCOUNT),
    "all three": Filter(0, frozenset({1}), UserType.SERVICE),
}
OF_ROSTER = [GroupBy.NONE, GroupBy.TEAM, GroupBy.DEPARTMENT, GroupBy.USER_TYPE, GroupBy.PRODUCT]
SEED = 5


@pytest.fixture(scope="module")
def weeks() -> SimulatedEngine:
    """Weeks that are sealed and added up."""
    simulated = sealed_weeks()
    group(simulated, Roster(SEED, 1), 1, 5_000)
    return simulated


def sealed_weeks() -> SimulatedEngine:
    """Everybody uses some product in each week, and each is sealed."""
    simulated, luck = (
        simulate(BEGIN, [], 1, "Asia/Kathmandu", [*EVERYTHING, TOTALS, PEOPLE]),
        Random(1),
    )
    for _ in range(WEEKS * 2):
        events = [some_event(simulated, luck) for _ in range(14)]
        recent = [e._replace(second=simulated.now - luck.randrange(86_400)) for e in events]
        simulated.accept(recent, luck, 0)
        simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
        simulated.pass_time(7 * 43_200)
        take(simulated, "settle", luck)
    simulated.pass_time(3600)
    return simulated


@pytest.mark.parametrize("only", FILTERS)
@pytest.mark.parametrize("by", OF_ROSTER)
def test_weeks_that_were_added_up_tell_any_filter_and_groups(
    weeks: SimulatedEngine, by: GroupBy, only: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monday = calendar.first_second(date(2026, 2, 2), UTC)
    ends = [monday + 7 * 86_400 * week for week in range(WEEKS)]
    asked = Asked(EVERYTHING[:3], ends, FILTERS[only], by, days=by != GroupBy.TEAM)
    read, items_in = list[str](), weeks.usage.items_in

    def noting(key_range: KeyRange) -> list[Item]:
        found = items_in(key_range)
        read.extend(str(item["sk"]) for item in found)
        return found

    monkeypatch.setattr(weeks.usage, "items_in", noting)
    check(weeks, Roster(SEED, 1), asked)
    assert not [key for key in read if key.startswith("F#")]


def test_weeks_that_were_added_up_for_others_say_nothing(weeks: SimulatedEngine) -> None:
    ends = midnights(BEGIN + timedelta(weeks=WEEKS), 60, UTC)
    for by in OF_ROSTER:
        check(weeks, Roster(SEED + 1, 1), Asked(EVERYTHING[:2], ends, FILTERS["accounts"], by))


@pytest.mark.parametrize("by", [GroupBy.TEAM, GroupBy.DEPARTMENT, GroupBy.PRODUCT])
def test_totals_a_comparison_and_blocks_are_read_in_one_round(
    weeks: SimulatedEngine, by: GroupBy
) -> None:
    usage = usage_of(weeks, Roster(SEED, 1))
    store = CountedRounds(weeks.usage)
    usage.view = replace(usage.view, store=store)  # type: ignore[misc]
    monday = calendar.first_second(date(2026, 2, 2), UTC)
    ends = [monday + 7 * 86_400 * week for week in range(3, 8)]
    before = (ends[0] - 14 * 86_400, ends[0])
    report = Report(usage, Asked(EVERYTHING[:1], ends, Filter(team=1), by, before))
    assert report.totals.groups
    assert report.compared
    assert report.blocks(report.totals.groups).groups
    assert store.rounds == 1


def test_a_page_holds_as_many_users_as_units_pay_for(weeks: SimulatedEngine) -> None:
    usage = usage_of(weeks, Roster(SEED, 1))
    many = 100_000
    head = replace(usage.view.head, users=many)
    usage.view = replace(usage.view, head=head)  # type: ignore[misc]
    ends = midnights(BEGIN + timedelta(weeks=WEEKS), 60, UTC)
    report = Report(usage, Asked(EVERYTHING[:1], ends, group_by=GroupBy.USER))
    side_by_side, apart = list(range(60)), [64 * place for place in range(60)]
    assert report.affordable(side_by_side, 8) == len(side_by_side)
    assert report.affordable(apart, 0) == 1
    assert 1 < report.affordable(apart, 30) < report.affordable(apart, 60) <= 8


def test_departments_that_somebody_is_in_two_of_are_cells(weeks: SimulatedEngine) -> None:
    roster = Roster(SEED, 1)
    members = department_members(cast("Directory", roster), ["0", "1"])
    assert members is not None
    assert members.division == CELL
    users = {user for user, those in enumerate(roster.departments) if those}
    assert users
    monday = calendar.first_second(date(2026, 2, 2), UTC)
    ends = [monday + 7 * 86_400 * week for week in range(WEEKS)]
    series = Series(weeks.view(), EVERYTHING[:2], ends, members=members)
    folds = weeks.folds()
    assert tally_blocks(series, users) == [
        tally_of_events(folds, pair, users, EVERYTHING[:2]) for pair in pairwise(ends)
    ]


def test_weeks_that_the_former_release_added_up_are_read_as_before_until_it_is_done_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulated, roster = sealed_weeks(), Roster(SEED, 1)
    divisions = KnownRoster(roster.columns()).divisions
    groups = (each for each in divisions if isinstance(each, Groups))
    former = [replace(each, rest=None) for each in groups if each.name in {TEAM, DEPARTMENT}]
    monkeypatch.setattr(KnownRoster, "divisions", former)
    group(simulated, roster, 1, 5_000)
    monday = calendar.first_second(date(2026, 2, 2), UTC)
    ends = [monday + 7 * 86_400 * week for week in range(WEEKS)]
    for _ in ("former", "new"):
        for by, only in product(OF_ROSTER, (Filter(), FILTERS["all three"])):
            check(simulated, roster, Asked(EVERYTHING[:2], ends, only, by))
        monkeypatch.undo()
        group(simulated, roster, 1, 5_000)
    stored = {str(item["sk"])[:6] for item in simulated.usage.everything() if "#R#" in item["pk"]}
    assert {"G#cell", "G#type"} <= stored

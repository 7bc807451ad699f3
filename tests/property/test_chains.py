"""Chains of pages: they join to the ranking of page one, as the oracle has it, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.time import format_seconds
from tests.support.apps import APP, OFFICE, SALES
from tests.support.simulated_organization import (
    APPS,
    ZONES,
    SimulatedOrganization,
    new_organization,
)
from tests.support.stack import Reply, Stack, stack_on_moto
from tests.support.usage_oracle import MEASURES, Moment, Query, Row

NOBODYS = "d4d5e6f7-a8b9-0123-def0-234567890123"
DAY = timedelta(days=1)
STARTS = [
    datetime(2026, 3, 28, 20, tzinfo=UTC),
    datetime(2026, 4, 4, 9, tzinfo=UTC),
    datetime(2026, 4, 23, 20, tzinfo=UTC),
    datetime(2026, 10, 31, 22, tzinfo=UTC),
    datetime(2026, 12, 31, 3, tzinfo=UTC),
]
"""Shortly before a clock is changed somewhere, or a New Year."""
STEPS = [
    *["arrive"] * 3,
    *["fold"] * 3,
    *["settle"] * 2,
    *["work"] * 2,
    *["people"] * 2,
    "names_change",
    "move",
    "rebuild",
    "step",
    "retire",
    "wait",
]
ORDERS: Mapping[str, Sequence[str]] = {
    "app_users": ("avg_time", "avg_time_change", "days_active", "username"),
    "apps": ("active_time", "session_count", "name"),
    "users": ("username", "last_activity", "created_at"),
}
CASES = [
    *((route, by, way) for route in ORDERS for by in ORDERS[route] for way in ("asc", "desc")),
    *(("explain", measure, "") for measure in MEASURES),
]
"""Every paged route, by every key and in either direction."""
NIGHT = ("fold", "settle", "rebuild", "retire", "expire")
numbers = count(1)


@dataclass
class Chain:
    """A query whose pages are turned one by one, and what they must join to."""

    simulated: SimulatedOrganization = field(repr=False)
    route: str
    query: Query
    rows: Sequence[Row] = field(default=(), repr=False)
    """What all pages join to: known from page one on."""
    terms: Any = field(default=None, repr=False)
    turned: int = 0
    cursor: str | None = field(default=None, repr=False)
    done: bool = False

    def __post_init__(self) -> None:
        self.began = self.simulated.now

    def turn(self, size: int) -> None:
        """Ask for the next page, which must be what it would have been at page one."""
        reply = self.asked(size)
        if self.simulated.now - self.began >= DAY:
            assert reply.status == 400, (self, reply)
            assert reply.json["error"]["message"].endswith("Cursor expired")
            self.done = True
            return
        assert reply.status == 200, (self, reply)
        moment, page = self.simulated.moment, reply.json
        if self.cursor is None:
            self.rows = EXPECTED[self.route](moment, self.query, page)
        shown = self.rows[self.turned :][:size]
        rows = page["events" if self.route == "explain" else "data"]
        assert rows == [moment.with_activity(row) for row in shown], self
        assert page.get("total_count", len(self.rows)) == len(self.rows)
        assert self.terms in (None, page.get("terms"))
        self.terms, self.cursor = page.get("terms"), page["next_cursor"]
        self.turned += len(shown)
        self.done = self.turned == len(self.rows)
        assert self.done == (self.cursor is None)

    def asked(self, size: int) -> Reply:
        client = self.simulated.client
        paging = {"page_size": size, **({"cursor": self.cursor} if self.cursor else {})}
        path = PATHS[self.route].format(f"/v2/clients/{client.organization}")
        return client.get(path, urlencode({**self.query, **paging}))


PATHS = {
    "app_users": f"{{}}/analytics/apps/{APP}/utilization/users",
    "apps": "{}/analytics/apps/utilization",
    "users": "{}/users",
    "explain": "/v1/explain",
}


def told_apart(moment: Moment, query: Query, page: Any) -> list[Row]:
    """The events of an explanation: those of the days that its terms name one by one."""
    place = MEASURES.index(query["measure"])
    value = sum(event.measures[place] for event in moment.explained(query))
    terms = page["terms"]
    assert page["value"] == value == sum(term["sign"] * term["value"] for term in terms)
    days = {term["key"].rpartition("/")[2] for term in terms if term["term"] == "segment"}
    return moment.told_apart(query, days)


EXPECTED: Mapping[str, Callable[[Moment, Query, Any], list[Row]]] = {
    "app_users": lambda moment, query, _: moment.app_users(query),
    "apps": lambda moment, query, _: moment.ranked_apps(query),
    "users": lambda moment, query, _: moment.listed(query),
    "explain": told_apart,
}


# queries


def some_query(simulated: SimulatedOrganization, case: tuple[str, str, str], luck: Random) -> Query:
    """A query of a case: any days, comparison and filters."""
    route, by, way = case
    if route == "explain":
        return {"measure": by, **some_explanation(simulated, luck)}
    query = {"sort_by": by, "sort_order": way}
    if route != "users":
        query |= some_days(simulated, luck)
    if route == "app_users":
        query["granularity"] = "weekly"
    if route != "apps" and luck.random() < 0.4:
        ids = luck.choices([SALES, OFFICE, NOBODYS], k=luck.choice([1, 1, 2]))
        query[luck.choice(["department_ids", "department_id"])] = ",".join(ids)
    if route != "app_users" and luck.random() < 0.2:
        query["q"] = luck.choice("aApP1")
    return query


def some_days(simulated: SimulatedOrganization, luck: Random) -> dict[str, str]:
    today = simulated.now.astimezone(ZoneInfo(simulated.zone)).date()
    last = today + luck.choice([-7, -1, -1, 0, 0, 3]) * DAY
    first = last - luck.choice([0, 1, 6, 27, 27, 89, 365]) * DAY
    query = {"start_date": str(first), "end_date": str(last)}
    compare = luck.choice(["none", "dates", "previous"])
    if compare == "dates":
        end = first + luck.choice([-1, 0, 3]) * DAY
        begin = end - luck.choice([0, 6, 27]) * DAY
        query |= {"compare_start_date": str(begin), "compare_end_date": str(end)}
    return {**query, "compare": "previous_period"} if compare == "previous" else query


def some_explanation(simulated: SimulatedOrganization, luck: Random) -> dict[str, str]:
    end = simulated.now - timedelta(seconds=luck.choice([0, 0, 3_600, 30_000, 700_001]))
    start = end - timedelta(hours=luck.choice([5, 20, 30, 80, 500, 9_000]))
    user = {"user": luck.choice([*simulated.names.values()])} if luck.random() < 0.2 else {}
    span = {"from": format_seconds(start), "to": format_seconds(end)}
    return {"product": luck.choice([APP, *APPS]), **span, **user}


# stories


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with stack_on_moto() as stack:
        yield stack


@dataclass
class History:
    """An organization, and chains of every kind that are begun and turned while it goes on."""

    simulated: SimulatedOrganization
    luck: Random
    waiting: list[tuple[str, str, str]] = field(default_factory=lambda: list(CASES))
    chains: list[Chain] = field(default_factory=list)

    @property
    def turning(self) -> list[Chain]:
        return [chain for chain in self.chains if not chain.done]

    def begin(self, most: int) -> None:
        """Begin some chains: page one is of now."""
        for _ in range(min(most, len(self.waiting))):
            case = self.waiting.pop(self.luck.randrange(len(self.waiting)))
            query = some_query(self.simulated, case, self.luck)
            self.chains.append(Chain(self.simulated, case[0], query))
            self.chains[-1].turn(self.luck.choice([1, 1, 2, 3]))

    def go_on(self) -> None:
        """Turn a page of some chains, and ask anew what one of them asks."""
        some = self.luck.sample(self.turning, min(4, len(self.turning)))
        for chain in some:
            chain.turn(self.luck.choice([1, 1, 2, 4]))
        for chain in some[:1]:
            Chain(self.simulated, chain.route, chain.query).turn(200)

    def end(self) -> None:
        """Begin what has not begun, and finish all of it."""
        self.begin(len(CASES))
        self.finish()

    def finish(self) -> None:
        """Turn all pages that are left."""
        while self.turning:
            self.turning[0].turn(self.luck.choice([1, 3, 200]))

    def arrive_in_its_zone(self) -> None:
        """Once nothing is on its way any more, the days are those of the zone last moved to."""
        for what in 2 * ("settle", "rebuild"):
            self.simulated.take(what, self.luck)
        assert self.simulated.zone_shown == self.simulated.zone
        Chain(self.simulated, "app_users", some_query(self.simulated, CASES[0], self.luck)).turn(
            200
        )


@settings(max_examples=6, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    start=st.sampled_from(STARTS),
    seed=st.integers(0, 2**32),
    steps=st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(0, 2**32)), min_size=10, max_size=20
    ),
)
def test_pages_join_to_the_ranking_of_page_one_whatever_happens(
    stack: Stack, zone: str, start: datetime, seed: int, steps: list[tuple[str, int]]
) -> None:
    luck = Random(seed)
    with new_organization(stack, next(numbers), zone, start - 19 * DAY) as simulated:
        simulated.begin(luck)
        history = History(simulated, luck)
        for what, chance in steps:
            history.begin(3)
            simulated.take(what, Random(chance))
            history.go_on()
        history.end()
        history.arrive_in_its_zone()


def of_two_years(query: Query, luck: Random) -> Query:
    """A query that asks about days or instants as if about all that is kept."""
    if "from" in query:
        return {**query, "product": APP, "from": "2025-01-01T00:00:00Z"}
    if "start_date" not in query:
        return query
    days = {"start_date": "2026-01-01", "end_date": "2026-12-31"}
    before = {"compare_start_date": "2025-01-01", "compare_end_date": "2025-12-31"}
    kept = {name: query[name] for name in query if "compare" not in name}
    return {**kept, **days, **luck.choice([{}, before])}


def test_what_is_cleaned_up_is_missed_by_no_chain_that_is_younger_than_a_day(stack: Stack) -> None:
    luck, noon = Random(6), datetime(2026, 12, 31, 12, tzinfo=UTC)
    with new_organization(stack, next(numbers), "Europe/Berlin", noon - 19 * DAY) as simulated:
        simulated.begin(luck)
        simulated.put(organization={"retention_years": 2})
        simulated.client.later(noon - simulated.now)
        simulated.arrive(luck, 40)
        simulated.fold(luck)
        frames = simulated.frames
        assert years_of(frames) == {"2025", "2026"}
        queries = [(case[0], some_query(simulated, case, luck)) for case in 2 * CASES]
        chains = [Chain(simulated, route, of_two_years(query, luck)) for route, query in queries]
        for hours in (0, 8, 8, 7):
            simulated.client.later(timedelta(hours=hours))
            for chain in chains:
                if not chain.done:
                    chain.turn(1)
            for what in ("arrive", "people", *NIGHT):
                getattr(simulated, what)(luck)
        late = [chain for chain in chains if not chain.done]
        assert {chain.route for chain in late} == set(PATHS)
        assert frames <= simulated.frames
        for chain in late[::2]:
            chain.turn(200)
        simulated.client.later(timedelta(hours=1))
        for chain in late[1::2]:
            chain.turn(200)
        simulated.client.later(DAY)
        simulated.retire(luck)
        assert years_of(frames - simulated.frames) == {"2025", "2026"}


def years_of(frames: Collection[str]) -> set[str]:
    return {name.split("#")[3] for name in frames}

"""App utilization against brute force: any days, order, departments, and chains while all moves."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from random import Random
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.events import Event
from odometer.domain.time import epoch_second
from tests.support.apps import APP, CLIENT, JAMES, OFFICE, OTHER_APP, SALES, USERS, Client, use
from tests.support.stack import OTHER, stack_on_moto

BEGIN = datetime(2025, 10, 5, tzinfo=UTC)
NOW = datetime(2026, 4, 10, 15, 30, tzinfo=UTC)
STEP = timedelta(days=45)
PEOPLE = 11
EMPTY = "d3c4d5e6-f7a8-9012-cdef-123456789012"
NOBODYS = "d4d5e6f7-a8b9-0123-def0-234567890123"
Figures = tuple[int, int]


@dataclass
class Reported:
    """A client, its events, and who is in which department."""

    client: Client
    zone: ZoneInfo
    departments: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def people(self, random: Random) -> None:
        """Users whose names sort otherwise than their ids."""
        for number in range(PEOPLE):
            name = f"{random.choice('aAbBcC')}{random.randrange(100)} {number}"
            own = random.sample([SALES, OFFICE], random.choice([0, 1, 1, 2]))
            user = f"u{(number * 7) % PEOPLE:02}"
            self.client.person(user, name, *own)
            self.departments[user], self.names[user] = own, name

    @property
    def events(self) -> Sequence[Event[str]]:
        """What counts: of the same event sent again, the first."""
        first: dict[Any, Event[str]] = {}
        for event in self.client.meters.sent:
            first.setdefault(event.identity, event)
        return list(first.values())

    def day(self, event: Event[str]) -> date:
        return datetime.fromtimestamp(event.second, self.zone).date()

    def within(self, first: date, last: date) -> list[Event[str]]:
        """The uses of the app on some days."""
        return [e for e in self.events if e.product == APP and first <= self.day(e) <= last]

    def figures(self, app: str, first: date, last: date) -> dict[str, Figures]:
        """By user, active milliseconds and the number of days with any use."""
        sums: defaultdict[str, int] = defaultdict(int)
        days: defaultdict[str, set[date]] = defaultdict(set)
        for event in self.events:
            day = self.day(event)
            if event.product == app and first <= day <= last:
                sums[event.who] += event.measures[0]
                days[event.who].add(day)
        return {user: (sums[user], len(days[user])) for user in days}

    def rows(self, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What the whole ranking must be, without last activities."""
        asked, compared = spans(query)
        wanted = set(query["department_ids"].split(",")) if "department_ids" in query else None
        used = self.figures(APP, *asked)
        before = self.figures(APP, *compared) if compared else None
        users = [u for u in used if wanted is None or wanted.intersection(self.departments[u])]
        rows = [self.row(user, used[user], before) for user in sorted(users)]
        key = KEYS[query.get("sort_by", "avg_time")]
        there = [row for row in rows if key(row) is not None]
        there.sort(key=key, reverse=query.get("sort_order", "desc") == "desc")
        return there + [row for row in rows if key(row) is None]

    def row(self, user: str, used: Figures, before: Mapping[str, Figures] | None) -> dict[str, Any]:
        value, compared = average(used), None
        if before is not None:
            compared = average(before[user]) if user in before else 0
        change = nearest(Fraction(1000 * (value - compared), compared)) / 10 if compared else None
        figures = {"value": value, "change_pct": change, "compare_value": compared}
        name = self.names[user]
        who = {"id": user, "username": name, "user_key": f"{name}@example.com"}
        return {"user": who, "avg_time_ms_per_day": figures, "days_active": used[1]}


KEYS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "avg_time": lambda row: row["avg_time_ms_per_day"]["value"],
    "avg_time_change": lambda row: row["avg_time_ms_per_day"]["change_pct"],
    "days_active": lambda row: row["days_active"],
    "username": lambda row: row["user"]["username"].lower(),
}


def average(figures: Figures) -> int:
    return nearest(Fraction(*figures))


def nearest(number: Fraction) -> int:
    """Half away from zero, by the book."""
    return floor(number + Fraction(1, 2)) if number >= 0 else -floor(-number + Fraction(1, 2))


def spans(query: Mapping[str, Any]) -> tuple[tuple[date, date], tuple[date, date] | None]:
    """The days that a query is about, and those that it compares with."""
    first, last = (date.fromisoformat(query[name]) for name in ("start_date", "end_date"))
    if query.get("compare"):
        count = (last - first).days + 1
        return (first, last), (first - timedelta(count), first - timedelta(1))
    if "compare_start_date" in query:
        ends = ("compare_start_date", "compare_end_date")
        compared = [date.fromisoformat(query[name]) for name in ends]
        return (first, last), (compared[0], compared[1])
    return (first, last), None


def some_events(random: Random, zone: ZoneInfo, begin: datetime, end: datetime) -> Any:
    """Small numbers, so that many tie; often at the edge of a local day, some beyond 53 bits."""
    for _ in range(250):
        day = begin.date() + timedelta(random.randrange((end - begin).days))
        local = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        at = local + timedelta(seconds=random.choice([-1, 0, 1, 43_200, random.randrange(90_000)]))
        active_ms = random.choice([0, 1, 1, 2, 3, 10, 2**40])
        who = f"u{min(random.randrange(PEOPLE), random.randrange(PEOPLE)):02}"
        app, platform = (
            random.choice([APP, APP, OTHER_APP]),
            random.choice(["desktop", "web", None]),
        )
        sessions = random.choice([0, 1, 5]) + (active_ms == 0)
        yield use(who, min(max(at, begin), end), active_ms, sessions, app=app, platform=platform)


def folded(client: Client, events: Sequence[Event[str]]) -> None:
    """Everything is decided, nothing is settled."""
    client.used(*events)


def settled(client: Client, events: Sequence[Event[str]]) -> None:
    """Everything came at once, and late."""
    client.used(*events)
    client.settle()


def lived(client: Client, events: Sequence[Event[str]]) -> None:
    """Days were sealed as time went by; some came late, the last are not settled."""
    begin = BEGIN
    while begin < NOW:
        end = begin + STEP
        due = [each for each in events if epoch_second(begin) <= each.second < epoch_second(end)]
        late = due[::7]
        client.meters.send([each for each in due if each not in late], min(end, NOW))
        if end < NOW:
            client.meters.settle(end)
        client.meters.send(late, min(end, NOW))
        begin = end


def rebuilt(client: Client, events: Sequence[Event[str]]) -> None:
    """The frames were made again."""
    lived(client, events)
    client.settle()
    client.meters.rebuild(client.now)


class InTurn:
    """Reads one after the other: what moto answers in this process, threads only delay."""

    def map(self, read: Callable[[Any], Any], spans: Sequence[Any]) -> list[Any]:
        return [read(span) for span in spans]


WAYS = [
    (folded, "Europe/Berlin"),
    (settled, "America/New_York"),
    (lived, "Australia/Lord_Howe"),
    (rebuilt, "Pacific/Kiritimati"),
]


@pytest.fixture(
    scope="module", params=WAYS, ids=lambda way: f"{way[0].__name__}-{way[1].split('/')[1]}"
)
def reported(request: pytest.FixtureRequest) -> Iterator[Reported]:
    """A client with a year and more of use, and a neighbour who uses the same ids all the time."""
    yield from made(*request.param)


def made(arrive: Callable[[Client, Sequence[Event[str]]], None], name: str) -> Iterator[Reported]:
    zone, random = ZoneInfo(name), Random(6)
    with stack_on_moto() as stack, patch("odometer.storage.shelf.readers", InTurn):
        neighbour = Client(stack, OTHER, NOW)
        neighbour.person(JAMES, "u00", SALES)
        neighbour.used(*some_events(random, zone, BEGIN, NOW))
        client = Client(stack, now=NOW)
        client.put("organization", time_zone=name)
        client.put("department", id=EMPTY, name="Empty")
        reported = Reported(client, zone)
        reported.people(random)
        arrive(client, list(some_events(random, zone, BEGIN, NOW)))
        yield reported


# queries

DAYS = st.dates(date(2025, 9, 25), date(2026, 4, 20))
LENGTHS = st.sampled_from([1, 1, 2, 7, 8, 28, 31, 90, 365, 366])
EDGES = [
    date(2025, 3, 30),
    date(2025, 11, 2),
    date(2026, 1, 1),
    date(2026, 3, 29),
    date(2026, 4, 9),
]
"""Days on which a clock is changed, the New Year, and the last that can be over."""


@st.composite
def some_days(draw: st.DrawFn) -> tuple[str, str]:
    length = draw(LENGTHS)
    last = draw(st.one_of(DAYS, st.sampled_from(EDGES)))
    return str(last - timedelta(length - 1)), str(last)


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    first, last = draw(some_days())
    query: dict[str, Any] = {"start_date": first, "end_date": last}
    compare = draw(st.sampled_from(["none", "dates", "dates", "previous"]))
    if compare == "dates":
        dates = zip(("compare_start_date", "compare_end_date"), draw(some_days()), strict=True)
        query |= dict(dates)
    if compare == "previous":
        query["compare"] = "previous_period"
    if draw(st.booleans()):
        query["sort_by"] = draw(st.sampled_from(sorted(KEYS)))
        query["sort_order"] = draw(st.sampled_from(["asc", "desc"]))
    if draw(st.integers(0, 2)) == 0:
        ids = draw(
            st.lists(st.sampled_from([SALES, OFFICE, EMPTY, JAMES[1:].rjust(36, "0")]), min_size=1)
        )
        query["department_ids"] = ",".join(ids)
    return {"granularity": "weekly", **query}


def without_activity(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as the model has them."""
    return [
        {**row, "user": {k: v for k, v in row["user"].items() if k != "last_activity"}}
        for row in rows
    ]


def asked(reported: Reported, query: Mapping[str, Any]) -> Any:
    reply = reported.client.users(urlencode(query))
    assert reply.status == 200, reply
    return reply.json


@settings(max_examples=15)
@given(query=queries())
def test_any_ranking_equals_brute_force(reported: Reported, query: dict[str, Any]) -> None:
    expected = reported.rows(query)
    answer = asked(reported, {**query, "page_size": 200})
    assert without_activity(answer["data"]) == expected
    assert (answer["total_count"], answer["next_cursor"]) == (len(expected), None)


@settings(max_examples=3)
@given(query=queries(), sizes=st.lists(st.integers(1, 7), min_size=1), luck=st.randoms())
def test_pages_join_to_the_ranking_of_page_one_whatever_happens(
    reported: Reported, query: dict[str, Any], sizes: list[int], luck: Random
) -> None:
    expected = reported.rows(query)
    pages: list[Any] = []
    cursor = None
    while not pages or cursor:
        size = {"page_size": sizes[len(pages) % len(sizes)]}
        page = asked(reported, {**query, **size, **({"cursor": cursor} if cursor else {})})
        pages += page["data"] or [None]
        cursor = page["next_cursor"]
        assert page["total_count"] == len(expected)
        change(reported, luck)
    assert without_activity([row for row in pages if row]) == expected


@settings(max_examples=3)
@given(
    order=st.sampled_from(["last_activity", "username"]),
    direction=st.sampled_from(["asc", "desc"]),
    luck=st.randoms(),
)
def test_pages_of_users_join_to_the_list_of_page_one_whatever_happens(
    reported: Reported, order: str, direction: str, luck: Random
) -> None:
    query = {"sort_by": order, "sort_order": direction}
    whole = listed(reported, {**query, "page_size": 500})
    expected = [row["username"] for row in whole["data"]]
    found: list[str] = []
    cursor = None
    while not found or cursor:
        page = listed(reported, {**query, "page_size": 3, **({"cursor": cursor} if cursor else {})})
        found += [row["username"] for row in page["data"]]
        cursor = page["next_cursor"]
        change(reported, luck)
    assert found == expected


def listed(reported: Reported, query: Mapping[str, Any]) -> Any:
    reply = reported.client.get(f"{CLIENT}/users", urlencode(query))
    assert reply.status == 200, reply
    return reply.json


@settings(max_examples=12)
@given(query=queries(), granularity=st.sampled_from(["daily", "weekly", "monthly", "quarterly"]))
def test_totals_and_course_of_an_app_equal_brute_force(
    reported: Reported, query: dict[str, Any], granularity: str
) -> None:
    first, last = spans(query)[0]
    departments = {k: v for k, v in query.items() if k == "department_ids"}
    dates = {"granularity": granularity, "start_date": first, "end_date": last, **departments}
    rows = reported.rows({**query, **{k: str(v) for k, v in dates.items()}})
    users = {row["user"]["id"] for row in rows}
    events = [e for e in reported.within(first, last) if e.who in users]
    days = {reported.day(event) for event in events}
    active_ms = sum(event.measures[0] for event in events)
    detail = got(reported, USERS.removesuffix("/users"), dates)
    assert [detail[name]["value"] for name in FIGURES] == [
        len(users),
        active_ms,
        average((active_ms, len(days))) if days else 0,
        sum(event.measures[1] for event in events),
    ]
    course = got(reported, ACTIVITY, {**dates, "metric": "user-count"})["data"]
    firsts = [date.fromisoformat(point["date"]) for point in course]
    ends = [*firsts[1:], last + timedelta(1)]
    assert firsts[0] == first
    assert [point["value"] for point in course] == [
        len({e.who for e in events if begin <= reported.day(e) < end})
        for begin, end in zip(firsts, ends, strict=True)
    ]


FIGURES = ("unique_users", "active_time_ms", "avg_time_ms_per_day", "session_count")
ACTIVITY = f"{CLIENT}/analytics/apps/{APP}/activity"


def got(reported: Reported, path: str, query: Mapping[str, Any]) -> Any:
    reply = reported.client.get(path, urlencode(query))
    assert reply.status == 200, reply
    return reply.json


@settings(max_examples=8)
@given(span=some_days(), user=st.integers(0, PEOPLE - 1))
def test_one_person_across_all_products_equals_brute_force(
    reported: Reported, span: tuple[str, str], user: int
) -> None:
    first, last = map(date.fromisoformat, span)
    path = f"{CLIENT}/users/u{user:02}/usage"
    answer = got(reported, path, {"start_date": first, "end_date": last})
    used = {app: reported.figures(app, first, last) for app in (APP, OTHER_APP)}
    assert {
        each["product"]["id"]: (each["measures"]["active_ms"], each["days_active"])
        for each in answer["products"]
    } == {app: figures[f"u{user:02}"] for app, figures in used.items() if f"u{user:02}" in figures}


def change(reported: Reported, luck: Random) -> None:
    """Something that must not be seen from a chain that has begun."""
    client = reported.client
    user = f"u{luck.randrange(PEOPLE):02}"
    match luck.randrange(13):
        case 0 | 1 | 2 | 3:
            at = client.now - timedelta(days=luck.choice([0, 0, 1, 40, 200]), seconds=luck.random())
            client.rung(use(user, at, luck.choice([1, 7])))
        case 4 | 5:
            client.settle()
        case 6:
            scope = luck.choice([f"{APP}#2026", f"{APP}#2025", f"{OTHER_APP}#2026"])
            client.meters.engine.rebuilding.request(client.organization, scope, reported.zone.key)
            while client.meters.engine.rebuild(client.organization, client.now):
                pass
        case 7 | 8:
            own = luck.sample([SALES, OFFICE], luck.choice([0, 1, 2]))
            client.put("user", id=user, departments=own)
            reported.departments[user] = own
        case 9 | 10:
            name = f"{luck.choice('aAbBcC')}{luck.randrange(10**9)}"
            client.put("user", id=user, username=name, user_key=f"{name}@example.com")
            reported.names[user] = name
        case 11 | 12:
            client.later(timedelta(minutes=luck.choice([1, 20, 61])))

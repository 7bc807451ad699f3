"""App utilization against brute force: any days, comparison, order and departments."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from random import Random
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.events import Event
from odometer.domain.time import epoch_second
from tests.support.apps import APP, CLIENT, JAMES, OFFICE, OTHER_APP, SALES, USERS, Client, use
from tests.support.simulated_organization import usage_in_memory
from tests.support.stack import OTHER, stack_on_moto
from tests.support.usage_oracle import USERS_BY, Moment, spans

BEGIN = datetime(2025, 10, 5, tzinfo=UTC)
NOW = datetime(2026, 4, 10, 15, 30, tzinfo=UTC)
STEP = timedelta(days=45)
PEOPLE = 11
EMPTY = "d3c4d5e6-f7a8-9012-cdef-123456789012"
NOBODYS = "d4d5e6f7-a8b9-0123-def0-234567890123"


@dataclass
class Reported:
    """A client, and the zone whose days it counts."""

    client: Client
    zone: ZoneInfo

    def people(self, random: Random) -> None:
        """Users whose names sort otherwise than their ids."""
        for number in range(PEOPLE):
            name = f"{random.choice('aAbBcC')}{random.randrange(100)} {number}"
            own = random.sample([SALES, OFFICE], random.choice([0, 1, 1, 2]))
            self.client.person(f"u{(number * 7) % PEOPLE:02}", name, *own)

    @cached_property
    def moment(self) -> Moment:
        """What counts: of the same event sent again, the first."""
        first: dict[Any, Event[str]] = {}
        for event in self.client.usage_sender.sent:
            first.setdefault(event.identity, event)
        directory = self.client.stack.directories.open(self.client.organization)
        return Moment.of(first.values(), self.zone.key, directory)


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


def arrived_over_time(client: Client, events: Sequence[Event[str]]) -> None:
    """Days were sealed as time went by; some came late, the last are not settled."""
    begin = BEGIN
    while begin < NOW:
        end = begin + STEP
        due = [each for each in events if epoch_second(begin) <= each.second < epoch_second(end)]
        late, client.stack.now = due[::7], min(end, NOW)
        client.usage_sender.send([each for each in due if each not in late], min(end, NOW))
        if end < NOW:
            client.usage_sender.settle(end)
        client.usage_sender.send(late, min(end, NOW))
        begin = end


def rebuilt(client: Client, events: Sequence[Event[str]]) -> None:
    """The frames were made again."""
    arrived_over_time(client, events)
    client.settle()
    client.usage_sender.rebuild(client.now)


WAYS = [
    (folded, "Europe/Berlin"),
    (settled, "America/New_York"),
    (arrived_over_time, "Australia/Lord_Howe"),
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
    with stack_on_moto() as stack, usage_in_memory(stack):
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
        query["sort_by"] = draw(st.sampled_from(sorted(USERS_BY)))
        query["sort_order"] = draw(st.sampled_from(["asc", "desc"]))
    if draw(st.integers(0, 2)) == 0:
        ids = draw(
            st.lists(st.sampled_from([SALES, OFFICE, EMPTY, JAMES[1:].rjust(36, "0")]), min_size=1)
        )
        query["department_ids"] = ",".join(ids)
    return {"granularity": "weekly", **query}


def asked(reported: Reported, query: Mapping[str, Any]) -> Any:
    reply = reported.client.users(urlencode(query))
    assert reply.status == 200, reply
    return reply.json


@settings(max_examples=30)
@given(query=queries())
def test_any_ranking_equals_brute_force(reported: Reported, query: dict[str, Any]) -> None:
    moment = reported.moment
    expected = moment.app_users(query)
    answer = asked(reported, {**query, "page_size": 200})
    assert answer["data"] == [moment.with_activity(row) for row in expected]
    assert (answer["total_count"], answer["next_cursor"]) == (len(expected), None)


@settings(max_examples=30)
@given(query=queries(), granularity=st.sampled_from(["daily", "weekly", "monthly", "quarterly"]))
def test_totals_and_course_of_an_app_equal_brute_force(
    reported: Reported, query: dict[str, Any], granularity: str
) -> None:
    moment, (first, last) = reported.moment, spans(query)[0]
    departments = {k: v for k, v in query.items() if k == "department_ids"}
    dates = {"granularity": granularity, "start_date": first, "end_date": last, **departments}
    events = [e for e in moment.within(APP, (first, last)) if moment.belongs(e.who, query)]
    detail = got(reported, USERS.removesuffix("/users"), dates)
    figures = {name: detail[name]["value"] for name in moment.figures}
    assert figures == {name: figure(events) for name, figure in moment.figures.items()}
    course = got(reported, ACTIVITY, {**dates, "metric": "user-count"})["data"]
    firsts = [date.fromisoformat(point["date"]) for point in course]
    ends = [*firsts[1:], last + timedelta(1)]
    assert firsts[0] == first
    assert [point["value"] for point in course] == [
        len({e.who for e in events if begin <= moment.day(e) < end})
        for begin, end in zip(firsts, ends, strict=True)
    ]


ACTIVITY = f"{CLIENT}/analytics/apps/{APP}/activity"


def got(reported: Reported, path: str, query: Mapping[str, Any]) -> Any:
    reply = reported.client.get(path, urlencode(query))
    assert reply.status == 200, reply
    return reply.json


@settings(max_examples=12)
@given(span=some_days(), user=st.integers(0, PEOPLE - 1))
def test_one_person_across_all_products_equals_brute_force(
    reported: Reported, span: tuple[str, str], user: int
) -> None:
    moment, (first, last) = reported.moment, map(date.fromisoformat, span)
    path = f"{CLIENT}/users/u{user:02}/usage"
    answer = got(reported, path, {"start_date": first, "end_date": last})
    events = {app: moment.by_user(app, (first, last)).get(f"u{user:02}") for app in moment.apps}
    assert {
        each["product"]["id"]: (each["measures"]["active_ms"], each["days_active"])
        for each in answer["products"]
    } == {
        app: (sum(event.measures[0] for event in mine), len({moment.day(e) for e in mine}))
        for app, mine in events.items()
        if mine
    }

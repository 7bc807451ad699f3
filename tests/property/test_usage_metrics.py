"""The usage metrics API against brute force: organizations whose people come, move and go."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.events import Event
from odometer.domain.kinds import KINDS
from odometer.domain.people import State
from odometer.domain.time import epoch_ms
from tests.support.memory_directory import ACME
from tests.support.stack import OTHER, Stack, admin_of, stack_on_moto
from tests.support.usage_sender import UsageSender, used

BEGIN, NOW = datetime(2024, 2, 20, tzinfo=UTC), datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
LIVES_FROM, STEP = datetime(2025, 12, 1, tzinfo=UTC), timedelta(days=40)
PRODUCTS = {
    "code-completions": KINDS["completion"],
    "chat": KINDS["chat"],
    "pair": KINDS["chat"],
    "automation": KINDS["test"],
}
SPECIAL = [(2024, 2, 29), (2024, 12, 31), (2025, 1, 1), (2025, 3, 30), (2025, 10, 26), (2026, 1, 1)]
"""A leap day, two turns of a year, and days on which clocks are changed."""
TEAMS, USERS = ("red", "green", "empty"), tuple(f"user-{number}" for number in range(9))
UNITS = {"all": "all", "day": "daily", "daily": "daily", "week": "weekly", "monthly": "monthly"}

States = list[tuple[State, datetime]]


@dataclass
class Organization:
    """A deployment that reports, what was used, and what became of whom."""

    stack: Stack
    key: str
    events: list[Event[str]]
    teams: Mapping[str, str | None]
    states_by_user: Mapping[str, States]

    def get(self, path: str, **query: str | None) -> Any:
        sent = {name: value for name, value in query.items() if value is not None}
        reply = self.stack.get(f"/api/v1/{path}?{urlencode(sent)}", self.key)
        assert reply.status == 200, reply
        return reply.json


def some_events(random: Random) -> Iterator[Event[str]]:
    """Use of two years in the order of its time, often on a special day or at midnight."""
    moments = []
    for _ in range(260):
        day = BEGIN + timedelta(days=random.randrange((NOW - BEGIN).days))
        day = random.choice([day, day, datetime(*random.choice(SPECIAL), tzinfo=UTC)])
        moments.append(
            day + timedelta(seconds=random.choice([0, 86_399, random.randrange(86_400)]))
        )
    for turn, moment in enumerate(sorted(moments)):
        product, kind = random.choice(list(PRODUCTS.items()))
        measures = [random.choice([0, 1, 5, 700]) for _ in kind.measures]
        measures[random.randrange(len(measures))] += 1
        yield used(random.choice(USERS), product, moment, *measures, event=f"{turn}")


def some_states(random: Random) -> States:
    """One to four states, at moments that may be the edge of a month."""
    begins = sorted(
        BEGIN + timedelta(days=random.randrange(60, 740)) for _ in range(random.randint(1, 4))
    )
    edges = sorted(random.choice([each, each.replace(day=1)]) for each in begins)
    first = random.randrange(len(State))
    states = [list(State)[(first + turn) % len(State)] for turn in range(len(edges))]
    return list(zip(states, edges, strict=True))


def folded(usage_sender: UsageSender, events: Sequence[Event[str]]) -> None:
    """Everything is decided, nothing is settled."""
    usage_sender.send(events, NOW)


def arrived_over_time(usage_sender: UsageSender, events: Sequence[Event[str]]) -> None:
    """Days were sealed as time went by; what is older came late, the last is not settled."""
    usage_sender.settle(LIVES_FROM)
    begin, since = LIVES_FROM, BEGIN
    while begin < NOW:
        end = min(begin + STEP, NOW)
        due = [each for each in events if since.timestamp() <= each.second < end.timestamp()]
        usage_sender.send(due[1::4], end)
        usage_sender.settle(end - timedelta(minutes=1))
        usage_sender.send([each for each in due if each not in due[1::4]], end)
        begin = since = end


@pytest.fixture(
    scope="module", params=[folded, arrived_over_time], ids=lambda stage: stage.__name__
)
def ours(request: pytest.FixtureRequest) -> Iterator[Organization]:
    """People change teams and states after they have used something; a neighbour does the same."""
    arrive: Callable[[UsageSender, Sequence[Event[str]]], None] = request.param
    with stack_on_moto() as stack:
        stack.now = NOW
        theirs = some_organization(stack, OTHER, Random(1), folded)
        ours = some_organization(stack, ACME, Random(2), arrive)
        assert len(theirs.events) == len(ours.events)
        yield ours


def some_organization(
    stack: Stack,
    organization: str,
    random: Random,
    arrive: Callable[[UsageSender, Sequence[Event[str]]], None],
) -> Organization:
    key = admin_of(stack, organization)
    stack.apply(organization, "product", {"id": "pair", "name": "Pair", "kind": "chat"})
    for team in TEAMS:
        stack.apply(organization, "team", {"id": team, "name": team})
    states_by_user = {user: some_states(random) for user in USERS}
    for user, states in states_by_user.items():
        for state, since in states:
            row = {"id": user, "username": user, "team": random.choice(TEAMS[:2])}
            moment = {"state": state, "state_since": epoch_ms(since)}
            stack.apply(organization, "user", {**row, **moment})
    events = list(some_events(random))
    arrive(UsageSender(organization), events)
    teams = {user: random.choice([*TEAMS[:2], None]) for user in USERS}
    for user, name in teams.items():
        stack.apply(organization, "user", {"id": user, "username": user, "team": name})
    return Organization(stack, key, events, teams, states_by_user)


def ratio(part: int, whole: int) -> float:
    return min(1, int(Fraction(part * 10_000, whole) + Fraction(1, 2)) / 10_000) if whole else 0


def block(events: Sequence[Event[str]], start: datetime, end: datetime) -> dict[str, Any]:
    """What these events come to in a block, one after the other."""
    mine = [each for each in events if start.timestamp() <= each.second < end.timestamp()]
    completion = [each for each in mine if each.product == "code-completions"]
    chat = [each for each in mine if each.product in ("chat", "pair")]
    completions, chars, keys, lines = (sum(e.measures[at] for e in completion) for at in range(4))
    interactions, useful, chat_lines, chat_chars = (
        sum(each.measures[at] for each in chat) for at in range(4)
    )
    return {
        "from": shown(start),
        "to": shown(end),
        "activeUsers": len({each.who for each in (*completion, *chat)}),
        "productivityFactor": ratio(chars + chat_chars, chars + chat_chars + keys),
        "codeCompletions": {
            "activeUsers": len({each.who for each in completion}),
            "completions": completions,
            "charsCompleted": chars,
            "keystrokes": keys,
            "lines": lines,
            "automationFactor": ratio(chars, chars + keys),
        },
        "chat": {
            "activeUsers": len({each.who for each in chat}),
            "interactions": interactions,
            "usefulChatInteractions": useful,
            "lines": chat_lines,
            "charsCompleted": chat_chars,
            "chatConsumptionRate": ratio(useful, interactions),
        },
    }


def shown(instant: datetime) -> str:
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z").replace(".000Z", "Z")


def cuts(start: datetime, end: datetime, granularity: str) -> list[datetime]:
    """The edges of the blocks, found by walking from midnight to midnight."""
    found = [start]
    midnight = datetime.combine(start.date() + timedelta(1), datetime.min.time(), UTC)
    while midnight < end:
        begins = {"weekly": midnight.weekday() == 0, "monthly": midnight.day == 1}
        if granularity == "daily" or begins.get(granularity):
            found.append(midnight)
        midnight += timedelta(1)
    return [*found, end]


@st.composite
def ranges(draw: st.DrawFn) -> tuple[datetime, datetime]:
    """Up to 366 days, at any offset, to the millisecond."""
    day = datetime(*draw(st.sampled_from(SPECIAL)), tzinfo=UTC)
    day += timedelta(days=draw(st.integers(-380, 90)))
    length = timedelta(days=draw(st.sampled_from([1, 7, 29, 90, 365, 366])))
    length -= draw(st.sampled_from([timedelta(0)]) | st.timedeltas(timedelta(0), length / 2))
    start = day + timedelta(milliseconds=draw(st.sampled_from([0, 1, 500, 19_800_000, 86_399_999])))
    end = start + length - timedelta(microseconds=length.microseconds)
    zone = timezone(timedelta(minutes=draw(st.sampled_from([0, 120, 330, -480, 840, -720]))))
    return start.astimezone(zone), max(end, start + timedelta(milliseconds=1)).astimezone(zone)


@settings(max_examples=15)
@given(
    asked=ranges(),
    granularity=st.sampled_from(sorted(UNITS)),
    whose=st.one_of(
        st.just(("organization", None)),
        st.tuples(st.just("team"), st.sampled_from(TEAMS)),
        st.tuples(st.just("user"), st.sampled_from(USERS)),
    ),
)
def test_usage_equals_brute_force(
    ours: Organization,
    asked: tuple[datetime, datetime],
    granularity: str,
    whose: tuple[str, str | None],
) -> None:
    path, name = whose
    known = {f"{path}Id": name} if name else {}
    start, end = asked
    query = {"from": start.isoformat(), "to": end.isoformat(), "granularity": granularity}
    reply = ours.get(f"{path}/usage", organizationId=ACME, **known, **query)
    mine = [each for each in ours.events if name in (None, each.who, ours.teams[each.who])]
    edges = cuts(start.astimezone(UTC), end.astimezone(UTC), UNITS[granularity])
    blocks = [block(mine, *ends) for ends in pairwise(edges)]
    assert reply == {
        "organizationId": ACME,
        **known,
        "from": shown(start),
        "to": shown(end),
        "usage": {"granularity": UNITS[granularity], "data": blocks},
    }


def test_utilization_equals_brute_force(ours: Organization) -> None:
    found = ours.get("organization/account-utilizations", startDate="2024-04")
    assert len(found) == 24
    assert found == [month(ours, date(2024 + at // 12, at % 12 + 1, 1)) for at in range(3, 27)]


def month(ours: Organization, first: date) -> dict[str, int]:
    """The accounts of a month: the Admin's, made with the test's clock, is one of them."""
    begin = datetime(first.year, first.month, 1, tzinfo=UTC)
    end = min((begin + timedelta(32)).replace(day=1), NOW)
    now = {
        user: [s for s, since in states if since < end][-1:]
        for user, states in ours.states_by_user.items()
    }
    registered = {user for user, state in now.items() if state == [State.REGISTERED]}
    active = {e.who for e in ours.events if begin.timestamp() <= e.second < end.timestamp()}
    admin = end > datetime(2026, 2, 28, 12, tzinfo=UTC)
    return {
        "year": first.year,
        "month": first.month - 1,
        "registered": len(registered) + admin,
        "deactivated": list(now.values()).count([State.DEACTIVATED]),
        "active": len(active & registered),
        "pending": list(now.values()).count([State.INVITED]),
    }


def test_team_utilization_equals_brute_force(ours: Organization) -> None:
    for team in TEAMS:
        states = [
            ours.states_by_user[user][-1][0] for user, name in ours.teams.items() if name == team
        ]
        assert ours.get("team/account-utilizations", teamId=team) == {
            "registered": states.count(State.REGISTERED),
            "deactivated": states.count(State.DEACTIVATED),
            "invited": states.count(State.INVITED),
        }

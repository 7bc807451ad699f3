"""GET /v1/usage equals brute force, in every combination of its parameters and whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from fractions import Fraction
from itertools import count
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_chains import STARTS, STEPS
from tests.support.apps import APP, OFFICE, SALES
from tests.support.figures_oracle import Moment
from tests.support.simulated_organization import (
    APPS,
    ZONES,
    SimulatedOrganization,
    new_organization,
)
from tests.support.stack import Stack, stack_on_moto

GRANULARITIES = ("all", "hour", "day", "week", "month", "quarter", "year")
GROUPS = ("none", "product", "team", "department", "user", "user_type")
MEASURES = ("active_ms", "sessions", "active_users", "active_days")
SORTS = (*MEASURES, "name", "sessions_change", "active_users_change")
TIMES = ("", "", "T00:30:00Z", "T13:00:00+05:30")
DAYS = {"hour": 4, "day": 40, "week": 60, "month": 90, "quarter": 90, "year": 90, "all": 200}
numbers = count(1)


def some_query(simulated: SimulatedOrganization, luck: Random) -> dict[str, str]:
    """Any parameters that go together."""
    granularity = luck.choice(GRANULARITIES)
    days = luck.randrange(1, DAYS[granularity])
    end = simulated.now.date() + timedelta(luck.choice([1, 0, -1, -6]))
    compare = luck.choice([{}, {"compare": "previous_period"}, {"compare": "previous_year"}])
    whole = {"from": f"{end - timedelta(days)}", "to": f"{end}"}
    if any(day[5:] == "02-29" for day in whole.values()):
        compare = {}
    cut = {"from": whole["from"] + luck.choice(TIMES), "to": whole["to"] + luck.choice(TIMES)}
    query = {
        **luck.choice([{"kind": "app"}, {"product": APP}, {"product": ",".join(APPS[:3])}]),
        **(whole if compare else luck.choice([whole, cut])),
        **compare,
        "granularity": granularity,
        "group_by": luck.choice(GROUPS),
        "measure": ",".join(luck.sample(MEASURES, luck.randrange(1, 4))),
        **luck.choice([{}, {}, {"timezone": luck.choice([*ZONES, "+05:30", "-03:30"])}]),
        **luck.choice([{}, {}, {"team": "core"}, {"department": luck.choice([SALES, OFFICE])}]),
        **luck.choice([{}, {}, {"user_type": "account-user"}, {"user": f"u{luck.randrange(9)}"}]),
        **luck.choice([{}, {"order": luck.choice(["asc", "desc"])}]),
        **luck.choice([{}, {}, {"q": luck.choice("abc1")}]),
    }
    sorts = [sort for sort in SORTS if compare or not sort.endswith("_change")]
    sort = luck.choice([*query["measure"].split(","), *(["name"] if "name" in sorts else [])])
    return {**query, "sort": sort}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with stack_on_moto() as stack:
        yield stack


def check(simulated: SimulatedOrganization, query: Mapping[str, str], size: int) -> None:
    """All pages together are what the events add up to."""
    directory = simulated.client.stack.directories.open(simulated.organization)
    moment = Moment.of(simulated.counted, simulated.zone_shown, directory)
    expected = moment.answer(query)
    page = asked(simulated, {**query, "limit": str(size)})
    found = {**{part: page[part] for part in expected}, "groups": list(page["groups"])}
    while page["next_cursor"]:
        page = asked(simulated, {**query, "limit": str(size), "cursor": page["next_cursor"]})
        found["groups"] += page["groups"]
    for block in found.get("series", []):
        block.pop("partial", None)
    for group in found["groups"]:
        for block in group.get("series", []):
            block.pop("partial", None)
    assert found == expected, query


def asked(simulated: SimulatedOrganization, query: Mapping[str, str]) -> dict[str, Any]:
    reply = simulated.client.get("/v1/usage", urlencode(query))
    assert reply.status == 200, (query, reply)
    content: dict[str, Any] = json.loads(reply.text, parse_float=Fraction)
    return content


@settings(max_examples=3, deadline=None)
@given(
    start=st.sampled_from(STARTS),
    zone=st.sampled_from(ZONES),
    seed=st.integers(0, 2**16),
    steps=st.lists(st.sampled_from(STEPS), max_size=4),
)
def test_any_question_is_answered_as_by_brute_force(
    stack: Stack, start: Any, zone: str, seed: int, steps: list[str]
) -> None:
    luck = Random(seed)
    with new_organization(stack, 5_000 + next(numbers), zone, start) as simulated:
        simulated.begin(luck)
        for step in steps:
            simulated.take(step, luck)
        simulated.fold(luck)
        for _ in range(3):
            check(simulated, some_query(simulated, luck), luck.choice([4, 100]))

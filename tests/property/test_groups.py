"""Teams over time against brute force: whoever moved, and however far their sums are written."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.time import Period
from odometer.engine.format.decisions import read_head
from odometer.engine.format.groups import TEAM, USER, Division, EachUser, Groups, Members
from odometer.engine.format.products import PEOPLE, TOTALS
from odometer.engine.read.people import series_of_some
from odometer.engine.read.series import Series
from odometer.reports.blocks import Granularity, blocks, edges, tally_blocks
from tests.property.test_series import (
    BEGINNINGS,
    EVERYTHING,
    PRODUCTS,
    SHARDS_APART,
    USERS_KNOWN,
    expected,
    periods,
    simulate,
    take,
)
from tests.support.simulated_engine import ORGANIZATION, SimulatedEngine

PLACES = range(len(USERS_KNOWN) + 1)
TEAMS = 90
"""More than an item has."""
LIVE = ["send", "wait", "send", "settle"]
DEEDS = [*["live"] * 6, *["group"] * 4, "send", "rebuild", "age"]
BUDGETS = [1, 20, 5_000]


def team_of(place: int, division: int) -> int:
    return Random(f"{place} {division}").choice([0, 1, TEAMS])


def teams(division: int, spread: int) -> Groups:
    pairs = [(place * spread, team_of(place, division)) for place in PLACES]
    return Groups.of(TEAM, str(division), pairs)


def group(
    simulated: SimulatedEngine, divisions: Sequence[Division], version: int, budget: int
) -> None:
    """Take one step of writing sums, as one of several processes that may be behind the others."""
    head = read_head(ORGANIZATION, simulated.usage)
    if head:
        simulated.grouping.write(
            ORGANIZATION, head, divisions, str(version), version, simulated.now, budget
        )
        simulated.pass_time(3600)  # then a read that may be behind is not


@settings(max_examples=settings().max_examples // 10)
@given(
    begin=st.sampled_from(BEGINNINGS),
    zone=st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]),
    steps=st.lists(
        st.tuples(st.sampled_from(DEEDS), st.integers(0, 2**16)), min_size=3, max_size=15
    ),
    spread=st.sampled_from([1, 40, SHARDS_APART]),
    period=periods(),
    granularity=st.sampled_from(Granularity),
    chosen=st.sets(st.sampled_from([0, 1, TEAMS]), min_size=1),
    people=st.sets(st.sampled_from(PLACES), min_size=1, max_size=3),
)
def test_every_block_of_a_team_equals_brute_force(
    begin: datetime,
    zone: str,
    steps: list[tuple[str, int]],
    spread: int,
    period: Period,
    granularity: Granularity,
    chosen: set[int],
    people: set[int],
) -> None:
    catalog = [*EVERYTHING, TOTALS, PEOPLE]
    simulated, division = simulate(begin, [], spread, zone, catalog), 0
    for turn, (step, seed) in enumerate(steps):
        if step == "group":
            division = Random(seed).choice([division, 0, 1, 2])
            divided: list[Division] = [teams(division, spread)]
            divided += [EachUser(len(USERS_KNOWN) * spread)] if spread < SHARDS_APART else []
            group(simulated, divided, turn, Random(seed).choice(BUDGETS))
        else:
            for each in LIVE if step == "live" else [step]:
                take(simulated, each, Random(f"{turn} {seed} {each}"))
    ends = edges(blocks(period, granularity))
    for asked in (division, 1):
        members = Members(TEAM, str(asked), sorted(chosen))
        users = {place * spread for place in PLACES if team_of(place, asked) in chosen}
        found = tally_blocks(Series(simulated.view(), PRODUCTS, ends, members=members), users)
        assert found == [expected(simulated.folds(), pair, users) for pair in pairwise(ends)]
    some = {place * spread for place in people}
    alone = series_of_some(simulated.view(), catalog, PRODUCTS, ends, some)
    alike = Series(simulated.view(), PRODUCTS, ends, members=Members(USER, "", sorted(some)))
    for series in (alone, alike):
        found = tally_blocks(series, some)
        assert found == [expected(simulated.folds(), pair, some) for pair in pairwise(ends)]

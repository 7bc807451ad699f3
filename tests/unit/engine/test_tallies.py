"""Tallies: sums, distinct users and active days of selections and of products, block by block."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from odometer.domain.events import Event, digest_of
from odometer.domain.time import epoch_second
from odometer.engine import calendar
from odometer.engine.format.frames import SHARD
from odometer.engine.format.products import PEOPLE, PEOPLE_SHARD, TOTALS
from odometer.engine.read.selections import EVERYBODY, Selection, Selections
from odometer.engine.read.tallies import (
    Tallies,
    Tally,
    days_by_user,
    days_of_users,
    paid_for,
    used_in_each,
)
from odometer.engine.rounds import in_rounds
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine

TESTS, CHAT, APP = PRODUCTS[0], PRODUCTS[3], PRODUCTS[4]
ASKED = [TESTS, APP]
"""One counts UTC days and the other one those of the organization."""
BEGIN = epoch_second(datetime(2026, 3, 24, 12, tzinfo=UTC))
DAY, APART = 86_400, SHARD // 2
ANN, BOB, CID = 0, APART, 2 * APART
"""Cid is in another shard."""


@pytest.fixture(scope="module")
def simulated() -> SimulatedEngine:
    """Nine days, of which the last is not settled."""
    simulated = SimulatedEngine(BEGIN, "Europe/Berlin", [TESTS, CHAT, APP, TOTALS, PEOPLE], APART)
    for day in range(9):
        events = [
            an_event(who, product, simulated.now - 3_600 * ago)
            for who, product, ago in [
                ("ann", TESTS, 1),
                ("bob", TESTS if day % 2 else APP, 13 if day % 3 else 12),
                ("cid", APP, 14),
                ("ann", CHAT, 2),
            ]
            if (day + len(who) + ago) % 4
        ]
        simulated.accept(events, Random(day), 0)
        simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
        if day < 8:
            simulated.settle()
        simulated.pass_time(DAY)
    assert simulated.view().unsettled
    return simulated


def an_event(who: str, product: object, second: int) -> Event[str]:
    metered = next(each for each in PRODUCTS if each == product)
    measures = tuple(1 + second % 7 + place for place in range(metered.measures))
    platform = 1 if metered.kind.platforms else 0
    padded = (*measures, *[0] * (4 - len(measures)))
    digest = digest_of("ci", f"{who} {second} {metered.id}")
    return Event(who, metered.id, "ci", second, platform, padded, digest)


def by_force(
    simulated: SimulatedEngine, ends: Sequence[int], users: Collection[int] | None, ids: set[str]
) -> tuple[dict[tuple[str, str], int], set[int], set[date]]:
    """Sums, users and days of these products between two seconds, event by event."""
    kinds, sums = {each.id: each.kind for each in PRODUCTS}, dict[tuple[str, str], int]()
    who, days = set(), set()
    for event in (event for fold in simulated.folds() for event in fold.events):
        within = ends[0] <= event.second < ends[-1] and event.product in ids
        if within and (users is None or event.who in users):
            kind = kinds[event.product]
            for name, value in zip(kind.measures, event.measures, strict=False):
                sums[kind.name, name] = sums.get((kind.name, name), 0) + value
            who.add(event.who)
            days.add(calendar.day_of(event.second, calendar.zone_of(kind, "Europe/Berlin")))
    return sums, who, days


def assert_exact(
    simulated: SimulatedEngine,
    tally: Tally,
    ends: Sequence[int],
    users: Collection[int] | None,
    ids: set[str],
    *,
    by_day: bool,
) -> None:
    blocks = [by_force(simulated, pair, users, ids) for pair in pairwise(ends)]
    for measured in {name for sums, _, _ in blocks for name in sums} | set(tally.sums):
        found = list(tally.sums.get(measured, [0] * len(blocks)))
        assert found or not any(sums.get(measured) for sums, _, _ in blocks)
        assert found in ([], [sums.get(measured, 0) for sums, _, _ in blocks])
        assert tally.sum(measured) == sum(found)
    whole = by_force(simulated, ends, users, ids)
    assert tally.users == [len(who) for _, who, _ in blocks]
    assert tally.all_users == len(whole[1])
    if by_day:
        assert tally.days == [len(days) for _, _, days in blocks]
        assert tally.all_days == len(whole[2])


LAST = BEGIN - BEGIN % DAY + 9 * DAY
ENDS = {
    "days": [LAST - DAY * ago for ago in (7, 5, 4, 3, 1)],
    "hours": [LAST - 3_600 * ago for ago in (50, 49, 36, 13, 11, 1)],
    "all": [LAST - 7 * DAY - 1_234, LAST + 77],
}
SOME = [EVERYBODY, Selection([ANN, CID]), Selection([BOB])]


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("several", [SOME, SOME[1:], SOME[2:]], ids=len)
@pytest.mark.parametrize("by_day", [False, True])
def test_every_selection_has_its_own_sums_users_and_days(
    simulated: SimulatedEngine, ends: list[int], several: list[Selection], *, by_day: bool
) -> None:
    tallies = Tallies(ends, Selections(several), ASKED, by_day=by_day)
    in_rounds(simulated.usage, tallies.in_rounds(simulated.view(), simulated.products))
    assert len(tallies.each) == len(several)
    for some, tally in zip(several, tallies.each, strict=True):
        ids = {each.id for each in ASKED}
        assert_exact(simulated, tally, ends, some.users, ids, by_day=by_day)


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("some", SOME[:2], ids=["everybody", "some"])
@pytest.mark.parametrize("by_day", [False, True])
def test_every_product_has_its_own_sums_users_and_days(
    simulated: SimulatedEngine, ends: list[int], some: Selection, *, by_day: bool
) -> None:
    tallies = Tallies(ends, Selections([some]), ASKED, by_product=True, by_day=by_day)
    in_rounds(simulated.usage, tallies.in_rounds(simulated.view(), simulated.products))
    whole, *of_products = tallies.each
    asked = {each.id for each in ASKED}
    assert_exact(simulated, whole, ends, some.users, asked, by_day=by_day)
    for product, tally in zip(ASKED, of_products, strict=True):
        assert_exact(simulated, tally, ends, some.users, {product.id}, by_day=by_day)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
def test_a_date_is_one_day_for_products_that_count_days_of_different_zones(zone: str) -> None:
    simulated = SimulatedEngine(BEGIN, zone, ASKED)
    place = calendar.zone_of(APP.kind, zone)
    today = calendar.day_of(BEGIN, place)
    ends = [calendar.first_second(today - timedelta(ahead), place) for ahead in (1, -2)]
    events = [
        an_event("ann", TESTS, calendar.first_second(today, UTC) + 9),
        an_event("ann", APP, calendar.first_second(today, place) + 9),
    ]
    simulated.pass_time(DAY)
    simulated.accept(events, Random(1), 0)
    simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
    tallies = Tallies(ends, Selections([EVERYBODY]), ASKED, by_day=True)
    in_rounds(simulated.usage, tallies.in_rounds(simulated.view(), ASKED))
    assert tallies.each[0].all_days == 1


def test_users_are_counted_without_sums_for_less(simulated: SimulatedEngine) -> None:
    ends = ENDS["days"]
    tallies = Tallies(ends, Selections([SOME[1]]), ASKED)
    steps = tallies.in_rounds(simulated.view(), simulated.products, has_sums=False)
    in_rounds(simulated.usage, steps)
    (tally,) = tallies.each
    wanted = [
        by_force(simulated, pair, SOME[1].users, {each.id for each in ASKED})
        for pair in pairwise(ends)
    ]
    assert tally.users == [len(who) for _, who, _ in wanted]
    assert not any(map(tally.sum, tally.sums))


def test_what_was_measured_already_is_added_to_the_one_block(simulated: SimulatedEngine) -> None:
    ends = ENDS["all"]
    used = in_rounds(simulated.usage, used_in_each(simulated.view(), ASKED, [range(*ends)]))
    tallies = Tallies(ends, Selections(SOME), ASKED)
    tallies.add_used([each for (each,) in used])
    ids = {each.id for each in ASKED}
    for some, tally in zip(SOME, tallies.each, strict=True):
        assert_exact(simulated, tally, ends, some.users, ids, by_day=False)


def test_days_of_everybody_are_counted_once_for_all_products(simulated: SimulatedEngine) -> None:
    seconds = range(ENDS["all"][0], ENDS["all"][1])
    found = in_rounds(simulated.usage, days_of_users(simulated.view(), ASKED, seconds))
    ids = {each.id for each in ASKED}
    for user in (ANN, BOB, CID):
        ends = [seconds.start, seconds.stop]
        assert found[user] == len(by_force(simulated, ends, {user}, ids)[2])
    assert len(found) == CID + 1


def test_bits_of_days_are_added_up_by_user() -> None:
    first, second = date(2026, 3, 1), date(2026, 3, 2)
    found = days_by_user({(0, first): 0b101, (0, second): 0b1100, (1, first): 0b10})
    assert found[:5] == [1, 0, 2, 1, 0]
    assert found[SHARD:] == [0, 1]
    assert sum(found) == 5
    assert days_by_user({}) == []


def test_as_many_users_are_read_as_units_pay_for(simulated: SimulatedEngine) -> None:
    view, ends = simulated.view(), ENDS["days"]
    users = [0, 1, PEOPLE_SHARD, 5, 2 * PEOPLE_SHARD, 3 * PEOPLE_SHARD]
    assert paid_for(view, ASKED, ends, users, 10**6) == len(users)
    counts = {paid_for(view, ASKED, ends, users, units / 4) for units in range(80)}
    assert counts == {2, 4, 5, 6}


def test_a_tally_counts_users_of_its_own_only() -> None:
    tally = Tally(2)
    tally.add_users([0b110, 0b011], 0b101)
    tally.add_users([0b1, 0], 0b1)
    assert (tally.users, tally.all_users) == ([2, 1], 3)
    tally.add_active(None, 4)
    tally.add_active(1, 6)
    assert (tally.users, tally.all_users) == ([2, 7], 7)


def test_a_tally_counts_a_day_once_however_many_blocks_have_it() -> None:
    tally = Tally(2)
    for block, day, is_active in [(0, 1, True), (0, 2, False), (0, 3, True), (1, 3, True)]:
        tally.add_day(block, day, is_active=is_active)
    assert (tally.days, tally.all_days) == ([2, 1], 2)


def test_sums_of_one_name_add_up() -> None:
    tally = Tally(2)
    tally.add_sums(("test", "runs"), [1, 2])
    tally.add_sums(("test", "runs"), [10, 20])
    assert tally.sums == {("test", "runs"): [11, 22]}
    assert (tally.sum(("test", "runs")), tally.sum(("test", "others"))) == (33, 0)

"""When users last used which product against brute force: now, and as of every view there was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.time import epoch_second
from odometer.engine import calendar
from odometer.engine.format.decisions import Fold
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.last_used import (
    ByUser,
    LastUse,
    LastUses,
    begin_days_of_use,
    users_in,
)
from odometer.engine.read.views import View
from odometer.services.tasks import Tasks
from tests.property.test_engine import BEGINNINGS, STEPS, ZONES, History
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine


@dataclass
class WatchedHistory(History):
    """A history in which it is asked who last used what."""

    def __post_init__(self) -> None:
        self.seen: list[tuple[dict[str, Any], list[MeteredProduct], ByUser]] = []

    def look(self, random: Random) -> None:
        self.compare(self.simulated.view(), random)
        for pin, some, seen in self.seen[-4:]:
            view = View.pinned(ORGANIZATION, self.simulated.usage, pin, self.simulated.now)
            warm = replace(view, memory=self.simulated.memory.of(ORGANIZATION))
            assert LastUses(view, PRODUCTS, some).found()[::2] == (seen, True)
            assert LastUses(warm, PRODUCTS, some).found()[::2] == (seen, True)

    def compare(self, view: View, random: Random) -> None:
        some = random.sample(PRODUCTS, random.choice([1, 2, len(PRODUCTS)]))
        decided = self.simulated.seen_by(view)
        expected = last_uses(decided, some)
        warm = replace(view, memory=self.simulated.memory.of(ORGANIZATION))
        assert LastUses(warm, PRODUCTS, some).found()[::2] == (expected, True)
        assert LastUses(view, PRODUCTS, some).found()[::2] == (expected, True)
        self.seen.append((view.pin, some, expected))
        seconds = self.seconds(random)
        assert active_days(view, some, seconds) == days_by_force(decided, some, seconds, view)


def last_uses(folds: Iterable[Fold], some: Sequence[MeteredProduct]) -> ByUser:
    """Of products that were used in the same second, the one that stands first."""
    order = [each.id for each in PRODUCTS]
    last: dict[int, tuple[int, int]] = {}
    for event in (event for fold in folds for event in fold.events):
        if event.product in {each.id for each in some}:
            use = event.second, -order.index(event.product)
            last[event.who] = max(use, last.get(event.who, use))
    return {user: LastUse(second, order[-place]) for user, (second, place) in last.items()}


Days = dict[int, set[tuple[str, date]]]


def days_by_force(
    folds: Iterable[Fold], some: Sequence[MeteredProduct], seconds: range, view: View
) -> Days:
    """On which days, as the kind counts them, who used which product."""
    kinds = {each.id: each.kind for each in some}
    days: Days = defaultdict(set)
    for event in (event for fold in folds for event in fold.events):
        if event.product in kinds and event.second in seconds:
            zone = calendar.zone_of(kinds[event.product], view.head.zone)
            days[event.who].add((event.product, calendar.day_of(event.second, zone)))
    return dict(days)


def active_days(view: View, some: Sequence[MeteredProduct], seconds: range) -> Days:
    days: Days = defaultdict(set)
    for use in begin_days_of_use(view, some, seconds, Tasks().begin)():
        for user in users_in(use.shard, use.users):
            days[user].add((use.product, use.day))
    return dict(days)


@settings(max_examples=settings().max_examples // 25)
@given(
    start=st.sampled_from(BEGINNINGS),
    zone=st.sampled_from(ZONES),
    products=st.sampled_from([PRODUCTS[-1:], PRODUCTS[:2], PRODUCTS]),
    spread=st.sampled_from([1, 900]),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**32)), max_size=40),
)
def test_who_last_used_what_equals_brute_force_whatever_happens(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    simulated = SimulatedEngine(epoch_second(start), zone, PRODUCTS, spread)
    WatchedHistory(simulated, products).run(steps)

"""Last activity against brute force: as it stands, and as it stood for every view there was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.time import epoch_second
from odometer.engine.format.decisions import Fold
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.latest import LastActive, former_last_active, last_active
from odometer.engine.read.views import View
from tests.property.test_engine import BEGINNINGS, STEPS, History
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine

APP = PRODUCTS[-1]


@dataclass
class WatchedHistory(History):
    """A history in which it is asked who was last active when."""

    def __post_init__(self) -> None:
        self.seen: list[tuple[dict[str, Any], Mapping[int, LastActive]]] = []

    def look(self, random: Random) -> None:
        self.compare(self.simulated.view(), random)
        for pin, seen in self.seen[-4:]:
            view = View.pinned(ORGANIZATION, self.simulated.usage, pin, self.simulated.now)
            assert former_last_active(view, self.users) == seen

    def compare(self, view: View, random: Random) -> None:
        decided = self.simulated.seen_by(view)
        expected = {user: last_of(decided, user) for user in self.users}
        assert former_last_active(view, self.users) == expected
        if view.head == self.simulated.view().head:
            assert last_active(view, self.users) == expected
        self.seen.append((view.pin, expected))

    @property
    def users(self) -> list[int]:
        return [number * self.simulated.spread for number in range(6)]


def last_of(folds: Iterable[Fold], user: int) -> LastActive:
    last: defaultdict[int, int] = defaultdict(int)
    for event in (event for fold in folds for event in fold.events if event.who == user):
        last[event.platform] = max(last[event.platform], event.second)
    return LastActive(last[1], last[2])


@settings(max_examples=80)
@given(
    start=st.sampled_from(BEGINNINGS),
    products=st.sampled_from([[APP], [APP, PRODUCTS[0]]]),
    spread=st.sampled_from([1, 900]),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**32)), max_size=40),
)
def test_last_activity_equals_brute_force_whatever_happens(
    start: datetime, products: list[MeteredProduct], spread: int, steps: list[tuple[str, int]]
) -> None:
    simulated = SimulatedEngine(epoch_second(start), "Europe/Berlin", products, spread)
    WatchedHistory(simulated, products).run(steps)

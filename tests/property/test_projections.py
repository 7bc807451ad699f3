"""Projections against brute force: whatever happens, the other rows say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Any

from hypothesis import settings

from odometer.domain.events import Event
from odometer.domain.time import epoch_second
from odometer.engine import calendar
from odometer.engine.format.decisions import Fold
from odometer.engine.format.products import PEOPLE, PLACES, TOTALS, MeteredProduct, places
from odometer.engine.read.projections import usage_of_rows
from odometer.engine.read.views import View
from tests.property.test_engine import DAY, History, histories
from tests.support.simulated_engine import (
    ORGANIZATION,
    PRODUCTS,
    SimulatedEngine,
    brute_force,
    period,
)

Rows = dict[str, tuple[int, ...]]
APP = PRODUCTS[-1]


@dataclass
class ProjectedHistory(History):
    """A history in which projections are kept, and looked at instead of the products."""

    def look(self, random: Random) -> None:
        view = self.simulated.view()
        self.compare(view, random)
        for pin, user, seconds, seen in self.seen[-2:]:
            pinned = View.pinned(ORGANIZATION, self.simulated.usage, pin, self.simulated.now)
            assert self.shown_rows(pinned, seconds, user) == seen

    def __post_init__(self) -> None:
        self.seen: list[tuple[dict[str, Any], int, range, tuple[Rows, Rows]]] = []

    def event(self, random: Random) -> Event[str]:
        """Often right at the edge of a local day."""
        event = super().event(random)
        zone = calendar.zone_of(APP.kind, self.simulated.zone)
        midnight = calendar.first_second(calendar.day_of(event.second, zone), zone)
        return event._replace(second=random.choice([event.second, midnight, midnight - 1]))

    def compare(self, view: View, random: Random) -> None:
        decided = self.simulated.seen_by(view)
        zone = calendar.zone_of(APP.kind, view.head.zone)
        length = random.choice([1, 2, 7, 45, 366]) * DAY
        end = self.simulated.now + random.randint(-length, 2 * DAY)
        ends = (
            calendar.first_second(calendar.day_of(at, zone), zone) for at in (end - length, end)
        )
        seconds, user = range(*ends), random.randrange(6) * self.simulated.spread
        expected = self.expected(decided, seconds, view.head.zone, user)
        assert self.shown_rows(view, seconds, user) == expected
        self.seen.append((view.pin, user, seconds, expected))

    def shown_rows(self, view: View, seconds: range, user: int) -> tuple[Rows, Rows]:
        """What everybody and what one user used of every product."""
        catalog, days = self.simulated.products, period(seconds)
        of_all = usage_of_rows(view, catalog, days, TOTALS)
        of_one = usage_of_rows(view, catalog, days, PEOPLE, user)
        both = [
            {r.product.id: (*r.measures.values(), r.days) for r in rows}
            for rows in (of_all, of_one)
        ]
        return both[0], both[1]

    def expected(
        self, decided: Sequence[Fold], seconds: range, zone: str, user: int
    ) -> tuple[Rows, Rows]:
        of_all: Rows = {}
        of_one: Rows = {}
        everybody = [replace(f, events=[e._replace(who=0) for e in f.events]) for f in decided]
        for product in self.products:
            local = MeteredProduct(product.id, replace(product.kind, local_days=True))
            together = brute_force(everybody, local, seconds, zone)
            each = brute_force(decided, local, seconds, zone)
            of_all.update((product.id, together[who]) for who in together)
            of_one.update((product.id, each[who]) for who in each if who == user)
        return of_all, of_one


@settings(max_examples=60)
@histories([1, 40], most_products=3)
def test_every_row_equals_brute_force_whatever_happens(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    simulated = SimulatedEngine(epoch_second(start), zone, [*products, TOTALS, PEOPLE], spread)
    ProjectedHistory(simulated, products).run(steps)


def test_a_product_keeps_its_place_when_others_come() -> None:
    some = [*PRODUCTS, MeteredProduct("new", APP.kind), TOTALS, PEOPLE]
    before, after = places(PRODUCTS, PEOPLE), places(some, PEOPLE)
    assert before.items() <= after.items()
    assert len(set(after.values())) == len(after)
    assert max(after.values()) < PLACES[PEOPLE]

"""Explanations against brute force: the terms of a figure add up to it, whatever happens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from hypothesis import settings

from odometer.domain.time import epoch_second
from odometer.engine import calendar
from odometer.engine.format.decisions import Fold
from odometer.engine.format.products import PEOPLE, TOTALS, MeteredProduct
from odometer.engine.read.explain import (
    Explanation,
    TermKind,
    explain_days,
    explain_days_of_some,
    explain_measure,
)
from odometer.engine.read.views import View
from tests.property.test_engine import LARGE_SIZES, histories
from tests.property.test_projections import APP, ProjectedHistory
from tests.support.simulated_engine import SimulatedEngine, brute_force, period


@dataclass
class ExplainedHistory(ProjectedHistory):
    """A history in which every look is explained."""

    def compare(self, view: View, random: Random) -> None:
        super().compare(view, random)
        product, seconds = random.choice(self.products), self.seconds(random)
        decided = self.simulated.seen_by(view)
        people = [number * self.simulated.spread for number in range(6)]
        for asked in (None, {random.choice(people)}, set(random.sample(people, 3)), set[int]()):
            self.compare_sum(view, decided, product, seconds, asked, random)
        for several in (2, 6):
            users = set(random.sample(people, several))
            self.compare_days(view, decided, product, seconds, users)

    def compare_sum(
        self,
        view: View,
        decided: Sequence[Fold],
        product: MeteredProduct,
        seconds: range,
        users: Collection[int] | None,
        random: Random,
    ) -> None:
        """A measure of everybody, of one and of several is the sum of its terms."""
        place, measure = random.choice([*enumerate(product.kind.measures)])
        rows = brute_force(decided, product, seconds, view.head.zone)
        whose = [row for user, row in rows.items() if users is None or user in users]
        found = explain_measure(view, product, measure, period(seconds), users)
        assert added_up(found) == found.value == sum(row[place] for row in whose)
        apart = sum(part.value for part in found.parts if part.kind is TermKind.SEGMENT)
        assert sum(event.value for event in found.events) == apart

    def compare_days(
        self,
        view: View,
        decided: Sequence[Fold],
        product: MeteredProduct,
        seconds: range,
        users: Collection[int],
    ) -> None:
        """Days are those of the organization, but for several users: those that the kind counts."""
        zone = calendar.zone_of(APP.kind, view.head.zone)
        edges = calendar.day_edges(seconds, zone)
        whole, catalog = range(edges[1], max(edges[1], edges[-2])), self.simulated.products
        local = MeteredProduct(product.id, replace(product.kind, local_days=True))
        for user in (None, min(users)):
            found = explain_days(view, catalog, product, period(whole), user)
            expected = days_used(
                decided, local, whole, view.head.zone, None if user is None else {user}
            )
            assert added_up(found) == found.value == expected
        found = explain_days_of_some(view, product, period(seconds), users)
        expected = days_used(decided, product, seconds, view.head.zone, users)
        assert added_up(found) == found.value == expected


def added_up(found: Explanation) -> int:
    return sum(part.sign * part.value for part in found.parts)


def days_used(
    decided: Sequence[Fold],
    product: MeteredProduct,
    seconds: range,
    zone: str,
    users: Collection[int] | None,
) -> int:
    """On how many days any of these users used a product, event by event."""
    of_them = [
        replace(fold, events=[e._replace(who=0) for e in fold.events if among(e.who, users)])
        for fold in decided
    ]
    return sum(row[-1] for row in brute_force(of_them, product, seconds, zone).values())


def among(user: int, users: Collection[int] | None) -> bool:
    return users is None or user in users


@settings(max_examples=60)
@histories([1, 40, 9_000])
def test_terms_add_up_to_the_figure_whatever_happens(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    simulated = SimulatedEngine(epoch_second(start), zone, [*products, TOTALS, PEOPLE], spread)
    ExplainedHistory(simulated, products).run(steps)


@settings(max_examples=20)
@histories([1, 40], most_products=3)
def test_terms_add_up_and_projections_are_exact_however_large(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    simulated = SimulatedEngine(epoch_second(start), zone, [*products, TOTALS, PEOPLE], spread)
    ExplainedHistory(simulated, products, sizes=LARGE_SIZES).run(steps)

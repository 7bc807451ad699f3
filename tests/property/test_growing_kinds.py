"""Kinds that grow against brute force: a measure comes in the middle of whatever else happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from random import Random

from hypothesis import settings

from odometer.domain.events import Event
from odometer.domain.kinds import MEASURES, Kind, Measure
from odometer.domain.time import epoch_second
from odometer.engine.format.products import PROJECTIONS, MeteredProduct
from tests.property.test_engine import STEPS, History, histories
from tests.support.simulated_engine import SimulatedEngine

FIRST = Kind("document", (Measure("pages"),), local_days=True, breakdowns=("format",))
OWN = MeteredProduct("editor", FIRST)


class Grown(SimulatedEngine):
    """An engine in whose folds events are as wide as the widest beside them."""

    def was_sent(self, event: Event[int]) -> bool:
        wide = (1, 2, 3, 4, 5, 6, 7, 8)
        return any(
            super(Grown, self).was_sent(event._replace(measures=event.measures[:most]))
            for most in wide
            if not any(event.measures[most:])
        )


class GrowingHistory(History):
    """A history in which a kind gets one measure after the other."""

    def event(self, random: Random) -> Event[str]:
        event = super().event(random)
        if event.product != OWN.id:
            return event
        values = random.choice([(), ("pdf",), ("svg",)])
        return event._replace(measures=without_end(event.measures), values=values)

    def grow(self, random: Random) -> None:
        own = self.products[0]
        measures = own.kind.described
        if len(measures) < MEASURES:
            added = (*measures, Measure(f"m{len(measures)}"))
            self.products[0] = own._replace(kind=replace(own.kind, described=added))
            self.simulated.products = catalog(self.products)


def without_end(measures: tuple[int, ...]) -> tuple[int, ...]:
    """Without the zeros at the end, but for one measure."""
    used = [place for place, value in enumerate(measures) if value]
    return measures[: max(used, default=0) + 1]


def catalog(products: list[MeteredProduct]) -> list[MeteredProduct]:
    values = [products[0].by_value(0)]
    return [*products, *values, *PROJECTIONS]


@settings(max_examples=12)
@histories([1], most_products=1, words=[*STEPS, *["grow"] * 12])
def test_every_figure_equals_brute_force_while_a_kind_grows(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    own = [OWN, *products]
    simulated = Grown(epoch_second(start), zone, catalog(own), spread)
    GrowingHistory(simulated, own).run([*steps[:20], ("grow", 1), ("send", 2), *steps[20:]])

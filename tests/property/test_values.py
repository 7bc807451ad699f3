"""Values of breakdowns against brute force: whatever happens, each value has its own usage."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from random import Random
from unittest.mock import patch

from hypothesis import settings

from odometer.domain import values
from odometer.domain.events import Event
from odometer.domain.time import epoch_second, instant_at
from odometer.domain.values import FIRST, NONE, OTHER
from odometer.engine import calendar
from odometer.engine.format.products import MeteredProduct, metered
from odometer.engine.read.explain import explain_value
from odometer.engine.read.measuring import measure
from odometer.engine.read.values import used_by_value
from odometer.engine.read.verify import YearCheck
from odometer.engine.read.views import View
from tests.property.test_engine import History, Seen, histories
from tests.support.simulated_engine import (
    ORGANIZATION,
    Row,
    SimulatedEngine,
    brute_force_by_value,
    period,
    rows,
)

TEXTS = ["", "", "pdf", "svg", "other", "png", "é☃"]


def broken_down(product: MeteredProduct) -> MeteredProduct:
    return product._replace(kind=replace(product.kind, breakdowns=("format", "plan")))


class ValuedHistory(History):
    """A history in which events have values, and values are looked at beside users."""

    def event(self, random: Random) -> Event[str]:
        texts = (random.choice(TEXTS), random.choice(TEXTS))
        return super().event(random)._replace(values=texts if any(texts) else ())

    def compare(self, view: View, random: Random) -> None:
        asked = [(product, random.randrange(2)) for product in self.products]
        edges = self.edges(random.choice(self.products), view.head.zone, random)
        decided = self.simulated.seen_by(view)

        def expected_of(product: MeteredProduct, place: int, seconds: range) -> dict[int, Row]:
            return brute_force_by_value(decided, product, place, seconds, view.head.zone)

        for product, place in asked:
            found = used_by_value(view, [product.by_value(place)], edges)
            for ends, used in zip(pairwise(edges), found, strict=True):
                shown = {value: tuple(used.of(value)) for value in used.values}
                assert shown == without_days(expected_of(product, place, range(*ends)))
        self.explain(view, *random.choice(asked), range(edges[0], edges[-1]), random)
        (product, place), seconds = random.choice(asked), range(edges[0], edges[-1])
        expected, by_value = expected_of(product, place, seconds), product.by_value(place)
        assert rows(measure(view, by_value, period(seconds))) == expected
        self.pins.append(Seen(self.simulated.now, view.pin, by_value, seconds, expected))

    def explain(
        self, view: View, product: MeteredProduct, place: int, seconds: range, random: Random
    ) -> None:
        """The terms of a value, or of what has none, add up to what was used of it."""
        at, measure = random.choice([*enumerate(product.kind.measures)])
        value = random.choice([None, OTHER, FIRST, FIRST + 1])
        found = explain_value(
            view, product, measure, period(seconds), product.kind.breakdowns[place], value
        )
        expected = sum(
            event.measures[at]
            for fold in self.simulated.seen_by(view)
            for event in fold.events
            if event.product == product.id and event.second in seconds
            if (event.values[place] if event.values else NONE) == (value or NONE)
        )
        assert found.value == sum(part.sign * part.value for part in found.parts) == expected
        assert {event.who for event in found.events} <= {None}

    def request(self, random: Random) -> None:
        """Also of the values of one product and year."""
        if random.random() < 0.5:
            super().request(random)
            return
        by_value = random.choice(self.products).by_value(random.randrange(2))
        scope = f"{by_value.id}#{instant_at(self.simulated.now).year}"
        self.simulated.rebuilding.request(ORGANIZATION, scope, self.simulated.zone)

    def edges(self, product: MeteredProduct, zone: str, random: Random) -> list[int]:
        """Of days, of weeks, or anywhere."""
        seconds = self.seconds(random)
        days = calendar.day_edges(seconds, calendar.zone_of(product.kind, zone))[1:-1]
        anywhere = sorted(random.sample(seconds[1:], min(3, len(seconds[1:]))))
        return [seconds.start, *random.choice([days[::7], days[-20:], anywhere]), seconds.stop]

    def audit(self) -> None:
        super().audit()
        view = self.simulated.view()
        years = range(2021, instant_at(self.simulated.now).year + 2)
        both = (p.by_value(place) for p in self.products for place in range(2))
        checks = (YearCheck(view, product, year) for product in both for year in years)
        assert [drift for check in checks for drift in check.compare().drifts] == []


def without_days(rows: dict[int, Row]) -> dict[int, Row]:
    return {value: row[:-1] for value, row in rows.items()}


@settings(max_examples=15)
@histories([*[1] * 9, 9_000])
def test_every_value_equals_brute_force_whatever_happens(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    """Every organization has room for two values here: the third one is `other`."""
    products = [broken_down(product) for product in products]
    with patch.object(values, "MOST_VALUES", 2):
        simulated = SimulatedEngine(epoch_second(start), zone, metered(products), spread)
        ValuedHistory(simulated, products).run(steps)

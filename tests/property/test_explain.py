"""Explanations against brute force: the terms of a figure add up to it, whatever happens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.time import epoch_second
from odometer.readings.decisions import Product
from odometer.readings.explain import DAYS_ACTIVE, TermKind, explained
from odometer.readings.reading import View
from tests.property.test_engine import BEGINNINGS, DEEDS, ZONES, Story
from tests.support.world import PRODUCTS, World, brute_force, period


@dataclass
class ExplainedStory(Story):
    """A story in which every look is explained."""

    def compare(self, view: View, random: Random) -> None:
        super().compare(view, random)
        product, seconds = random.choice(self.products), self.seconds(random)
        decided = self.world.folds()[: view.head.upto + len(view.tail)]
        rows = brute_force(decided, product, seconds, view.head.zone)
        names = [*product.kind.measures, DAYS_ACTIVE]
        for user in (None, random.randrange(6) * self.world.spread):
            place = random.randrange(len(names))
            found = explained(view, product, names[place], period(seconds), user)
            whose = rows.values() if user is None else [rows[user]] if user in rows else []
            expected = sum(row[place] for row in whose)
            assert found.value == expected
            assert sum(part.sign * part.value for part in found.parts) == expected
            apart = [part.value for part in found.parts if part.kind is TermKind.SEGMENT]
            if names[place] != DAYS_ACTIVE:
                assert sum(event.value for event in found.events) == sum(apart)


@settings(max_examples=150)
@given(
    start=st.sampled_from(BEGINNINGS),
    zone=st.sampled_from(ZONES),
    products=st.lists(st.sampled_from(PRODUCTS), min_size=1, max_size=2, unique=True),
    spread=st.sampled_from([1, 5000]),
    deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 2**32)), max_size=40),
)
def test_terms_add_up_to_the_figure_whatever_happens(
    start: datetime,
    zone: str,
    products: list[Product],
    spread: int,
    deeds: list[tuple[str, int]],
) -> None:
    story = ExplainedStory(World(epoch_second(start), zone, products, spread), products)
    for what, seed in deeds:
        story.happen(what, Random(seed))
    story.close()

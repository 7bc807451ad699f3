"""Late events against brute force: the same few users and days again and again, in both formats."""

from __future__ import annotations

from datetime import datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import LEAST_MEASURES
from odometer.domain.time import epoch_second
from odometer.engine.format import keys
from odometer.engine.format.products import MeteredProduct
from odometer.engine.store import Item
from tests.property.test_engine import BEGINNINGS, DAY, STEPS, ZONES, History
from tests.support.simulated_engine import PRODUCTS, SimulatedEngine
from tests.unit.engine.test_late import of_the_first_format

BY_ID = {product.id: product for product in PRODUCTS}
MOSTLY_LATE = [*["send"] * 10, *["settle"] * 6, *["age"] * 3, "rebuild", *STEPS]


class LateHistory(History):
    """Events of a few users on few days, and tables that are partly of the first format."""

    def event(self, random: Random) -> Event[str]:
        product = random.choice(self.products)
        days_ago = random.choice([0, 1, 2, 6, 7, 8, 9, 13, 14, 15, 20, 21, 22, 365])
        midday = self.simulated.now - self.simulated.now % DAY + DAY // 2
        measures = [random.choice([0, 1, 1, 2**40]) for _ in range(product.measures)]
        measures[0] += not any(measures)
        return Event(
            who=random.choice(["ann", "ann", "bob", "cid"]),
            product=product.id,
            source="ci",
            second=min(midday - days_ago * DAY, self.simulated.now),
            platform=0,
            measures=(*measures, *[0] * (LEAST_MEASURES - len(measures))),
            digest=digest_of("ci", str(random.getrandbits(32))),
        )

    def age(self, random: Random) -> None:
        """Some of what settled plans wrote is of the first format: late by day, and no strips."""
        usage, settled = self.simulated.usage, self.simulated.view().head.plan
        new = [item for item in usage.everything() if item["sk"].startswith(("L2#", "S#"))]
        for item in new:
            if keys.plan_of(item["sk"]) <= settled and random.random() < 0.5:
                usage.delete(item["pk"], item["sk"])
                for old in aged(item):
                    usage.put(old)


def aged(item: Item) -> list[Item]:
    if keys.is_strip(item["sk"]):
        return []
    return list(of_the_first_format(item, BY_ID[item["pk"].split("#")[2]]))


@settings(max_examples=settings().max_examples // 2)
@given(
    start=st.sampled_from(BEGINNINGS),
    zone=st.sampled_from(ZONES),
    products=st.lists(st.sampled_from(PRODUCTS), min_size=1, max_size=2, unique=True),
    spread=st.sampled_from([*[1] * 19, 9_000]),
    steps=st.lists(st.tuples(st.sampled_from(MOSTLY_LATE), st.integers(0, 2**32)), max_size=40),
)
def test_what_comes_late_counts_once_whatever_happens(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    LateHistory(SimulatedEngine(epoch_second(start), zone, products, spread), products).run(steps)

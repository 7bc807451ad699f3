"""Lanes against brute force: raised in the middle of whatever happens, figures stay exact."""

from datetime import datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from odometer.domain.time import epoch_second
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.latest import received
from tests.property import test_arrivals as arrivals
from tests.property.test_engine import STEPS, STRIDES, History, histories
from tests.support.simulated_engine import SimulatedEngine

MOST = 4
LANES_STEPS = [*STEPS, *["raise_lanes"] * 3, *["resend"] * 4, *["go_on"] * 4]


class HistoryOfLanes(History):
    """The number of lanes grows at any time, also by two steps before the first lane opens."""

    def raise_lanes(self, random: Random) -> None:
        self.simulated.lanes = min(MOST, self.simulated.lanes * random.choice([2, 2, 4]))

    def go_on(self, random: Random) -> None:
        """Some minutes of folding and settling, after which lanes open."""
        for _ in range(random.choice([1, 2, 3])):
            self.simulated.pass_time(random.choice([0, 30, 130, 300]))
            self.fold_outstanding(random)
            self.settle(random)


@settings(max_examples=settings().max_examples)
@histories([1], words=LANES_STEPS)
def test_every_figure_equals_brute_force_whenever_lanes_are_raised(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    simulated = SimulatedEngine(epoch_second(start), zone, products, spread)
    HistoryOfLanes(simulated, products).run(steps)


@settings(max_examples=100)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([*arrivals.STEPS, "lanes"]), st.integers(0, 2**32)), max_size=30
    )
)
def test_arrivals_are_what_the_events_say_in_several_lanes(steps: list[tuple[str, int]]) -> None:
    simulated = SimulatedEngine(arrivals.NOW, "UTC", arrivals.PLACES)
    for what, seed in steps:
        if what == "lanes":
            simulated.lanes = min(MOST, 2 * simulated.lanes)
            simulated.pass_time(Random(seed).choice(STRIDES))
        else:
            arrivals.act(simulated, what, Random(seed))
    found = received(simulated.view(), [product.id for product in arrivals.PLACES])
    assert [each.by_source for each in found] == [
        arrivals.brute_force(simulated, each.product) for each in found
    ]

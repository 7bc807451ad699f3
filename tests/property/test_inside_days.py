"""Any range is exact where frames stand inside days, after hardly any events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import settings

from odometer.domain.time import epoch_second
from odometer.engine.format import inside, piles, segments
from odometer.engine.format.products import PEOPLE, TOTALS, MeteredProduct
from odometer.engine.write import chunks
from odometer.engine.write import inside as writing
from tests.property.test_engine import DAY, History, histories
from tests.property.test_explain import ExplainedHistory
from tests.support.simulated_engine import SimulatedEngine


@pytest.fixture(autouse=True, scope="module")
def after_hardly_any_events() -> Iterator[None]:
    """Frames inside days after a few bytes, looked for at each plan; piles of three events."""
    with (
        patch.multiple(inside, EVENT_BYTES=8, SMALLEST_ITEM=1, weight_of=lambda _: 40),
        patch.multiple(writing, PLANS_BETWEEN=1, weight_of=lambda _: 40),
        patch.multiple(
            chunks, PILE_EVENTS=3, PILE_BYTES=200, SLICE_SHEETS=2, weight_of=lambda _: 40
        ),
        patch.multiple(piles, SHEET_EVENTS=2),
        patch.multiple(segments, CROWDED=5),
    ):
        yield


class Busy(History):
    """A history whose ranges mostly begin and end inside days."""

    def seconds(self, random: Random) -> range:
        length = random.choice([60, 3600, DAY, 2 * DAY, 9 * DAY, 45 * DAY])
        end = self.simulated.now + random.choice([-DAY, -3600, -60, 0, 0, 0, 1, 299])
        return range(end - random.randint(1, length), end)


@settings(max_examples=settings().max_examples // 40)
@histories([*[1] * 9, 9_000])
def test_every_figure_equals_brute_force_with_frames_inside_days(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    Busy(SimulatedEngine(epoch_second(start), zone, products, spread), products).run(steps)


@settings(max_examples=2)
@histories([1, 40, 9_000])
def test_terms_add_up_with_frames_inside_days(
    start: datetime,
    zone: str,
    products: list[MeteredProduct],
    spread: int,
    steps: list[tuple[str, int]],
) -> None:
    simulated = SimulatedEngine(epoch_second(start), zone, [*products, TOTALS, PEOPLE], spread)
    ExplainedHistory(simulated, products).run(steps)

"""A measure is added at the end of every kind, and everything that was stored before is still read.

The fixture holds what code without the added measure wrote: a log entry that is in no fold, a fold
that is not settled, segments, deltas, keyframes, late items, product totals and person frames.
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from odometer.domain.kinds import LEAST_MEASURES
from tests.support.simulated_engine import PRODUCTS

STORED = "tests/fixtures/items_with_one_measure_less.json"
SENT = json.loads(Path(STORED).read_text())["sent"]
FOLDED = SENT[: -len(PRODUCTS)]
"""The last batch is still in the log only."""
FIRST_DAY = min(second for _, _, second, _ in SENT) // 86_400 * 86_400
ADDED = [["ann", product.id, SENT[-1][2], [0] * LEAST_MEASURES + [7]] for product in PRODUCTS]
WIDTHS = {product.id: len(product.kind.measures) for product in PRODUCTS}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.engine.one_measure_more", STORED],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("stage", "events"),
    [
        pytest.param("stored", FOLDED, id="as it was stored"),
        pytest.param("settled", SENT, id="with the log entry folded and all of it settled"),
        pytest.param("used", SENT + ADDED, id="with the added measure in use"),
        pytest.param("rebuilt", SENT + ADDED, id="with all frames made again"),
    ],
)
def test_what_was_stored_before_a_measure_was_added_has_zeros_for_it(
    found: dict[str, Any], stage: str, events: list[list[Any]]
) -> None:
    assert found[stage] == {
        "users": {
            product.id: {
                str(number): figures(of(events, product.id, who))
                for number, who in enumerate(["ann", "bob"])
            }
            for product in PRODUCTS
        },
        "series": {product.id: [figures(of(events, product.id))[:-1]] for product in PRODUCTS},
        "totals": {product.id: figures(of(events, product.id)) for product in PRODUCTS},
        "ann": {product.id: figures(of(events, product.id, "ann")) for product in PRODUCTS},
        "drifts": [],
    }


def test_a_period_that_cuts_a_day_is_read_from_segments_of_before(found: dict[str, Any]) -> None:
    after_one = [event for event in FOLDED if event[2] >= FIRST_DAY + 13 * 3600]
    assert found["cut"]["users"] == {
        product.id: {
            str(number): figures(of(after_one, product.id, who))
            for number, who in enumerate(["ann", "bob"])
        }
        for product in PRODUCTS
    }


def of(events: Iterable[list[Any]], product: str, *who: str) -> list[list[Any]]:
    """The events of a product, by one user or by all."""
    return [event for event in events if event[1] == product and (not who or event[0] in who)]


def figures(events: list[list[Any]]) -> list[int]:
    """The measures of one product with the added one at their end, and the days with any."""
    width = WIDTHS[events[0][1]]
    sums: defaultdict[int, int] = defaultdict(int)
    for _, _, _, measures in events:
        for place, value in enumerate(measures):
            sums[place if place < LEAST_MEASURES else width] += value
    days = {second // 86_400 for _, _, second, _ in events}
    return [*(sums[place] for place in range(width + 1)), len(days)]

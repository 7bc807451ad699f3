"""Tables that the first edition of the engine wrote are read, settled and rebuilt as they stand."""

import base64
import json
import zlib
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from odometer.domain.time import epoch_second
from odometer.engine.format.decisions import ALL
from odometer.engine.read.measuring import measure
from tests.support.simulated_engine import (
    ORGANIZATION,
    PRODUCTS,
    SimulatedEngine,
    brute_force,
    period,
    rows,
)
from tests.unit.engine.test_stored_bytes import an_event

TABLES = Path("tests/fixtures/tables_of_the_first_format.json.zlib")
"""Fourteen months with a New Year, late events, a rebuild, a new zone and an unsettled tail."""


def stored() -> SimulatedEngine:
    """An engine on these tables, an hour after they were last written."""
    tables = json.loads(zlib.decompress(TABLES.read_bytes()))
    simulated = SimulatedEngine(tables["now"], tables["zone"], PRODUCTS)
    for item in tables["usage"]:
        simulated.usage.put({name: value_of(value) for name, value in item.items()})
    for (organization, person), ordinal in tables["people"]:
        simulated.subjects._ordinals[organization, person] = ordinal  # noqa: SLF001  as it was
    simulated.pass_time(3_600)
    return simulated


def value_of(stored: Any) -> Any:
    return base64.b64decode(stored["B"]) if isinstance(stored, dict) else stored


def second_of(day: date) -> int:
    return epoch_second(datetime(day.year, day.month, day.day, tzinfo=UTC))


def assert_exact(simulated: SimulatedEngine) -> None:
    """Whole years, a week across New Year, a ragged month and a single day, of every product."""
    view, folds = simulated.view(), simulated.folds()
    for product in PRODUCTS:
        for seconds in (
            range(second_of(date(2025, 1, 1)), simulated.now + 1),
            range(second_of(date(2025, 12, 28)), second_of(date(2026, 1, 4))),
            range(second_of(date(2026, 3, 3)) + 4_711, second_of(date(2026, 4, 9)) + 12_345),
            range(second_of(date(2026, 6, 17)), second_of(date(2026, 6, 18))),
        ):
            expected = brute_force(folds, product, seconds, view.head.zone)
            assert rows(measure(view, product, period(seconds))) == expected
            assert expected or len(seconds) == 86_400


def test_reports_of_the_first_format_are_exact() -> None:
    assert_exact(stored())


@pytest.mark.parametrize("seed", range(3))
def test_the_first_format_goes_on_with_new_and_late_events(seed: int) -> None:
    simulated, random = stored(), Random(seed)
    for _ in range(12):
        entry = simulated.accept([an_event(random, simulated.now) for _ in range(9)], random, 0)
        simulated.folding.fold_new(ORGANIZATION, [entry], simulated.now_ms)
        assert_exact(simulated)
        while simulated.settling.settle(ORGANIZATION, simulated.zone, simulated.now):
            pass
        assert_exact(simulated)
        simulated.pass_time(86_400)


def test_the_first_format_is_rebuilt() -> None:
    simulated = stored()
    simulated.rebuilding.request(ORGANIZATION, ALL, simulated.zone)
    while simulated.rebuilding.rebuild(ORGANIZATION, simulated.now):
        assert_exact(simulated)
    assert_exact(simulated)

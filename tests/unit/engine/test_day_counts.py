"""Counts of whole days: a week is one strip, and whatever has no strip is told by its deltas."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise, product
from random import Random
from unittest.mock import patch

import pytest

from odometer.domain.time import Period, epoch_second
from odometer.engine.format import keys
from odometer.engine.read.series import Series
from odometer.engine.read.verify import YearCheck
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange
from odometer.reports.blocks import Granularity, Tally, blocks, edges, tally_blocks
from tests.property.test_series import PRODUCTS, expected, some_event, take
from tests.support.simulated_engine import ORGANIZATION, SimulatedEngine

BEGIN = epoch_second(datetime(2026, 1, 6, 12, tzinfo=UTC))
DAY = 86_400
YEAR = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
RAGGED = Period(datetime(2026, 2, 4, 3, tzinfo=UTC), datetime(2026, 6, 11, 17, tzinfo=UTC))
CUTS = [Granularity.DAILY, Granularity.WEEKLY, Granularity.MONTHLY]


@pytest.fixture
def simulated() -> SimulatedEngine:
    """Half a year of three products, settled every day, with some that came late to most weeks."""
    simulated, random = SimulatedEngine(BEGIN, "Europe/Berlin", PRODUCTS), Random(1)
    for _ in range(170):
        events = [some_event(simulated, random) for _ in range(3)]
        simulated.accept([e for e in events if e.product in BY_ID], random, 0)
        simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
        simulated.pass_time(DAY)
        take(simulated, "settle", random)
    simulated.pass_time(3_600)
    return simulated


BY_ID = {each.id: each for each in PRODUCTS}


def tallies(view: View, cut: Granularity, period: Period = YEAR) -> list[Tally]:
    return tally_blocks(Series(view, PRODUCTS, edges(blocks(period, cut))), None)


def assert_exact(simulated: SimulatedEngine) -> None:
    for cut, period in product(CUTS, [YEAR, RAGGED]):
        ends = pairwise(edges(blocks(period, cut)))
        wanted = [expected(simulated.folds(), pair, None) for pair in ends]
        assert tallies(simulated.view(), cut, period) == wanted


def key_ranges(simulated: SimulatedEngine) -> list[KeyRange]:
    asked, items_in, view = list[KeyRange](), simulated.usage.items_in, simulated.view()

    def noted(key_range: KeyRange) -> list[Item]:
        asked.append(key_range)
        return items_in(key_range)

    with patch.object(simulated.usage, "items_in", noted):
        tallies(view, Granularity.DAILY)
    return asked


def read(simulated: SimulatedEngine, cut: Granularity) -> list[str]:
    """The keys of what is read."""
    asked, items_in, view = list[str](), simulated.usage.items_in, simulated.view()

    def noted(key_range: KeyRange) -> list[Item]:
        found = items_in(key_range)
        asked.extend(f"{item['pk']}/{item['sk']}" for item in found)
        return found

    with patch.object(simulated.usage, "items_in", noted):
        tallies(view, cut)
    return asked


@pytest.mark.parametrize("cut", CUTS)
def test_a_week_that_is_over_is_one_strip(simulated: SimulatedEngine, cut: Granularity) -> None:
    found = [key for key in read(simulated, cut) if "/F#" in key]
    strips = sorted(key for key in read(simulated, cut) if "/S#" in key)
    stored = (f"{item['pk']}/{item['sk']}" for item in simulated.usage.everything())
    assert strips == sorted(key for key in stored if "#2026#0#0/S#" in key)
    assert {key.split("/F#")[1][:13] for key in found} <= {
        f"2026-06-{day}#1" for day in range(22, 26)
    }
    assert_exact(simulated)


def test_strips_are_not_read_strongly_and_what_is_not_seen_yet_is_in_the_deltas(
    simulated: SimulatedEngine,
) -> None:
    """Late events were settled a moment ago, a week was sealed, and all was rebuilt."""
    random = Random(4)
    for step in ("send", "settle", "wait", "settle", "rebuild"):
        take(simulated, step, random)
        strips = [each for each in key_ranges(simulated) if each.first.startswith("S#")]
        assert strips
        assert not any(each.strong for each in strips)
        if step in {"settle", "rebuild"}:
            assert_exact(simulated)


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_a_week_without_a_strip_is_told_by_its_deltas(
    simulated: SimulatedEngine, kept: float
) -> None:
    random = Random(2)
    for item in list(simulated.usage.everything()):
        if keys.is_strip(item["sk"]) and random.random() >= kept:
            simulated.usage.delete(item["pk"], item["sk"])
    assert_exact(simulated)


def test_a_strip_without_sums_only_says_who_was_active(simulated: SimulatedEngine) -> None:
    for item in list(simulated.usage.everything()):
        if keys.is_strip(item["sk"]):
            simulated.usage.delete(item["pk"], item["sk"])
            simulated.usage.put({name: item[name] for name in item if name[0] != "m"})
    assert_exact(simulated)


def test_verify_finds_a_strip_with_other_sums(simulated: SimulatedEngine) -> None:
    pk = keys.frames(ORGANIZATION, PRODUCTS[0].id, 2026, 0, 0)
    *_, item = (i for i in simulated.usage.everything() if i["pk"] == pk and i["sk"][0] == "S")
    simulated.usage.delete(pk, item["sk"])
    simulated.usage.put({**item, "m1": item["m0"], "m0": item["m1"]})
    drifts = YearCheck(simulated.view(), PRODUCTS[0], 2026).compare().drifts
    assert [drift.what for drift in drifts] == ["strip"]


def test_a_strip_of_a_week_that_a_view_has_not_sealed_says_nothing_to_it(
    simulated: SimulatedEngine,
) -> None:
    """The next plan has other usage in it, of days which are open to this view."""
    before = simulated.view()
    seen = [tallies(before, cut) for cut in CUTS]
    random = Random(3)
    for _ in range(9):
        event = some_event(simulated, random)
        earlier = event._replace(product=PRODUCTS[0].id, second=simulated.now - 2 * DAY)
        simulated.accept([earlier], random, 0)
        simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
        simulated.pass_time(DAY)
        take(simulated, "settle", random)
    pinned = View.pinned(ORGANIZATION, simulated.usage, before.pin, simulated.now)
    assert [tallies(pinned, cut) for cut in CUTS] == seen
    assert_exact(simulated)

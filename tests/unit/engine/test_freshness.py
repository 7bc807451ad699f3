"""What was written a moment ago is read as it is now, and nothing else is: that costs twice."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import LEAST_MEASURES
from odometer.domain.time import Period, epoch_second
from odometer.engine import calendar
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.measuring import measure
from odometer.engine.store import Item, KeyRange
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine

TESTS, APP = PRODUCTS[0], PRODUCTS[-1]


def at(clock: str) -> int:
    return epoch_second(datetime.fromisoformat(f"2026-03-{clock}Z"))


def settled(simulated: SimulatedEngine, clock: str, product: MeteredProduct, second: int) -> None:
    """An event that is settled at once."""
    simulated.pass_time(at(clock) - simulated.now)
    wide = len(product.kind.measures)
    measures = (1,) * wide + (0,) * (LEAST_MEASURES - wide)
    platform = int(bool(product.kind.platforms))
    digest = digest_of("ci", f"{clock} {second}")
    event = Event("ann", product.id, "ci", second, platform, measures, digest)
    simulated.accept([event], Random(0), 0)
    simulated.folding.fold_outstanding(ORGANIZATION, simulated.now_ms)
    simulated.settling.settle(ORGANIZATION, simulated.zone, simulated.now)


def used_on(simulated: SimulatedEngine, product: MeteredProduct, day: date) -> int:
    """How much of the first measure was used on a day."""
    zone = calendar.zone_of(product.kind, simulated.zone)
    used = measure(simulated.view(), product, Period.of_days(day, day, zone))
    return used.totals[product.kind.measures[0]]


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati", "UTC"])
@pytest.mark.parametrize("product", [TESTS, APP], ids=lambda product: product.kind.name)
def test_what_comes_late_to_a_sealed_day_is_seen_at_once(
    zone: str, product: MeteredProduct
) -> None:
    simulated = SimulatedEngine(at("08 12:00:00"), zone, PRODUCTS)
    settled(simulated, "08 12:00:00", product, at("08 05:00:00"))
    settled(simulated, "12 12:00:00", product, at("12 05:00:00"))
    place = calendar.zone_of(product.kind, zone)
    seconds = calendar.seconds_of(date(2026, 3, 10), date(2026, 3, 11), place)
    settled(simulated, "12 12:30:00", product, seconds.start)
    assert used_on(simulated, product, date(2026, 3, 10)) == 1
    settled(simulated, "12 13:30:00", product, seconds.stop - 1)
    assert used_on(simulated, product, date(2026, 3, 10)) == 2


def test_yesterday_is_not_read_twice_as_dearly_because_of_today(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulated = SimulatedEngine(at("10 12:00:00"), "UTC", PRODUCTS)
    settled(simulated, "10 12:00:00", TESTS, at("10 11:00:00"))
    settled(simulated, "11 12:00:00", TESTS, at("11 11:00:00"))
    settled(simulated, "11 12:30:00", TESTS, at("11 12:10:00"))
    view, key_ranges = simulated.view(), list[KeyRange]()
    read, pages = simulated.usage.read, simulated.usage.pages

    def watched(wanted: Sequence[KeyRange]) -> list[list[Item]]:
        key_ranges.extend(wanted)
        return read(wanted)

    def watched_pages(wanted: KeyRange) -> Iterator[list[Item]]:
        key_ranges.append(wanted)
        return pages(wanted)

    monkeypatch.setattr(simulated.usage, "read", watched)
    monkeypatch.setattr(simulated.usage, "pages", watched_pages)
    yesterday = datetime(2026, 3, 10, tzinfo=UTC)
    measure(view, TESTS, Period(yesterday, yesterday + timedelta(days=1.25)))
    strong: dict[Any, bool] = {
        key_range.pk.split("#")[1]: key_range.strong for key_range in key_ranges
    }
    assert strong == {"R": False, "E": True}

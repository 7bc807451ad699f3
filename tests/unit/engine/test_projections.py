"""Reading a projection costs at most three queries, however many products there are."""

from datetime import UTC, datetime
from random import Random

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import KINDS, LEAST_MEASURES
from odometer.domain.time import Period, epoch_second, instant_at
from odometer.engine.format.products import PEOPLE, TOTALS, MeteredProduct
from odometer.engine.read.measuring import measure
from odometer.engine.read.projections import usage_of_rows
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine

DAY = 86_400
APPS = [MeteredProduct(f"app {number}", KINDS["app"]) for number in range(5)]
BEGIN = epoch_second(datetime(2026, 1, 20, tzinfo=UTC))


def with_usage() -> SimulatedEngine:
    """A month in which everybody used every product every day, each day sealed after it ended."""
    simulated = SimulatedEngine(BEGIN, "Europe/Berlin", [*PRODUCTS, *APPS, TOTALS, PEOPLE])
    for day in range(30):
        events = [
            use(who, product, simulated.now - 3600)
            for who in "ab"
            for product in (*PRODUCTS, *APPS)
        ]
        simulated.folding.fold_new(
            ORGANIZATION, [simulated.accept(events, Random(day), 0)], simulated.now_ms
        )
        simulated.settling.settle(ORGANIZATION, simulated.zone, simulated.now)
        simulated.pass_time(DAY)
    simulated.settling.settle(ORGANIZATION, simulated.zone, simulated.now)
    return simulated


def use(who: str, product: MeteredProduct, second: int) -> Event[str]:
    digest = digest_of("test", f"{who} {product.id}")
    return Event(who, product.id, "test", second, 0, (1,) * LEAST_MEASURES, digest)


def test_one_person_across_ten_products_and_the_totals_of_all_are_a_few_queries() -> None:
    simulated = with_usage()
    view, asked = simulated.view(), list[str]()
    zone_midnight = BEGIN - 3600
    period = Period(*(instant_at(zone_midnight + day * DAY) for day in (5, 25)))
    simulated.usage.before_each = asked.append
    mine = usage_of_rows(view, simulated.products, period, PEOPLE, 1)
    assert [(row.product.id, row.days) for row in mine] == [
        (product.id, 20) for product in (*PRODUCTS, *APPS)
    ]
    assert len(asked) <= 3
    asked.clear()
    assert {row.days for row in usage_of_rows(view, simulated.products, period, TOTALS)} == {20}
    assert len(asked) <= 3
    asked.clear()
    for product in (*PRODUCTS, *APPS):
        measure(view, product, period)
    assert len(asked) >= 20

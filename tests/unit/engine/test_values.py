"""Values of breakdowns in the engine: what is stored of them, and what was before they came."""

from dataclasses import replace
from random import Random
from unittest.mock import patch

import pytest

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import Kind, Measure
from odometer.domain.values import ROWS
from odometer.engine.format import inside, log_entries
from odometer.engine.format.decisions import ALL, Fold
from odometer.engine.format.products import MeteredProduct, metered, rows_in_shard, shards_of
from odometer.engine.read.values import used_by_value
from odometer.engine.read.verify import YearCheck
from odometer.engine.write import inside as writing
from odometer.engine.write.settle import UnknownBreakdown
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine

DAY = 86_400
START = 1_794_000_000
WITHOUT = Kind("document", (Measure("pages"),))
WITH = replace(WITHOUT, breakdowns=("format",))
WITH_TWO = replace(WITHOUT, breakdowns=("format", "plan"))


class Engine(SimulatedEngine):
    """An engine whose directory learns of breakdowns while it runs."""

    def use(self, pages: int, *values: str, days_ago: int = 0) -> Event[str]:
        digest, second = digest_of("ci", f"{self.now} {pages}"), self.now - days_ago * DAY
        event = Event("ann", "editor", "ci", second, 0, (pages, 0, 0, 0), digest, values)
        entry = self.accept([event], Random(f"{self.now} {pages}"), 0)
        self.folding.fold_new(ORGANIZATION, [entry], self.now_ms)
        return event

    def settle_all(self) -> None:
        while self.settling.settle(ORGANIZATION, self.zone, self.now):
            pass

    def learn(self, kind: Kind) -> None:
        self.products = metered([*PRODUCTS, MeteredProduct("editor", kind)])

    def pages(self, place: int = 0) -> dict[int, int]:
        """By value, of all time; `verify` finds nothing to say."""
        view, product = self.view(), MeteredProduct("editor", WITH_TWO).by_value(place)
        years = [YearCheck(view, each, year) for each in self.products for year in (2025, 2026)]
        assert [drift for year in years for drift in year.compare().drifts] == []
        (used,) = used_by_value(view, [product], [START - 400 * DAY, self.now + 1])
        return {value: used.of(value)[0] for value in used.values}


def engine(kind: Kind) -> Engine:
    simulated = Engine(START, "Europe/Berlin", [MeteredProduct("editor", kind)])
    simulated.learn(kind)
    return simulated


def test_a_breakdown_that_is_appended_counts_from_then_on() -> None:
    simulated = engine(WITHOUT)
    simulated.use(1)
    simulated.pass_time(9 * DAY)
    simulated.settle_all()
    simulated.learn(WITH)
    simulated.use(2, "pdf", days_ago=20)
    simulated.use(4, "svg")
    assert simulated.pages() == {2: 2, 3: 4}
    simulated.settle_all()
    simulated.learn(WITH_TWO)
    simulated.use(8, "pdf", "gold", days_ago=200)
    for _ in range(2):
        assert (simulated.pages(), simulated.pages(1)) == ({2: 10, 3: 4}, {2: 8})
        simulated.pass_time(9 * DAY)
        simulated.settle_all()
    simulated.rebuilding.request(ORGANIZATION, ALL, simulated.zone)
    while simulated.rebuilding.rebuild(ORGANIZATION, simulated.now):
        pass
    assert (simulated.pages(), simulated.pages(1)) == ({2: 10, 3: 4}, {2: 8})


def test_a_worker_that_does_not_know_a_breakdown_yet_waits_rather_than_drops_it() -> None:
    simulated = engine(WITH)
    simulated.use(1, "pdf", "gold")
    with pytest.raises(UnknownBreakdown):
        simulated.settle_all()
    simulated.learn(WITH_TWO)
    simulated.settle_all()
    assert (simulated.pages(), simulated.pages(1)) == ({2: 1}, {2: 1})


def test_what_has_no_value_is_stored_as_if_there_were_no_breakdowns() -> None:
    plain, broken_down = engine(WITHOUT), engine(WITH_TWO)
    for simulated in (plain, broken_down):
        for pages in (1, 2):
            simulated.use(pages)
            simulated.settle_all()
            simulated.pass_time(9 * DAY)
        simulated.settle_all()
    assert [*broken_down.usage.everything()] == [*plain.usage.everything()]


def test_a_fold_holds_numbers_where_the_log_holds_texts() -> None:
    simulated = engine(WITH_TWO)
    sent = simulated.use(1, "", "gold")
    assert [log_entries.events_of(item) for item in simulated.log.everything()] == [[sent]]
    (fold,) = simulated.folds()
    assert [event.values for event in fold.events] == [(0, 2)]
    item = fold.to_item(ORGANIZATION, START)
    assert {"v0", "v1"} <= item.keys()
    assert not {"t0", "t1"} & item.keys()
    former = {name: value for name, value in item.items() if name not in ("v0", "v1")}
    assert [event.values for event in Fold.from_item(former).events] == [()]


def test_values_take_one_shard_however_many_users_there_are() -> None:
    by_value = MeteredProduct("editor", WITH).by_value(0)
    assert [shards_of(by_value, users) for users in (0, 1, 2_000_000)] == [0, 1, 1]
    assert rows_in_shard(by_value, 1) == ROWS


def test_products_have_running_frames_before_their_values_do() -> None:
    simulated = engine(WITH)
    small = patch.multiple(inside, EVENT_BYTES=8, SMALLEST_ITEM=1, MOST_PRODUCTS=3)
    with small, patch.multiple(writing, PLANS_BETWEEN=1, weight_of=lambda _: 40):
        for pages in range(1, 9):
            simulated.use(pages, "pdf")
            simulated.pass_time(60)
            simulated.settle_all()
    assert simulated.view().head.running.keys() == {"editor", "%totals", "%people"}
    assert simulated.pages() == {2: 36}

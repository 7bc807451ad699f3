"""Kinds of an organization's own in the engine: a measure comes later, and nothing is lost."""

from dataclasses import replace
from random import Random

import pytest

from odometer.domain.events import Event, digest_of
from odometer.domain.kinds import Kind, Measure
from odometer.domain.time import Period, instant_at
from odometer.engine.format.decisions import ALL
from odometer.engine.format.frames import Frame, from_attributes, to_attributes
from odometer.engine.format.products import PEOPLE, PROJECTIONS, TOTALS, MeteredProduct
from odometer.engine.read.measuring import measure
from odometer.engine.read.projections import usage_of_rows
from odometer.engine.read.verify import YearCheck
from odometer.engine.write.settle import UnknownMeasure
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS, SimulatedEngine

DAY = 86_400
START = 1_794_000_000
BEFORE = Kind("document", (Measure("exports"), Measure("pages")), local_days=True)
AFTER = replace(BEFORE, described=(*BEFORE.described, *(Measure(f"m{n}") for n in range(2, 8))))
ALL_BUT_OWN = [*PRODUCTS, *PROJECTIONS]


def catalog(kind: Kind) -> list[MeteredProduct]:
    return [*PRODUCTS, MeteredProduct("editor", kind), *PROJECTIONS]


class Engine(SimulatedEngine):
    """An engine whose directory learns of measures while it runs."""

    def use(self, who: str, *measures: int) -> None:
        digest = digest_of("ci", f"{self.now} {who} {measures}")
        padded = measures + (0,) * (4 - len(measures))
        event = Event(who, "editor", "ci", self.now - 60, 0, padded, digest)
        entry = self.accept([event], Random(self.now), 0)
        self.folding.fold_new(ORGANIZATION, [entry], self.now_ms)

    def settle_all(self) -> None:
        while self.settling.settle(ORGANIZATION, self.zone, self.now):
            pass

    def rebuild(self) -> None:
        self.rebuilding.request(ORGANIZATION, ALL, self.zone)
        while self.rebuilding.rebuild(ORGANIZATION, self.now):
            pass

    def learn(self, kind: Kind) -> None:
        self.products = catalog(kind)

    def found(self) -> list[dict[str, int]]:
        """What is counted, by users, by product and by person; `verify` finds nothing to say."""
        view, product = self.view(), self.products[len(PRODUCTS)]
        period = Period(instant_at(START - DAY), instant_at(self.now))
        years = [YearCheck(view, each, 2026) for each in self.products]
        assert [drift for year in years for drift in year.compare().drifts] == []
        rows = usage_of_rows(view, self.products, period, TOTALS)
        ann = usage_of_rows(view, self.products, period, PEOPLE, 0)
        return [measure(view, product, period).totals, *(dict(r.measures) for r in (*rows, *ann))]


def engine(kind: Kind) -> Engine:
    return Engine(START, "Europe/Berlin", catalog(kind))


def sums(*measures: int) -> dict[str, int]:
    return dict(zip(AFTER.measures, measures, strict=False))


def test_a_measure_that_is_appended_counts_from_then_on() -> None:
    simulated = engine(BEFORE)
    simulated.use("ann", 1, 10)
    simulated.settle_all()
    simulated.pass_time(DAY)
    simulated.use("ann", 1, 20)
    simulated.learn(AFTER)
    simulated.use("ann", 1, 0, 5, 0, 0, 0, 0, 9)
    assert simulated.found() == [sums(3, 30, 5, 0, 0, 0, 0, 9)] * 3
    for step in (simulated.settle_all, lambda: simulated.pass_time(9 * DAY), simulated.settle_all):
        step()
        assert simulated.found() == [sums(3, 30, 5, 0, 0, 0, 0, 9)] * 3
    simulated.rebuild()
    simulated.use("ann", 0, 0, 0, 0, 0, 0, 1, 0)
    simulated.settle_all()
    assert simulated.found() == [sums(3, 30, 5, 0, 0, 0, 1, 9)] * 3


def test_a_worker_that_does_not_know_a_measure_yet_waits_rather_than_drops_it() -> None:
    simulated = engine(BEFORE)
    simulated.use("ann", 1, 10, 5)
    with pytest.raises(UnknownMeasure):
        simulated.settle_all()
    simulated.learn(AFTER)
    simulated.settle_all()
    assert simulated.found() == [sums(1, 10, 5, 0, 0, 0, 0, 0)] * 3


def test_a_worker_with_a_product_from_before_waits_for_it() -> None:
    simulated = engine(BEFORE)
    simulated.products = ALL_BUT_OWN
    simulated.use("ann", 1, 10)
    with pytest.raises(LookupError):
        simulated.settle_all()
    simulated.learn(BEFORE)
    simulated.settle_all()
    assert simulated.found() == [{"exports": 1, "pages": 10}] * 3


def test_what_nobody_used_of_a_wide_kind_is_not_stored() -> None:
    narrow, wide = engine(replace(BEFORE, described=AFTER.described[:4])), engine(AFTER)
    for simulated in (narrow, wide):
        simulated.use("ann", 1, 10)
        simulated.settle_all()
        simulated.pass_time(9 * DAY)
        simulated.settle_all()
    assert [*wide.usage.everything()] == [*narrow.usage.everything()]


def test_a_reader_that_knows_fewer_measures_still_knows_who_was_active() -> None:
    stored = to_attributes(Frame.of([[1, 0], [0, 0], [0, 7], [1, 1]]))
    assert "days" not in stored
    shown = from_attributes(stored, 2)
    assert [shown.of_user(lane) for lane in (0, 1)] == [[1, 0, 1], [0, 0, 1]]
    assert from_attributes(stored, 5).of_user(1) == [0, 0, 7, 0, 0, 1]

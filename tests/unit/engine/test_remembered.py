"""Readings that a process remembers: nothing is read again that cannot have changed."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations_with_replacement
from random import Random
from types import SimpleNamespace
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from odometer.directory.people import Organization
from odometer.domain.events import Event
from odometer.domain.kinds import Measure
from odometer.domain.time import Period
from odometer.engine import calendar
from odometer.engine.format.decisions import ALL
from odometer.engine.format.frames import Frame
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.readings import Reading
from odometer.engine.format.segments import Segment
from odometer.engine.memory import REMEMBERED_BYTES, Memory
from odometer.engine.read.measuring import measure
from odometer.engine.read.remembered import Known, Readings
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange
from tests.support.simulated_engine import NEIGHBOUR, ORGANIZATION, brute_force, rows
from tests.unit.engine.test_engine import DAY, TEST, StepByStep, days
from tests.unit.engine.test_late import late_events
from tests.unit.engine.test_one_round import steps

__all__ = ["steps"]
SEALED, OPEN = days("2026-11-25", "2026-12-08"), days("2026-11-25", "2026-12-16")


class Reader:
    """A process that reads, and the frames that it has read."""

    def __init__(self, steps: StepByStep, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps, self.memory, self.read = steps, Memory(), list[str]()
        self.ranges = list[KeyRange]()
        usage = steps.simulated.usage
        key_range_of = usage.items_in  # whatever reads comes through here

        def noted(key_range: KeyRange) -> list[Item]:
            self.ranges.append(key_range)
            found = key_range_of(key_range)
            self.read += [item["sk"] for item in found if item["sk"].startswith("F")]
            return found

        monkeypatch.setattr(usage, "items_in", noted)

    def frames_read(
        self, asked: object = SEALED, first_kept: int = 0, product: MeteredProduct = TEST
    ) -> list[str]:
        self.read.clear()
        own = self.memory.of(ORGANIZATION)
        view = replace(self.steps.view(), memory=own, first_kept=first_kept)
        found = rows(measure(view, product, asked))  # type: ignore[arg-type]
        simulated = self.steps.simulated
        assert found == brute_force(simulated.folds(), product, asked.seconds, simulated.zone)  # type: ignore[attr-defined]
        return list(self.read)

    def ranges_read(self, product: MeteredProduct, asked: Period) -> int:
        """How many key ranges are read of a product that nobody has used."""
        view = replace(self.steps.view(), memory=self.memory.of(ORGANIZATION))
        self.ranges.clear()
        assert rows(measure(view, product, asked)) == {}
        return sum("#R#unused#" in key_range.pk for key_range in self.ranges)


@pytest.fixture
def reader(steps: StepByStep, monkeypatch: pytest.MonkeyPatch) -> Reader:
    return Reader(steps, monkeypatch)


def test_readings_of_sealed_weeks_are_read_once(reader: Reader) -> None:
    assert len(reader.frames_read()) == 2 + 4
    assert reader.frames_read() == []
    reader.steps.send(*late_events(reader.steps, "late"))
    assert reader.frames_read() == []
    reader.steps.settle()
    assert reader.frames_read() == []


def test_a_reading_goes_on_from_the_nearer_keyframe(reader: Reader) -> None:
    assert [sk[:14] for sk in reader.frames_read(days("2026-11-28", "2026-12-05"))] == [
        "F#2026-11-28#1",
        "F#2026-11-29#1",
        "F#2026-11-30#0",
        "F#2026-12-06#1",
        "F#2026-12-07#0",
    ]


def test_a_reading_goes_on_from_any_day_of_its_week_that_is_remembered(reader: Reader) -> None:
    reader.frames_read(days("2026-11-26", "2026-12-02"))
    asked = days("2026-11-25", "2026-12-04")
    assert [sk[:14] for sk in reader.frames_read(asked)] == [
        "F#2026-11-25#1",
        "F#2026-12-03#1",
        "F#2026-12-04#1",
    ]


def test_what_is_read_behind_the_reading_is_read_as_strongly_as_its_last_day() -> None:
    monday, saturday, end = (date(2026, 11, day) for day in (23, 28, 30))
    for base, day, last in ((monday, saturday, saturday), (end, saturday, end)):
        for frame in (None, Frame((1, 1))):
            known = Known(Reading("pk", 2026, base, day), frame)
            assert [
                (rest := known.rest(before.__le__)) and rest.strong
                for before in (last, last + timedelta(1))
            ] == [True, False]


def test_a_keyframe_that_is_not_known_weighs_as_much_as_two_days_and_a_half() -> None:
    monday, saturday = date(2026, 11, 23), date(2026, 11, 28)
    there_and_back = (Reading("pk", 2026, monday, saturday), Reading("pk", 2026, saturday, monday))
    for reading in there_and_back:
        assert [Known(reading, base).weight for base in (None, Frame((1, 1)))] == [30, 20]


@pytest.mark.parametrize("is_over", [True, False])
def test_a_week_that_ends_with_what_is_sealed_is_over(*, is_over: bool) -> None:
    zone, memory = ZoneInfo("Pacific/Kiritimati"), Memory().of(ORGANIZATION)
    monday, saturday, end = (date(2026, 11, day) for day in (23, 28, 30))
    sealed = calendar.first_second(end if is_over else end - timedelta(1), zone)
    view = SimpleNamespace(memory=memory, first_kept=0, head=SimpleNamespace(sealed=sealed, plan=1))
    readings = Readings(cast("View", view), TEST, zone)
    reading = Reading.of("pk", 2026, saturday)
    assert readings.recall(reading).reading.base == (end if is_over else monday)
    nothing = readings.frame(Known(reading, Frame((0, 0, 0))), [])
    assert memory.get((Reading, "pk", saturday if is_over else monday, TEST.measures)) == nothing
    assert memory.get((Reading, "pk", monday if is_over else saturday, TEST.measures)) is None


@pytest.mark.parametrize("most", [REMEMBERED_BYTES, 2_000])
def test_figures_are_exact_whatever_is_remembered_of_a_week(reader: Reader, most: int) -> None:
    reader.steps.send(*late_events(reader.steps, "late"))
    reader.steps.settle()
    reader.memory.most = most
    some = [date(2026, 11, 20) + timedelta(ahead) for ahead in range(27)]
    for first, last in Random(most).sample(list(combinations_with_replacement(some, 2)), 80):
        reader.frames_read(days(str(first), str(last)))


def test_what_is_remembered_of_fewer_measures_is_read_anew(reader: Reader) -> None:
    more = (*TEST.kind.described, Measure("added"))
    grown = TEST._replace(kind=replace(TEST.kind, described=more))
    before = reader.frames_read()
    assert reader.frames_read(product=grown) == before
    assert reader.frames_read(product=grown) == []
    assert reader.frames_read() == []


def test_what_nobody_has_used_is_looked_for_once(reader: Reader) -> None:
    unused = MeteredProduct("unused", TEST.kind)
    assert reader.ranges_read(unused, SEALED) == 2 + 2
    assert reader.ranges_read(unused, days("2026-11-18", "2026-12-01")) == 0
    assert reader.ranges_read(unused, days("2026-11-18", "2026-12-06")) == 0


def test_of_an_open_week_the_deltas_are_read_again(reader: Reader) -> None:
    assert len(reader.frames_read(OPEN)) == 2 + 2 + 3
    assert [sk[:13] for sk in reader.frames_read(OPEN)] == [
        f"F#2026-12-{day}#" for day in (14, 15, 16)
    ]
    reader.steps.send(reader.steps.use("bob", reader.steps.simulated.now - 2 * DAY, 3, 3))
    reader.steps.settle()
    assert len(reader.frames_read(OPEN)) == 3 + 1


def test_a_view_that_is_older_than_the_end_of_a_week_recalls_no_day_of_it(reader: Reader) -> None:
    simulated, own = reader.steps.simulated, reader.memory.of(ORGANIZATION)
    older = replace(reader.steps.view(), memory=own)
    expected = rows(measure(older, TEST, OPEN))
    reader.steps.send(reader.steps.use("bob", simulated.now - 2 * DAY, 3, 3))
    reader.steps.settle()
    simulated.pass_time(7 * DAY)
    reader.steps.send(reader.steps.use("ann", simulated.now, 1, 1))
    reader.steps.settle()
    assert len(reader.frames_read(OPEN)) == 3 + 1
    assert reader.frames_read(OPEN) == []
    assert rows(measure(replace(older, now=simulated.now), TEST, OPEN)) == expected


def test_another_generation_is_read_anew(reader: Reader) -> None:
    before = reader.frames_read()
    reader.steps.rebuild(ALL)
    assert len(reader.frames_read()) == len(before)
    assert reader.frames_read() == []


def test_nothing_is_remembered_of_years_that_may_be_removed(reader: Reader) -> None:
    organization = Organization(ORGANIZATION, "Acme Corp", retention_years=2)
    assert organization.first_kept(datetime(2027, 1, 1, tzinfo=UTC)) == 2026
    before = reader.frames_read()
    assert reader.frames_read(first_kept=2027) == before
    assert reader.frames_read(first_kept=2026) == []


def test_what_is_forgotten_is_read_anew_and_neighbours_forget_nothing(reader: Reader) -> None:
    before = reader.frames_read()
    reader.memory.forget(NEIGHBOUR)
    assert reader.frames_read() == []
    reader.memory.forget(ORGANIZATION)
    assert reader.frames_read() == before
    assert 0 < reader.memory.weight < 5_000


def test_unsettled_events_are_sorted_once(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    made, of = list[int](), Segment.of

    def noted(events: Iterable[Event[int]], product: MeteredProduct) -> Segment:
        made.append(1)
        return of(events, product)

    monkeypatch.setattr(Segment, "of", noted)
    for name in ("first", "second"):
        reader.steps.send(*late_events(reader.steps, name))
        made.clear()
        reader.frames_read(OPEN)
        assert made == [1]
        reader.frames_read(SEALED)
        assert made == [1]

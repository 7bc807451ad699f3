"""What is asked for and in which steps: the key ranges of late days, and the work of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from odometer.engine.format import keys
from odometer.engine.format.counted import CountedDays
from odometer.engine.format.decisions import Gap, read_plan
from odometer.engine.format.late import DayRows
from odometer.engine.memory import Memory
from odometer.engine.read.opening import Known, Opening
from odometer.engine.read.verify import YearCheck
from odometer.engine.read.views import View
from odometer.engine.store import KeyRange
from tests.support.simulated_engine import ORGANIZATION, PRODUCTS
from tests.unit.engine.test_engine import DAY, NOON, StepByStep

TESTS, APP = PRODUCTS[0], PRODUCTS[-1]
NEW_YEAR = date(2026, 1, 1)
MONDAY = date(2026, 2, 16)
NEXT_YEAR = date(2026, 12, 31)
Ends = list[tuple[str, str]]


def asked(*days: date, sealed: date = NEXT_YEAR) -> tuple[Ends, Ends]:
    """What is asked for about days on which a user came late, where no week has a strip."""
    rows = [((day - NEW_YEAR).days, 3, *[1] * TESTS.measures, 1) for day in days]
    steps = CountedDays(TESTS, 9, sealed).without_counted({"pk": DayRows.of(2026, rows)})
    first: Any = next(steps)
    second: Any = steps.send([[] for _ in first])
    assert all(each.pk == "pk" and each.strong for each in (*first, *second))
    return ends_of(first), ends_of(second)


def ends_of(key_ranges: list[KeyRange]) -> Ends:
    return [(each.first, each.last) for each in key_ranges]


def deltas(first: str, end: str) -> tuple[str, str]:
    return f"F#2026-{first}#1", f"F#2026-{end}#"


def test_days_of_weeks_that_follow_each_other_are_asked_for_together() -> None:
    first, second = asked(MONDAY, date(2026, 2, 22), date(2026, 2, 25))
    assert first == [("S#2026-02-23#0#0", "S#2026-03-02#0#0"), ("L#2026-02-16#", "L2#~")]
    assert second == [deltas("02-16", "02-26")]
    _, second = asked(MONDAY, date(2026, 2, 24), date(2026, 3, 9))
    assert second == [deltas("02-16", "02-25"), deltas("03-09", "03-10")]


def test_days_of_more_than_four_stretches_are_asked_for_together() -> None:
    _, four = asked(*(date(2026, month, 20) for month in range(1, 5)))
    assert four == [deltas(f"0{month}-20", f"0{month}-21") for month in range(1, 5)]
    _, five = asked(*(date(2026, month, 20) for month in range(1, 6)))
    assert five == [deltas("01-20", "05-21")]


def test_days_of_the_open_week_are_asked_for_at_once() -> None:
    first, second = asked(MONDAY, date(2026, 3, 3), sealed=date(2026, 3, 4))
    assert first == [
        deltas("03-03", "03-04"),
        ("S#2026-02-23#0#0", "S#2026-02-23#0#0"),
        ("L#2026-02-16#", "L2#~"),
    ]
    assert second == [deltas("02-16", "02-17")]


@pytest.fixture
def steps() -> StepByStep:
    return StepByStep()


def use_of_two_days(steps: StepByStep, day: int) -> None:
    """Today's, and yesterday's."""
    now = steps.simulated.now = NOON + day * DAY
    steps.send(
        steps.use("ann", now, 1, 10),
        steps.use("bob", now - DAY, 1, 10),
        steps.use("ann", now, 1, product=APP, platform=1),
    )


def steps_of_next_plan(steps: StepByStep) -> Mapping[str, int]:
    """The names of the steps of the next plan, and about how many items each is."""
    simulated = steps.simulated
    head = simulated.settling.head_with(ORGANIZATION, "UTC", simulated.now, 1)
    simulated.settling._decide(ORGANIZATION, head, simulated.now)  # noqa: SLF001  the plan alone
    plan = read_plan(ORGANIZATION, simulated.usage, head.plan + 1)
    assert plan
    planned = simulated.settling.planned(ORGANIZATION, plan)
    each = simulated.settling._steps(ORGANIZATION, head, planned, simulated.now)  # noqa: SLF001  not taken
    return {step.name: step.items for step in each}


def test_the_steps_of_a_plan_say_about_how_much_each_is(steps: StepByStep) -> None:
    use_of_two_days(steps, 0)
    written = {"1": 2, f"2#{APP.id}": 1, f"2#{TESTS.id}": 2}
    recorded = {"5": 1, "6": 1}
    assert steps_of_next_plan(steps) == {**written, f"3#{TESTS.id}#0000255": 1, **recorded}
    steps.settle()
    use_of_two_days(steps, 5)
    sealing = {f"4#{product.id}#2026-11-23#4": 14 for product in PRODUCTS}
    assert steps_of_next_plan(steps) == {**written, **sealing, **recorded}


def test_verify_says_how_many_frames_it_has_compared(steps: StepByStep) -> None:
    for day in (0, 5, 10):
        use_of_two_days(steps, day)
        steps.settle()
    days, weeks = 5, 2
    found = YearCheck(steps.view(), TESTS, 2026).compare()
    assert found == (days + 2 * weeks, [])
    assert YearCheck(steps.view(), TESTS, 2025).compare() == (0, [])


def test_a_cursor_of_other_tables_is_a_gap(steps: StepByStep) -> None:
    use_of_two_days(steps, 0)
    steps.settle()
    use_of_two_days(steps, 1)
    usage, pin = steps.simulated.usage, steps.view().pin
    pinned = View.pinned(ORGANIZATION, usage, pin, NOON)
    assert (pinned.pin, pinned.upto) == (pin, (2,))
    with pytest.raises(Gap):
        View.pinned(ORGANIZATION, usage, {**pin, "mark": 1}, NOON)
    with pytest.raises(Gap):
        View.pinned(ORGANIZATION, usage, {**pin, "fold": 3}, NOON)
    usage.delete(keys.plans(ORGANIZATION), keys.number(1))
    with pytest.raises(Gap):
        View.pinned(ORGANIZATION, usage, pin, NOON)


def test_a_process_asks_for_the_last_fold_that_it_knows_and_those_after_it(
    steps: StepByStep,
) -> None:
    memory, usage = Memory(), steps.simulated.usage
    assert Opening.of(ORGANIZATION, memory).key_ranges == []
    assert Opening.of(ORGANIZATION, memory).keys == [(keys.head(ORGANIZATION), "H")]
    use_of_two_days(steps, 0)
    steps.settle()
    for day in (1, 2):
        use_of_two_days(steps, day)
    view = Opening.of(ORGANIZATION, memory).read(usage, "UTC", NOON)
    opening = Opening.of(ORGANIZATION, memory)
    assert opening.keys == [
        (keys.head(ORGANIZATION), "H"),
        (keys.plans(ORGANIZATION), keys.number(1)),
    ]
    assert opening.key_ranges == [KeyRange(keys.folds(ORGANIZATION), keys.number(3), keys.TOP)]
    assert opening.known == Known(view.head, None, view.unsettled)
    assert opening.known.weight == 2 * 1_000 + 500 * (3 + 3)
    before = memory.forgotten
    opening.read(usage, "UTC", NOON)
    assert memory.forgotten == before
    usage.delete(keys.plans(ORGANIZATION), keys.number(1))
    assert opening.read(usage, "UTC", NOON).unsettled == view.unsettled
    assert memory.forgotten == before + 1

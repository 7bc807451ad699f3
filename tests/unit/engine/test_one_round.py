"""What a measuring reads goes out together, and what nobody knew of before in one round more."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from odometer.domain.time import Period
from odometer.engine.format import inside
from odometer.engine.memory import Memory
from odometer.engine.read.measuring import Measuring, measure_each
from odometer.engine.rounds import Steps, in_rounds, side_by_side
from odometer.engine.store import KeyRange, Store
from tests.support.memory_store import CountedRounds, MemoryStore
from tests.support.simulated_engine import ORGANIZATION, brute_force, period, rows
from tests.unit.engine.test_engine import DAY, NOON, TEST, StepByStep, days
from tests.unit.engine.test_late import late_events

WHOLE = days("2026-11-25", "2026-12-17")
RAGGED = period(range(NOON + 5 * DAY - 7_000, NOON + 27 * DAY + 99))


@pytest.fixture
def steps() -> StepByStep:
    """Four weeks in which ann was there every day."""
    steps = StepByStep()
    for day in range(28):
        steps.simulated.now = NOON + day * DAY
        steps.send(steps.use("ann", steps.simulated.now, 1, 10))
        steps.settle()
    return steps


def rounds(steps: StepByStep, *periods: Period, memory: Memory | None = None) -> int:
    """How many rounds these take together; they are what brute force says."""
    store = CountedRounds(steps.simulated.usage)
    own = (memory or Memory(0)).of(ORGANIZATION)
    view = replace(steps.view(), store=cast("Store", store), memory=own)
    for found, asked in zip(measure_each(view, TEST, periods), periods, strict=True):
        folds = steps.simulated.folds()
        assert rows(found) == brute_force(folds, TEST, asked.seconds, steps.simulated.zone)
    return store.rounds


@pytest.mark.parametrize("asked", [WHOLE, RAGGED], ids=["whole days", "to the second"])
def test_all_that_a_measuring_reads_goes_out_together(steps: StepByStep, asked: Period) -> None:
    before = Period(asked.start - timedelta(1, 7), asked.start)
    assert rounds(steps, asked) == 1
    steps.send(*late_events(steps, "first"))
    assert rounds(steps, asked, before) == 1
    steps.settle()
    assert rounds(steps, asked, before) == 1
    steps.send(*late_events(steps, "second"))
    assert rounds(steps, asked, before) == 1


def test_what_is_remembered_takes_no_round(steps: StepByStep) -> None:
    sealed, memory = days("2026-11-25", "2026-12-08"), Memory()
    assert [rounds(steps, sealed, memory=memory) for _ in range(2)] == [1, 0]
    view = replace(steps.view(), memory=memory.of(ORGANIZATION))
    assert list(Measuring(view, TEST).frames([sealed.seconds], [0])) == []


def test_a_keyframe_that_may_be_missing_takes_one_round_more(steps: StepByStep) -> None:
    assert rounds(steps, days("2026-10-08", "2026-12-10"), days("2026-09-02", "2026-10-07")) == 2


def test_frames_inside_days_take_one_round_more(
    steps: StepByStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EVENT_BYTES", "SMALLEST_ITEM"):
        monkeypatch.setattr(inside, name, 1)
    for _ in range(9):
        steps.simulated.pass_time(DAY // 4)
        steps.send(*(steps.use(who, steps.simulated.now, 1, 10) for who in ("ann", "bob")))
        steps.settle()
    assert {each["sk"][0] for each in steps.simulated.usage.everything()} >= {"O", "T"}
    now = steps.simulated.now
    assert rounds(steps, period(range(NOON + 9, now + 1)), period(range(NOON, NOON + 9))) <= 2
    assert rounds(steps, period(range(now - DAY - 77, now - 5))) == 2


def test_steps_go_side_by_side() -> None:
    store = CountedRounds(MemoryStore(lambda: 0))

    def some(*answers: int) -> Steps[Sequence[int]]:
        for answer in answers:
            found = yield [KeyRange("P", str(answer), str(answer))] * answer
            assert found == [[]] * answer
        return answers

    steps = side_by_side([some(1, 2, 3), some(), side_by_side([some(5), some(7, 8)])])
    assert in_rounds(cast("Store", store), steps) == [(1, 2, 3), (), [(5,), (7, 8)]]
    assert store.rounds == 3

"""Who has something to do is reached in time, whoever else fails, at a cost of those with work."""

from dataclasses import replace
from datetime import datetime
from random import Random
from typing import cast

import pytest

from odometer.engine.format.marks import AUDIT, FOLD, FOLD_AGAIN, PATIENCE, RETIRE, SETTLE, Mark
from odometer.services.engine import Engine
from odometer.services.work import SWEPT_EACH_MINUTE
from tests.support.simulated_work import START, SimulatedWork, StubEngine

TWO_MINUTES = 120


def names(count: int) -> list[str]:
    return [f"organization-{number:05d}" for number in range(count)]


def without_sweep(simulated: SimulatedWork) -> SimulatedWork:
    """The sweep of today is over."""
    sweep = replace(simulated.marks.sweep, day=START // 86_400 + 1)
    simulated.marks.keep_sweep(sweep)
    return simulated


def test_of_20000_organizations_2000_are_busy_and_all_show_within_two_minutes() -> None:
    """Twenty workers, four steps a second each; the stream brings nothing at all."""
    everyone, minutes = names(20_000), 30
    busy = everyone[::10]
    simulated, random = SimulatedWork(everyone, steps_each_minute=20 * 60 * 4), Random(0)
    for minute in range(minutes):
        begin = START + minute * 60
        for organization in busy:
            simulated.accept(organization, begin + random.randrange(60))
        found = simulated.minute()
        assert (found.overdue, found.failing) == (0, 0)
    engine = simulated.engine
    assert max(engine.delays) <= TWO_MINUTES
    assert len(engine.delays) == minutes * len(busy)
    messages = simulated.queue.counted["messages"] / minutes
    swept = 4 * SWEPT_EACH_MINUTE
    assert messages <= 1.5 * len(busy) + swept  # five folds, a settle and a fold in five minutes
    assert simulated.table.counted["read"] / minutes <= 4 * (len(busy) + swept)
    assert simulated.table.counted["written"] / minutes <= 3 * (len(busy) + swept)


def test_organizations_without_work_cost_nothing() -> None:
    simulated = without_sweep(SimulatedWork(names(20_000), 1_000))
    for _ in range(10):
        assert simulated.minute() == (0, dict.fromkeys(PATIENCE, 0), 0, 0, 0)
    assert simulated.queue.counted["messages"] == 0
    assert simulated.table.counted["read"] == 1 + 10  # how far the sweep has come
    assert simulated.engine.steps.total() == 0


def test_a_mark_goes_once_all_is_folded_and_settled() -> None:
    simulated = without_sweep(SimulatedWork(names(3), 100))
    simulated.accept("organization-00001", START)
    for _ in range(10):
        simulated.minute()
    assert list(simulated.marks.all()) == []
    steps = simulated.engine.steps
    assert steps[FOLD, "organization-00001"] in (2, 3)
    assert steps[SETTLE, "organization-00001"] == 1


def test_what_is_accepted_after_the_fold_began_keeps_the_mark() -> None:
    """The process has marked in this minute, so the second batch adds nothing to the mark."""
    simulated = without_sweep(SimulatedWork(names(1), 100))
    simulated.accept("organization-00000", START + 1)
    simulated.take("organization-00000", START + 2)
    simulated.accept("organization-00000", START + 3)
    for _ in range(3):
        simulated.minute()
    assert simulated.engine.accepted == {}


def test_a_poisoned_organization_delays_no_other_and_is_tried_ever_less() -> None:
    everyone = names(50)
    simulated = without_sweep(SimulatedWork(everyone, 200))
    simulated.engine.broken = {everyone[7]}
    for minute in range(120):
        for organization in everyone:
            simulated.accept(organization, START + minute * 60)
        found = simulated.minute()
    steps = simulated.engine.steps
    assert max(simulated.engine.delays) <= TWO_MINUTES
    assert all(steps[FOLD, each] >= 119 for each in everyone if each != everyone[7])
    assert steps[FOLD, everyone[7]] < 20
    assert (found.failing, found.overdue) == (1, 0)  # it was tried when it was due, and failed


def test_a_failing_task_does_not_hold_up_the_other_tasks_of_its_organization() -> None:
    mark = Mark("one", START, {SETTLE: START, FOLD: START})
    failed = mark.postponed(FOLD, START)
    assert (mark.most_urgent(START), failed.most_urgent(START)) == (FOLD, SETTLE)
    pauses = []
    for _ in range(9):
        mark = mark.postponed(FOLD, START)
        pauses.append(mark.due[FOLD] - START)
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert mark.done(FOLD, mark.due[FOLD], START, {}).failures == {}
    assert mark.done(SETTLE, START, START, {}).failures == {FOLD: 9}


class SettlingFirst(StubEngine):
    """Folds one batch of the log, and another one when the first is settled."""

    def fold_outstanding(self, organization: str, now: datetime) -> bool:
        self._step(FOLD, organization)
        if self.accepted[organization] and organization not in self.unsettled:
            self.unsettled[organization] = self.accepted[organization].pop()
        return False

    def remaining(self, organization: str, now: datetime) -> dict[str, int]:
        second = int(now.timestamp())
        due = {FOLD: second + FOLD_AGAIN} if self.accepted[organization] else {}
        return due | ({SETTLE: second} if organization in self.unsettled else {})


def test_what_waits_for_a_settle_is_folded_right_after_it_without_another_dispatch() -> None:
    simulated = without_sweep(SimulatedWork(names(1), steps_each_minute=0))
    simulated.engine = SettlingFirst(names(1))
    simulated.work = replace(simulated.work, engine=cast("Engine", simulated.engine))
    for _ in range(20):
        simulated.accept("organization-00000", START)
    simulated.minute()
    while simulated.queue.waiting:
        simulated.take(simulated.queue.waiting.popleft(), simulated.now)  # all in one second
    assert simulated.engine.accepted == {"organization-00000": []}
    assert simulated.engine.steps[SETTLE, "organization-00000"] == 20
    assert simulated.engine.steps[FOLD, "organization-00000"] <= 21


def test_a_lost_mark_is_found_by_the_sweep_within_a_day() -> None:
    everyone = names(2_500)
    simulated = SimulatedWork(everyone, 1_000)
    simulated.engine.accepted["organization-02499"].append(START)  # accepted, and never marked
    for _ in range(26):
        simulated.minute()
    assert simulated.engine.accepted == {}
    assert {
        simulated.engine.steps[task, each] for task in (FOLD, RETIRE, AUDIT) for each in everyone
    } == {1}
    sent = simulated.queue.counted["messages"]
    for _ in range(60):
        simulated.minute()
    assert simulated.queue.counted["messages"] - sent < 5  # once a day is once a day


def test_a_task_asked_for_during_its_step_stays() -> None:
    before = Mark("one", START, {SETTLE: START - 10})
    asked = replace(before, due={SETTLE: START - 5})
    assert before.done(SETTLE, START - 10, START, {}).due == {}
    assert asked.done(SETTLE, START - 10, START, {}).due == {SETTLE: START - 5}


def test_two_who_change_a_mark_at_once_both_count() -> None:
    simulated = SimulatedWork(names(1), 1)
    marks = simulated.marks
    marks.add("one", START, {SETTLE: START})
    mark = marks.get("one")
    assert mark
    marks.add("one", START, {FOLD: START}, accepted=START)
    after = marks.change("one", lambda mark: mark.done(SETTLE, START, START, {}), mark)
    assert after
    assert (after.due, after.accepted, marks.get("one")) == ({FOLD: START}, START, after)


def test_a_message_is_sent_once_until_its_step_has_ended() -> None:
    simulated = without_sweep(SimulatedWork(names(1), steps_each_minute=0))
    simulated.accept("organization-00000", START)
    for _ in range(4):
        simulated.minute()
    assert list(simulated.queue.waiting) == ["organization-00000"]
    found = simulated.minute()
    assert (found.overdue, found.overdue_seconds) == (1, 300 - PATIENCE[FOLD])


def test_a_mark_that_is_made_in_the_second_in_which_one_ended_has_a_message_of_its_own() -> None:
    """The queue drops what it got in the last five minutes, so its step would wait for as long."""
    simulated = SimulatedWork(names(1), steps_each_minute=0)
    organization = "organization-00000"
    for _ in range(2):
        simulated.marks.add(organization, START, {SETTLE: START})
        mark = simulated.marks.get(organization)
        assert mark
        simulated.queue.send([mark])
        assert simulated.table.delete_unchanged(mark.to_item())
    assert list(simulated.queue.waiting) == [organization] * 2


@pytest.mark.parametrize("task", PATIENCE)
def test_a_task_that_waits_longest_beyond_its_patience_is_next(task: str) -> None:
    due = dict.fromkeys(PATIENCE, START)
    due[task] = START - PATIENCE[task] - 1
    assert Mark("one", START, due).most_urgent(START) == task

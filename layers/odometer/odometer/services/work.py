"""Work: who has something to do gets a message; each message is one step of one organization."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from odometer.domain.errors import Unavailable
from odometer.domain.frozen import frozen
from odometer.domain.time import epoch_second
from odometer.engine.format.marks import AUDIT, FOLD, PATIENCE, RETIRE, SETTLE, Mark
from odometer.engine.store import Item
from odometer.services.engine import Engine, Findings
from odometer.storage.marks import Marks, Sweep
from odometer.storage.queue import WorkQueue

DAY_SECONDS: Final = 86_400
SWEPT_EACH_MINUTE: Final = 100
"""20,000 organizations within 200 minutes; more than 144,000 would take longer than a day."""
SWEPT_TASKS: Final = (FOLD, RETIRE, AUDIT)
FAILING_AFTER: Final = 3


class Dispatched(NamedTuple):
    """What a dispatch has found."""

    waiting: int
    """Organizations with something to do by now."""
    lag_seconds: Mapping[str, int]
    """By task, for how long the organization that has waited longest could have done it."""
    overdue: int
    """Organizations with a task that nobody has reached in time."""
    overdue_seconds: int
    """How late the oldest of these tasks is."""
    failing: int
    """Organizations of which a task has failed three times in a row, or whose mark is damaged."""


def longest_wait(marks: Iterable[Mark], task: str, second: int) -> int:
    """For how many seconds the longest wait for a task has lasted since it was due."""
    due = min((mark.due[task] for mark in marks if task in mark.due), default=second)
    return max(second - due, 0)


class Step(NamedTuple):
    """What a worker did for an organization."""

    task: str
    findings: Findings | None = None
    more: bool = False
    """Whether the same is to be done again at once."""
    failure: Exception | None = None
    """Why it is not done; the mark says when it is tried again."""


@frozen
class Work:
    """Hands out work and does it; both are safe to run at any time and twice at once."""

    engine: Engine
    marks: Marks
    queue: WorkQueue

    def dispatch(self, now: datetime) -> Dispatched:
        """Send a message for each mark that is due, after marking some of all organizations."""
        second = epoch_second(now)
        self._sweep(second)
        marks = list(self.marks.all())
        self.queue.send(mark for mark in marks if mark.most_urgent(second))
        waiting = sum(mark.most_urgent(second) is not None for mark in marks)
        late = [seconds for mark in marks if (seconds := mark.overdue_seconds(second)) > 0]
        failing = sum(max(mark.failures.values(), default=0) >= FAILING_AFTER for mark in marks)
        lags = {task: longest_wait(marks, task, second) for task in PATIENCE}
        return Dispatched(waiting, lags, len(late), max(late, default=0), failing)

    def step(self, organization: str, now: datetime, *, again: bool = False) -> Step | None:
        """Take the most urgent step that is due, and send a message for the next one.

        A step that fails is postponed, and its message is done: what else is due goes on at once.
        `again`: the worker that had the message before died, perhaps of this very task. Nothing is
        removed from a mark before its step has ended, so whoever dies loses nothing.
        """
        second = epoch_second(now)
        mark = self.marks.get(organization)
        task = mark.most_urgent(second) if mark else None
        if task and again:
            mark = self._postpone(organization, task, second)
        if mark is None or task is None:
            return None
        try:
            step = self._take(task, organization, now)
            left = self._left(step, organization, now)
        except Exception as failure:  # noqa: BLE001  whatever it is, it stops nothing else
            after = mark if again else self._postpone(organization, task, second)
            step = Step(task, failure=failure)
        else:
            after = self._done(mark, step, second, left)
        if after and after.most_urgent(second):
            self._send_at_once(after)
        return step

    def fold_new(self, organization: str, now: datetime, entries: Sequence[Item]) -> None:
        """Fold what the stream brings, and ask for a settle when the tail has become long."""
        if self.engine.fold_new(organization, entries, now):
            mark = self.marks.hasten(organization, SETTLE, epoch_second(now))
            self._send_at_once(mark)

    def begin_again(self, organization: str, now: datetime) -> None:
        """Make due what was postponed, and mark the organization in case its mark was lost."""
        second = epoch_second(now)
        self.marks.add(organization, second, {FOLD: second})
        self.marks.change(organization, lambda mark: mark.again(second))

    def _take(self, task: str, organization: str, now: datetime) -> Step:
        match task:
            case "fold":
                return Step(task, more=self.engine.fold_outstanding(organization, now))
            case "settle":
                self.engine.settle(organization, now)
            case "rebuild":
                self.engine.rebuild(organization, now)
            case "group":
                self.engine.group(organization, now)
            case "retire":
                return Step(task, more=self.engine.retire(organization, now))
            case "audit":
                findings, more = self.engine.audit(organization, now)
                return Step(task, findings, more)
        return Step(task)

    def _done(self, mark: Mark, step: Step, second: int, left: Mapping[str, int]) -> Mark | None:
        due = mark.due[step.task]
        return self.marks.change(
            mark.organization, lambda mark: mark.done(step.task, due, second, left), mark
        )

    def _left(self, step: Step, organization: str, now: datetime) -> dict[str, int]:
        """The tasks that are left after a step, and from which second on each is due.

        What is in the log may have waited for what was settled, so it need not wait for a dispatch.
        """
        second, left = epoch_second(now), self.engine.remaining(organization, now)
        if step.more:
            left[step.task] = second
        if step.task == SETTLE and FOLD in left and left.get(SETTLE, second + 1) > second:
            left[FOLD] = second
        return left

    def _send_at_once(self, mark: Mark | None) -> None:
        """Send a message without waiting for the next dispatch, which sends it if this fails."""
        with suppress(Unavailable):
            self.queue.send([mark] if mark else [])

    def _postpone(self, organization: str, task: str, second: int) -> Mark | None:
        return self.marks.change(organization, lambda mark: mark.postponed(task, second))

    def _sweep(self, second: int) -> None:
        """Mark the next of all organizations, each once a day: a mark that was lost is found."""
        sweep, today = self.marks.sweep, second // DAY_SECONDS
        if sweep.is_over and sweep.day >= today:
            return
        if sweep.is_over:
            sweep = Sweep(today, is_over=False)
        each = self.engine.directories.organizations(sweep.after, limit=SWEPT_EACH_MINUTE)
        marked = list(islice(each, SWEPT_EACH_MINUTE))
        for organization in marked:
            self.marks.add(organization, second, dict.fromkeys(SWEPT_TASKS, second))
        last = marked[-1] if marked else sweep.after
        is_over = len(marked) < SWEPT_EACH_MINUTE
        self.marks.keep_sweep(replace(sweep, after=last, is_over=is_over))

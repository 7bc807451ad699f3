"""Marks: which organizations have something to do, and when each of their tasks is due.

Accept, fold and the daily sweep add tasks. A worker removes one only if nobody has changed it
since; one that stays too long costs no more than a look.
"""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, Final, Self

from odometer.domain.frozen import frozen
from odometer.domain.stored import stored
from odometer.engine.format import keys
from odometer.engine.store import Item

FOLD: Final = "fold"
SETTLE: Final = "settle"
REBUILD: Final = "rebuild"
GROUP: Final = "group"
RETIRE: Final = "retire"
AUDIT: Final = "audit"
HOUR: Final = 3600
PATIENCE: Final[Mapping[str, int]] = {
    FOLD: 120,
    SETTLE: 15 * 60,
    REBUILD: 2 * HOUR,
    GROUP: 6 * HOUR,
    RETIRE: 12 * HOUR,
    AUDIT: 12 * HOUR,
}
"""The seconds that each task may wait once it is due, the most urgent first; then it is overdue."""
FIRST_PAUSE: Final = 60
LONGEST_PAUSE: Final = HOUR
LANDED_SECONDS: Final = 120
"""A process marks once a minute and a put is tried for 20 s: after this, an entry is in the log."""
FOLD_AGAIN: Final = 1
"""With the next dispatch: whatever waits for the one after it can wait longer than two minutes."""


@frozen
class Mark:
    """What an organization has to do."""

    organization: str
    since: int
    """When it got something to do, having had nothing."""
    due: Mapping[str, int] = field(default_factory=dict)
    """The second from which each task may be done."""
    accepted: int = 0
    """When a batch was last marked."""
    steps: int = 0
    """The number of steps that were taken since, and one that was drawn before the first.

    So a mark that is made in the second in which another one ended has other messages.
    """
    failures: Mapping[str, int] = field(default_factory=dict)
    """How often in a row each task has failed."""

    @property
    def message_id(self) -> str:
        """Names the next step: the same message is not sent twice within five minutes."""
        due = min(self.due.values(), default=0)
        return f"{self.organization}-{self.since}-{self.steps}-{due}"

    def most_urgent(self, now: int) -> str | None:
        """The due task that has waited longest, measured by its patience: so none starves."""
        due = [task for task in PATIENCE if self.due.get(task, now + 1) <= now]
        return max(due, key=lambda task: (now - self.due[task]) / PATIENCE[task], default=None)

    def overdue_seconds(self, now: int) -> int:
        """How long the longest wait has lasted beyond the patience of its task."""
        return max((now - second - PATIENCE[task] for task, second in self.due.items()), default=0)

    def postponed(self, task: str, now: int) -> Self:
        """The mark after a task has failed: each time it pauses twice as long."""
        failures = {**self.failures, task: self.failures.get(task, 0) + 1}
        pause = min(FIRST_PAUSE << (failures[task] - 1), LONGEST_PAUSE)
        due = {**self.due, task: now + pause}
        return replace(self, due=due, failures=failures, steps=self.steps + 1)

    def again(self, now: int) -> Self:
        """The mark as if nothing had failed."""
        due = {task: min(at, now) if task in self.failures else at for task, at in self.due.items()}
        return replace(self, due=due, failures={}, steps=self.steps + 1)

    def done(self, task: str, was_due: int, began: int, left: Mapping[str, int]) -> Self:
        """The mark after a step that left some tasks to do; what was asked meanwhile stays.

        So does the pause of another task that has failed.
        """
        others = {name: at for name, at in self.due.items() if (name, at) != (task, was_due)}
        paused = self.failures.keys() & others.keys()
        due = {
            name: min(others.get(name, at), max(at, began))
            for name, at in left.items()
            if name not in paused
        }
        if task == FOLD and self.accepted > began - LANDED_SECONDS:
            due[FOLD] = began + FOLD_AGAIN
        due = {**others, **due}
        accepted = self.accepted if FOLD in due else 0
        failures = {name: count for name, count in self.failures.items() if name != task}
        steps = self.steps + 1
        return replace(self, due=due, accepted=accepted, steps=steps, failures=failures)

    def to_item(self) -> dict[str, Any]:
        rest = {
            name: value
            for name in ("accepted", "steps", "failures")
            if (value := getattr(self, name))
        }
        return {"pk": keys.MARKS, "sk": self.organization, "since": self.since, **self.due, **rest}

    @classmethod
    @stored
    def from_item(cls, item: Item) -> Self:
        numbers = {name: int(item.get(name, 0)) for name in ("accepted", "steps")}
        due = {task: int(item[task]) for task in PATIENCE if task in item}
        failures = {name: int(count) for name, count in item.get("failures", {}).items()}
        return cls(str(item["sk"]), int(item["since"]), due, failures=failures, **numbers)

"""The marks of organizations that have something to do, in one partition of the usage table."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, Final, Self

from odometer.domain.errors import Corrupt, Unavailable
from odometer.domain.frozen import frozen
from odometer.domain.stored import stored
from odometer.engine.format import keys
from odometer.engine.format.marks import FOLD, Mark
from odometer.storage.dynamo import Item, Table, backoff

MINUTE = 60
FIRST_STEPS = 2**31
DAMAGED: Final = {"damaged": 1_000}
"""The failures of an organization whose mark cannot be read."""


@frozen
class Sweep:
    """How far the daily sweep over all organizations has come."""

    day: int = 0
    after: str = ""
    """The last organization that it has marked."""
    is_over: bool = True

    @classmethod
    @stored
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls(int(str(item["day"])), str(item["after"]), bool(item["is_over"]))


@frozen
class Marks:
    """Reads and changes marks; each change is one write of one small item."""

    table: Table
    noted_minutes: dict[str, int]
    """The minute in which this process last marked an organization."""

    def accepting(self, organization: str, now: int) -> None:
        """Mark before a batch is put into the log, or go on without the mark if storage fails."""
        if self.noted_minutes.get(organization) != now // MINUTE:
            self.noted_minutes[organization] = now // MINUTE
            with suppress(Unavailable):
                self.add(organization, now, {FOLD: now}, accepted=now)

    def add(self, organization: str, now: int, due: Mapping[str, int], **values: int) -> None:
        """Add tasks that an organization does not have yet."""
        new = {"since": now, "steps": secrets.randbelow(FIRST_STEPS), **due}
        self.table.add_missing(keys.MARKS, organization, new, values)

    def hasten(self, organization: str, task: str, now: int) -> Mark | None:
        """Make a task due by now; at most once a minute, else nothing is given back."""
        name = f"{organization}#{task}"
        if self.noted_minutes.get(name) == now // MINUTE:
            return None
        self.noted_minutes[name] = now // MINUTE
        self.add(organization, now, {task: now})
        return self.change(
            organization,
            lambda mark: replace(mark, due={**mark.due, task: min(now, mark.due.get(task, now))}),
        )

    def get(self, organization: str) -> Mark | None:
        item = self.table.get(keys.MARKS, organization)
        return Mark.from_item(item) if item else None

    def all(self) -> Iterator[Mark]:
        """Every mark, page by page."""
        return map(readable, self.table.query(keys.MARKS, keys.BOTTOM, keys.TOP))

    def change(
        self, organization: str, new: Callable[[Mark], Mark], known: Mark | None = None
    ) -> Mark | None:
        """Change a mark, from what it is by then if others change it too; return the new one."""
        for pause in backoff():
            mark = known or self.get(organization)
            if mark is None:
                return None
            changed = new(mark)
            if self._replace(mark, changed):
                return changed
            known = None
            pause()
        raise Unavailable(organization)

    def _replace(self, mark: Mark, changed: Mark) -> bool:
        if not changed.due:
            return self.table.delete_unchanged(mark.to_item())
        before, after = mark.to_item(), changed.to_item()
        return before == after or self.table.replace(before, after)

    @property
    def sweep(self) -> Sweep:
        item = self.table.get(keys.MARKS, keys.SWEEP)
        return Sweep.from_item(item) if item else Sweep()

    def keep_sweep(self, sweep: Sweep) -> None:
        self.table.put({"pk": keys.MARKS, "sk": keys.SWEEP, **asdict(sweep)})


def readable(item: Item) -> Mark:
    """A mark; one that is damaged counts as failing, and keeps no other from being found."""
    try:
        return Mark.from_item(item)
    except Corrupt:
        return Mark(str(item["sk"]), 0, failures=DAMAGED)

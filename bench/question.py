"""What every engine is asked, and the answer that it must give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import NamedTuple

from bench.deployment import CountingDeployment, days, in_department
from odometer.reports.figures import rounded
from tests.support.apps import APP

PAGE = 50
LENGTHS = (1, 28, 90, 366)
LATEST, EARLIEST = 3, 14
"""How many days before the last one a range may end: two years hold two ranges of 366 days."""

Row = tuple[str, int, int, int | None]
"""A user's id, milliseconds a day, days active, and milliseconds a day in the comparison."""
Page = tuple[list[Row], int]
"""The first rows, and how many there are."""


class Question(NamedTuple):
    """The users of an app over some days, most time a day first."""

    length: int
    ago: int
    compared: bool
    departments: bool

    @property
    def range(self) -> tuple[date, date]:
        return days(self.length, self.ago)

    @property
    def before(self) -> tuple[date, date] | None:
        return days(self.length, self.ago + self.length) if self.compared else None

    @property
    def earliest(self) -> date:
        return (self.before or self.range)[0]


Ask = Callable[[Question], Page]


@dataclass
class Engine:
    """Somebody who is asked."""

    name: str
    ask: Ask
    units: Callable[[], float] | None = None
    """The read units of the last answer, where they are paid for."""
    since: date = date.min
    """The first day that it holds."""


def questions() -> Iterator[Question]:
    """Ranges of every length that begin anywhere, plain, compared and of a department."""
    random = Random(7)
    for length in LENGTHS:
        ago = random.randint(LATEST, EARLIEST)
        for compared, departments in ((False, False), (True, False), (False, True)):
            yield Question(length, ago, compared, departments)


def oracle(deployment: CountingDeployment, question: Question) -> Page:
    """The answer from the raw arrays."""
    now = averages(deployment, *question.range)
    before = averages(deployment, *question.before) if question.before else None
    rows = [
        (
            deployment.ids[user],
            *figures,
            before.get(user, (0, 0))[0] if before is not None else None,
        )
        for user, figures in now.items()
        if in_department(user) or not question.departments
    ]
    return ranked(rows)


def averages(deployment: CountingDeployment, first: date, last: date) -> dict[int, tuple[int, int]]:
    """Of everyone who used the app on some days, milliseconds a day and days."""
    sums, counts = [0] * deployment.users, [0] * deployment.usage[APP].users
    for day, used in deployment.usage[APP].days.items():
        if first <= day <= last:
            for user, active_ms in enumerate(used.duration_ms):
                sums[user] += active_ms
                counts[user] += bool(active_ms)
    return averaged(sums, counts)


def averaged(sums: Sequence[int], counts: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Milliseconds a day and days, by user."""
    return {
        user: (rounded(total, count), count)
        for user, (total, count) in enumerate(zip(sums, counts, strict=True))
        if count
    }


def ranked(rows: list[Row]) -> Page:
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:PAGE], len(rows)

"""What every engine is asked, and the answer that it must give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import chain
from operator import add, sub
from random import Random
from typing import Any, NamedTuple

from bench.daily_usage import END, FIRST
from bench.deployment import (
    A_DAY,
    AUTOMATION,
    NOW,
    SETTLED,
    CountingDeployment,
    date_of,
    in_department,
)
from odometer.domain.time import epoch_second
from odometer.engine.calendar import first_second
from odometer.reports.figures import rounded
from tests.support.apps import APP, THEIR_APP

PAGE = 50
LENGTHS = (1, 28, 90, 366)
SHORT = LENGTHS[:3]
"""The drilldown takes 90 days at most."""
Row = tuple[str, int, int, int | None]
"""Of an app: a user's id, milliseconds a day, days active, milliseconds a day in the comparison.
Of a product of tests: a user's id, tests and milliseconds."""
Page = tuple[list[Row], int]
"""The first rows, and how many there are."""


class Form(NamedTuple):
    """What is asked of a product, and of whom."""

    words: str
    product: str = APP
    lengths: Sequence[int] = LENGTHS
    again: bool = False
    """Whether the time is that of the second answer to each question."""
    compared: bool = False
    departments: bool = False
    until_now: bool = False
    waiting: bool = False
    """Whether 5,000 events wait to be settled meanwhile."""
    to_the_second: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is of new whole days that are over, of everybody, and of nothing else."""
        others = (
            *(self.again, self.compared, self.departments),
            *(self.until_now, self.to_the_second),
        )
        return not any(others)


FORMS = (
    Form("whole days"),
    Form("whole days, asked again", again=True),
    Form("with comparison", compared=True),
    Form("one department", departments=True),
    Form("an app that few use", THEIR_APP),
    Form("to the second", AUTOMATION, SHORT, to_the_second=True),
    Form("until now", until_now=True),
    Form("until now, 5,000 events waiting", until_now=True, waiting=True),
)


@dataclass(frozen=True)
class Question:
    """The users of a product over some time, most used first."""

    form: Form
    length: int
    start: int
    end: int
    """The first second that is not asked for."""

    @property
    def seconds(self) -> range:
        return range(self.start, self.end)

    @property
    def before(self) -> range | None:
        """The days just before, if they are compared with."""
        ends = (self.start - self.length * A_DAY, self.start)
        return range(*ends) if self.form.compared else None

    @property
    def ranges(self) -> list[range]:
        return [self.seconds, self.before] if self.before else [self.seconds]

    @property
    def days(self) -> tuple[date, date]:
        """The first day and the last."""
        return date_of(self.start), date_of(self.end - 1)


Ask = Callable[[Question], Page]


@dataclass
class Engine:
    """Somebody who is asked."""

    name: str
    ask: Callable[[Any], Any]
    can: Callable[[Question], bool] = lambda _: True
    pid: int | None = None
    """The process that works beside this one, if one does."""
    round_trips: int = 1
    """What it would take over a network, beside the calls that it makes over HTTP already."""
    prepared: Callable[[Question], Any] = lambda question: question
    """What it is asked with, which no time is taken of."""
    page: Callable[[Any], Page] = lambda answer: answer
    """Its answer, as everybody's is compared; no time is taken of that either."""

    def ask_before(self, question: Question) -> None:
        """Ask for the first time what is asked again; no time is taken of that either."""
        if question.form.again:
            self.ask(self.prepared(question))


def questions(form: Form, length: int, turns: int) -> list[Question]:
    """Some ranges of a length, each of which begins anywhere in two years."""
    random = Random(f"{FORMS[0].words if form.again else form.words} {length}")
    return [question(form, length, random) for _ in range(turns)]


def question(form: Form, length: int, random: Random) -> Question:
    if form.until_now:
        start = first_second(END - timedelta(length - 1), UTC)
        return Question(form, length, start, epoch_second(NOW) if form.waiting else SETTLED)
    asked = length * (2 if form.compared else 1)
    last = END - timedelta(random.randint(0, (END - FIRST).days - asked - 1))
    end = first_second(last, UTC) - (random.randrange(A_DAY) if form.to_the_second else 0)
    return Question(form, length, end - length * A_DAY, end)


class Parts(NamedTuple):
    """A range, as the whole days that are over in it and the seconds at its edges."""

    days: tuple[date, date]
    """The first one, and the first that is not in it."""
    edges: list[range]


def parts(asked: range) -> Parts:
    """Today is never over."""
    first = -(-asked.start // A_DAY) * A_DAY
    end = min(asked.stop // A_DAY * A_DAY, first_second(END, UTC))
    if first >= end:
        return Parts((END, END), [asked])
    edges = [range(asked.start, first), range(end, asked.stop)]
    return Parts((date_of(first), date_of(end)), [edge for edge in edges if edge])


def days_at_edges(some: Iterable[Question]) -> dict[str, set[date]]:
    """The days of which questions want the events, by product."""
    found: defaultdict[str, set[date]] = defaultdict(set)
    for each in some:
        edges = chain.from_iterable(parts(asked).edges for asked in each.ranges)
        days = {date_of(second) for edge in edges for second in (edge.start, edge.stop - 1)}
        found[each.form.product].update(days)
    return found


Sums = list[list[int]]
"""Tests or sessions, milliseconds and days by user."""


class Oracle:
    """The right answers, by adding up day by day what everybody did."""

    def __init__(self, deployment: CountingDeployment, some: Iterable[Question]) -> None:
        self.deployment = deployment
        wanted: defaultdict[str, set[date]] = defaultdict(set)
        for each in some:
            for asked in each.ranges:
                wanted[each.form.product].update(parts(asked).days)
        self._sums = {name: dict(self._before(name, days)) for name, days in wanted.items()}

    def page(self, asked: Question) -> Page:
        """The first rows of a ranking, and how many it has."""
        uses, time, days = self.sums(asked.form.product, asked.seconds)
        here = [user for user, each in enumerate(days) if each]
        ids = self.deployment.ids
        if asked.form.to_the_second:
            return page_of([(ids[user], uses[user], time[user], None) for user in here], 2)
        former = averaged(*self.sums(asked.form.product, asked.before)[1:]) if asked.before else {}
        nothing = (0 if asked.before else None, 0)
        rows: list[Row] = [
            (ids[user], average, count, former.get(user, nothing)[0])
            for user, (average, count) in averaged(time, days).items()
            if in_department(user) or not asked.form.departments
        ]
        return page_of(rows, 1)

    def sums(self, product: str, asked: range) -> Sums:
        (first, end), edges = parts(asked)
        known = self._sums[product]
        sums = [list(map(sub, *pair)) for pair in zip(known[end], known[first], strict=True)]
        for edge in edges:
            active = set[int]()
            for _, user, *measures in self.deployment.events(product, edge):
                active.add(user)
                for column, value in zip(sums, measures, strict=False):
                    column[user] += value
            for user in active:
                sums[2][user] += 1
        return sums

    def _before(self, product: str, wanted: set[date]) -> Iterator[tuple[date, Sums]]:
        """What everybody has done before each of some days."""
        used = self.deployment.usage[product]
        sums: Sums = [[0] * used.users for _ in range(3)]
        for day in (*used.days, END):
            if day in wanted:
                yield day, sums
            if day < END:
                columns = (*used.days[day], map(bool, used.days[day].tests))
                sums = [list(map(add, *pair)) for pair in zip(sums, columns, strict=True)]


def averaged(sums: Sequence[int], counts: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Milliseconds a day and days, by user."""
    both = enumerate(zip(sums, counts, strict=True))
    return {user: (rounded(total, count), count) for user, (total, count) in both if count}


def page_of(rows: list[Row], places: int) -> Page:
    """The rows with the largest figures first, by so many of their figures, then by id."""
    ordered = sorted(rows, key=lambda row: (-row[1], -row[2] if places > 1 else 0, row[0]))
    return ordered[:PAGE], len(rows)

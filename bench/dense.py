"""A dense product over two years: the usage that the promised counts speak of.

Sixty percent of the users on weekdays, five percent at weekends; joiners and leavers; two measures.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cached_property
from operator import mul
from random import Random
from typing import NamedTuple

from bench.frame_items import by_shard, frame_items, usage_head
from odometer.domain.kinds import KINDS
from odometer.engine import calendar
from odometer.engine.format.products import MeteredProduct
from odometer.engine.store import Store

PRODUCT = MeteredProduct("automation", KINDS["test"])
FIRST, END = date(2024, 11, 4), date(2026, 11, 20)
AT_WORK, AT_HOME = 0.6, 0.05
_SATURDAY = 5
_POOL = 300_007


class Day(NamedTuple):
    """What every user did on one day."""

    tests: array[int]
    duration_ms: array[int]


class Dense:
    """The same days for the same number of users, every time."""

    def __init__(self, users: int) -> None:
        self.users = users
        random = Random(users)
        self._at_work = [random.random() < AT_WORK for _ in range(_POOL)]
        self._at_home = [random.random() < AT_HOME for _ in range(_POOL)]
        self._tests = [sum(random.choices(range(1, 6), k=4)) for _ in range(_POOL)]
        self._duration = [sum(random.choices(range(1_000, 600_000), k=4)) for _ in range(_POOL)]

    @cached_property
    def days(self) -> dict[date, Day]:
        return {day: self._day(day) for day in calendar.days(FIRST, END)}

    def totals(self, first: date, end: date) -> dict[str, int]:
        """What all users did together in some days."""
        days = [self.days[day] for day in calendar.days(first, end)]
        names = PRODUCT.kind.measures
        return {name: sum(sum(day[at]) for day in days) for at, name in enumerate(names)}

    def _day(self, day: date) -> Day:
        draw = Random(day.toordinal())
        here = self._present((day - FIRST).days)
        used = self._some(draw, self._at_work if day.weekday() < _SATURDAY else self._at_home)
        flags = list(map(mul, here, used))
        columns = (self._some(draw, pool) for pool in (self._tests, self._duration))
        return Day(*(array("Q", map(mul, flags, column)) for column in columns))

    def _some(self, draw: Random, pool: Sequence[int]) -> Sequence[int]:
        offset = draw.randrange(_POOL - self.users)
        return pool[offset : offset + self.users]

    def _present(self, day: int) -> list[bool]:
        """Four in five are there from the beginning, every tenth leaves one day."""
        joined = self.users * 4 // 5 + self.users * day // 3650
        days = len(calendar.days(FIRST, END))
        last = (days if who % 10 else who * 7919 % days for who in range(joined))
        return [day <= leaves for leaves in last] + [False] * (self.users - joined)


def store_usage(store: Store, organization: str, dense: Dense) -> Iterator[tuple[str, int]]:
    """Store the frames of all days; yield the kind of each and its bytes."""
    days = ((day, by_shard(used)) for day, used in dense.days.items())
    for item in frame_items(organization, PRODUCT, days):
        store.put(item)
        kind = {"F0": "keyframe", "F1": "delta", "S0": "strip"}[item["sk"][0] + item["sk"][13]]
        yield kind, sum(len(value) for value in item.values() if isinstance(value, bytes))
    store.put(usage_head(organization, END, dense.users))

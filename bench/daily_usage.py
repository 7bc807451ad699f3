"""Two years of usage, day by day and user by user, the same every time.

Sixty percent of the users on weekdays, five percent at weekends; joiners and leavers; two measures;
four events of a user on a day. A product that is used less has a share of that.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date
from functools import cached_property
from operator import mul
from random import Random
from typing import NamedTuple

from bench.frame_items import by_shard, decisions, frame_items
from odometer.domain.kinds import KINDS
from odometer.engine import calendar
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import Segment
from odometer.engine.store import Store

PRODUCT = MeteredProduct("automation", KINDS["test"])
FIRST, END = date(2024, 11, 4), date(2026, 11, 20)
AT_WORK, AT_HOME = 0.6, 0.05
USES = 4
"""Events of a user on a day."""
_SATURDAY = 5
_POOL = 300_007


class Day(NamedTuple):
    """What every user did on one day."""

    tests: array[int]
    duration_ms: array[int]


class DailyUsage:
    """The same days for the same number of users, share and seed, every time."""

    def __init__(self, users: int, share: float = 1.0, seed: int = 0) -> None:
        self.users, self._seed = users, seed
        random, pool = Random(users + seed), range(_POOL)
        self._at_work = [random.random() < AT_WORK * share for _ in pool]
        self._at_home = [random.random() < AT_HOME * share for _ in pool]
        self._tests = [sum_of_uses(random.random, range(1, 6)) for _ in pool]
        self._duration = [sum_of_uses(random.random, range(1_000, 600_000)) for _ in pool]

    @cached_property
    def days(self) -> dict[date, Day]:
        return {day: self._day(day) for day in calendar.days(FIRST, END)}

    def totals(self, first: date, end: date) -> dict[str, int]:
        """What all users did together in some days."""
        days = [self.days[day] for day in calendar.days(first, end)]
        names = PRODUCT.kind.measures
        return {name: sum(sum(day[at]) for day in days) for at, name in enumerate(names)}

    def events(self, day: date) -> Segment:
        """The uses that a day came from, in order of time; today they are those of a week ago."""
        random, midnight = Random(day.toordinal() + self._seed), calendar.first_second(day, UTC)
        used = self.days[day if day < END else calendar.days(FIRST, END)[-7]]
        rows = sorted(
            (midnight + random.randrange(86_400), who, *shares)
            for who in range(self.users)
            if used.tests[who]
            for shares in zip(*(in_uses(column[who]) for column in used), strict=True)
        )
        seconds, who, *measures = zip(*rows, strict=True) if rows else ((),) * 4
        return Segment(seconds, who, measures)

    def _day(self, day: date) -> Day:
        draw = Random(day.toordinal() + self._seed)
        here = self._present((day - FIRST).days)
        used = self._some(draw, self._at_work if day.weekday() < _SATURDAY else self._at_home)
        flags = list(map(mul, here, used))
        columns = (self._some(draw, pool) for pool in (self._tests, self._duration))
        return Day(*(array("I", map(mul, flags, column)) for column in columns))

    def _some(self, draw: Random, pool: Sequence[int]) -> Sequence[int]:
        offset = draw.randrange(_POOL - self.users)
        return pool[offset : offset + self.users]

    def _present(self, day: int) -> list[bool]:
        """Four in five are there from the beginning, every tenth leaves one day."""
        joined = self.users * 4 // 5 + self.users * day // 3650
        there = list(map(day.__le__, self._last_days[:joined]))
        return there + [False] * (self.users - joined)

    @cached_property
    def _last_days(self) -> Sequence[int]:
        days = len(calendar.days(FIRST, END))
        return [days if who % 10 else who * 7919 % days for who in range(self.users)]


def sum_of_uses(dice: Callable[[], float], each: range) -> int:
    """What a user's uses of a day come to: `sum(choices(each, k=USES))`, in a third of the time."""
    values = len(each)
    return USES * each.start + sum([int(dice() * values) for _ in range(USES)])


def in_uses(total: int) -> Iterator[int]:
    """A number, cut into as many uses."""
    return (total * (use + 1) // USES - total * use // USES for use in range(USES))


def store_usage(store: Store, organization: str, usage: DailyUsage) -> Iterator[tuple[str, int]]:
    """Store the frames of all days; yield the kind of each and its bytes."""
    days = ((day, by_shard(used)) for day, used in usage.days.items())
    for item in frame_items(organization, PRODUCT, days):
        store.put(item)
        kind = {"F0": "keyframe", "F1": "delta", "S0": "strip"}[item["sk"][0] + item["sk"][13]]
        yield kind, sum(len(value) for value in item.values() if isinstance(value, bytes))
    store.put_all(decisions(organization, END, usage.users))

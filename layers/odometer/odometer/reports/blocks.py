"""Blocks of time, and what some users did in each of them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from enum import StrEnum
from itertools import pairwise
from typing import Final

from odometer.domain.kinds import Kind
from odometer.domain.time import Period, second_from
from odometer.engine.format.frames import Frame, active, beside, plus
from odometer.engine.read.series import Series, lanes_filled, sums

MONDAY: Final = 0
ANY: Final = "*"
USERS: Final = "users"


class Granularity(StrEnum):
    """How a period is cut into blocks."""

    ALL = "all"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


BEGINS_WITH: Final[Mapping[str, Callable[[date], bool]]] = {
    "all": lambda _: False,
    "daily": lambda _: True,
    "weekly": lambda day: day.weekday() == MONDAY,
    "monthly": lambda day: day.day == 1,
    "quarterly": lambda day: day.day == 1 and day.month % 3 == 1,
}
"""By granularity, whether a block begins with a day."""


def blocks(period: Period, granularity: Granularity) -> list[Period]:
    """The period cut where blocks begin in UTC; the first and the last may be shorter."""
    ahead = range(period.start.toordinal() + 1, period.end.toordinal() + 1)
    days = filter(BEGINS_WITH[granularity], map(date.fromordinal, ahead))
    cuts = (datetime.combine(day, time(), UTC) for day in days)
    edges = [period.start, *(cut for cut in cuts if cut < period.end), period.end]
    return [Period(*ends) for ends in pairwise(edges)]


def edges(periods: Sequence[Period]) -> list[int]:
    return [second_from(each.start) for each in periods] + [second_from(periods[-1].end)]


Tally = Counter[tuple[str, str]]
"""What some users did in a block, by kind and measure; `USERS` is how many they were."""


def tally_blocks(series: Series, users: Collection[int] | None) -> list[Tally]:
    tallies: list[Tally] = [Counter() for _ in pairwise(series.edges)]
    lanes = None if users is None else lanes_filled(users)
    for shard in series.shards:
        if lanes is None or shard in lanes:
            for tally, frames in zip(tallies, series.blocks(shard), strict=True):
                mine = [frame.only(lanes[shard]) for frame in frames] if lanes else frames
                tally.update(tally_of(mine, [product.kind for product in series.products]))
    return tallies


def tally_of(frames: Iterable[Frame], kinds: Sequence[Kind]) -> Tally:
    of_kind: dict[Kind, Frame] = {}
    for frame, kind in zip(frames, kinds, strict=True):
        of_kind[kind] = plus(frame, of_kind[kind]) if kind in of_kind else frame
    users = [users_in(frame) for frame in of_kind.values()]
    several = users_in(beside([*of_kind.values()])) if len(users) > 1 else sum(users)
    tally: Tally = Counter({(ANY, USERS): several})
    for (kind, frame), of_this in zip(of_kind.items(), users, strict=True):
        tally[kind.name, USERS] = of_this
        tally.update(
            {(kind.name, name): n for name, n in zip(kind.measures, sums(frame), strict=True)}
        )
    return tally


def users_in(frame: Frame) -> int:
    return active(frame).bit_count()

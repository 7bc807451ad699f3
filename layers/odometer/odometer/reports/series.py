"""Usage over time: blocks of a period, and what some users did in each of them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from enum import StrEnum
from itertools import pairwise
from typing import Final

from odometer.domain.kinds import Kind
from odometer.domain.time import Period, second_from
from odometer.engine.format.frames import Frame, active, plus
from odometer.engine.read.series import Series, lanes_filled, only, sums

MONDAY: Final = 0
ANY: Final = "*"
USERS: Final = "users"


class Granularity(StrEnum):
    """How a period is cut into blocks."""

    ALL = "all"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


BEGINS: Final[Mapping[Granularity, Callable[[date], bool]]] = {
    Granularity.ALL: lambda _: False,
    Granularity.DAILY: lambda _: True,
    Granularity.WEEKLY: lambda day: day.weekday() == MONDAY,
    Granularity.MONTHLY: lambda day: day.day == 1,
}
"""Whether a block begins with a day."""


def blocks(period: Period, granularity: Granularity) -> list[Period]:
    """The period cut at UTC days, at Mondays or at months: without a hole, ragged at its ends."""
    ahead = range(period.start.toordinal() + 1, period.end.toordinal() + 1)
    days = filter(BEGINS[granularity], map(date.fromordinal, ahead))
    cuts = (datetime.combine(day, time(), UTC) for day in days)
    edges = [period.start, *(cut for cut in cuts if cut < period.end), period.end]
    return [Period(*ends) for ends in pairwise(edges)]


def edges(periods: Sequence[Period]) -> list[int]:
    """Where periods that follow each other begin and end, to the second that events have."""
    return [second_from(each.start) for each in periods] + [second_from(periods[-1].end)]


Tally = Counter[tuple[str, str]]
"""What some users did in a block, by kind and measure; how many they were stands by `USERS`."""


def tallies(series: Series, users: Collection[int] | None) -> list[Tally]:
    """What these users, or all of them, did in each block."""
    found: list[Tally] = [Counter() for _ in pairwise(series.edges)]
    lanes = None if users is None else lanes_filled(users)
    for shard in series.shards:
        if lanes is None or shard in lanes:
            for tally, frames in zip(found, series.blocks(shard), strict=True):
                mine = [only(frame, lanes[shard]) for frame in frames] if lanes else frames
                tally.update(tally_of(mine, [product.kind for product in series.products]))
    return found


def tally_of(frames: Iterable[Frame], kinds: Sequence[Kind]) -> Tally:
    """What the users of a shard did with products of these kinds."""
    of_kind: dict[Kind, Frame] = {}
    for frame, kind in zip(frames, kinds, strict=True):
        of_kind[kind] = plus(frame, of_kind[kind]) if kind in of_kind else frame
    users = [users_in(frame) for frame in of_kind.values()]
    several = users_in(sum(of_kind.values(), ())) if len(users) > 1 else sum(users)
    tally: Tally = Counter({(ANY, USERS): several})
    for (kind, frame), of_this in zip(of_kind.items(), users, strict=True):
        tally[kind.name, USERS] = of_this
        tally.update(
            {(kind.name, name): n for name, n in zip(kind.measures, sums(frame), strict=True)}
        )
    return tally


def users_in(frame: Frame) -> int:
    """How many users have any of the measures."""
    return active(frame).bit_count() if frame else 0

"""Blocks of time, and what some users did in each of them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from enum import StrEnum
from itertools import pairwise
from typing import Final

from odometer.domain.kinds import Kind
from odometer.domain.time import Period, second_from
from odometer.engine.format.strips import Count
from odometer.engine.read.people import PeopleSeries
from odometer.engine.read.series import Series

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


def tally_blocks(series: Series | PeopleSeries, users: Collection[int] | None) -> list[Tally]:
    tallies: list[Tally] = [Counter() for _ in pairwise(series.edges)]
    kinds = [product.kind for product in series.products]
    for blocks_of_shard in series.of_users(users):
        for tally, counts in zip(tallies, blocks_of_shard, strict=True):
            tally.update(tally_of(counts, kinds))
    return tallies


def tally_of(counts: Iterable[Count], kinds: Sequence[Kind]) -> Tally:
    tally: Tally = Counter()
    active: defaultdict[str, int] = defaultdict(int)
    for count, kind in zip(counts, kinds, strict=True):
        for each in (ANY, kind.name):
            active[each] |= count.users
        tally.update(
            {(kind.name, name): n for name, n in zip(kind.measures, count.sums, strict=False)}
        )
    tally.update({(kind, USERS): bits.bit_count() for kind, bits in active.items()})
    return tally

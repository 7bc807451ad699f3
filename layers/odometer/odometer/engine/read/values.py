"""Reads what was used of products by the values of a breakdown, in blocks of time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from odometer.engine import calendar
from odometer.engine.format.codec import Numbers
from odometer.engine.format.frames import Frame, numbers_of, total
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.measuring import Measuring
from odometer.engine.read.series import Series
from odometer.engine.read.views import View
from odometer.engine.rounds import Steps, in_rounds, side_by_side

WEEK_SECONDS: Final = 7 * 86_400


@dataclass(frozen=True)
class ByValue:
    """What was used in a block of time: a column for each measure, by value."""

    frame: Frame
    """Without a column of days."""

    @classmethod
    def together(cls, frames: Iterable[Frame], measures: int) -> "ByValue":
        return cls(total(frames, measures - 1))

    @cached_property
    def columns(self) -> Sequence[Numbers]:
        return [numbers_of([self.frame], place) for place in range(len(self.frame.columns))]

    @property
    def end(self) -> int:
        """The number after that of the last value that was used."""
        return max(map(len, self.columns))

    def of(self, value: int) -> list[int]:
        return [column[value] if value < len(column) else 0 for column in self.columns]

    @property
    def values(self) -> list[int]:
        """The values that anything was used of."""
        return [value for value in range(self.end) if any(self.of(value))]


def used_by_value(
    view: View, products: Sequence[MeteredProduct], edges: Sequence[int]
) -> list[ByValue]:
    """Of several products by value, in each block from a second up to the next one of the edges.

    The products are of one kind, whose values have the same numbers in all of them.
    """
    return in_rounds(view.store, by_value_in_rounds(view, products, edges))


def by_value_in_rounds(
    view: View, products: Sequence[MeteredProduct], edges: Sequence[int]
) -> Steps[list[ByValue]]:
    """The same, for whoever reads more at once.

    Short blocks of whole days share what is read of all of them; others are differences of
    readings, which a process remembers.
    """
    if is_by_day(view, products, edges):
        blocks = yield from Series(view, products, edges).blocks_in_rounds(0)
        return [ByValue.together(frames, products[0].measures) for frames in blocks]
    ranges = [range(*ends) for ends in pairwise(edges)]
    measured = [Measuring(view, product).frames(ranges, [0]) for product in products]
    of_products = yield from side_by_side(measured)
    by_block = zip(*of_products, strict=True)
    each = ([shard.measures for shards in block for shard in shards] for block in by_block)
    return [ByValue.together(frames, products[0].measures) for frames in each]


def is_by_day(view: View, products: Sequence[MeteredProduct], edges: Sequence[int]) -> bool:
    """Whether blocks begin with days and are shorter than weeks."""
    are_short = edges[-1] - edges[0] < WEEK_SECONDS * (len(edges) - 1)
    return are_short and all(_begin_days(view, product, edges[1:-1]) for product in products)


def _begin_days(view: View, product: MeteredProduct, seconds: Sequence[int]) -> bool:
    zone = calendar.zone_of(product.kind, view.head.zone)
    firsts = [calendar.first_second(calendar.day_of(each, zone), zone) for each in seconds]
    return firsts == list(seconds)

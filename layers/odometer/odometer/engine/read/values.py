"""Reads what was used of products by the values of a breakdown, in blocks of time."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from odometer.engine import calendar
from odometer.engine.format.codec import Numbers
from odometer.engine.format.frames import Frame, numbers_of, total
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.measuring import Measuring
from odometer.engine.read.series import Series
from odometer.engine.read.views import View
from odometer.engine.rounds import in_rounds, side_by_side


class ByValue(NamedTuple):
    """What was used in a block of time: a column for each measure, by value."""

    columns: Sequence[Numbers]

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
) -> Iterator[ByValue]:
    """Of several products by value, in each block from a second up to the next one of the edges.

    The products are of one kind, whose values have the same numbers in all of them.
    """
    wide = range(products[0].measures)
    for frames in _blocks(view, products, edges):
        measures = total(frames, len(wide) - 1)  # they have no column of days
        yield ByValue([numbers_of([measures], place) for place in wide])


def _blocks(
    view: View, products: Sequence[MeteredProduct], edges: Sequence[int]
) -> Iterator[Sequence[Frame]]:
    """The measures of each product; blocks of whole days share what is read, others do not."""
    inner = edges[1:-1]
    if inner and all(_begin_days(view, product, inner) for product in products):
        yield from Series(view, products, edges).blocks(0)
        return
    ranges = [range(*ends) for ends in pairwise(edges)]
    measured = [Measuring(view, product).frames(ranges, [0]) for product in products]
    for of_block in zip(*in_rounds(view.store, side_by_side(measured)), strict=True):
        yield [shard.measures for shards in of_block for shard in shards]


def _begin_days(view: View, product: MeteredProduct, seconds: Sequence[int]) -> bool:
    zone = calendar.zone_of(product.kind, view.head.zone)
    firsts = [calendar.first_second(calendar.day_of(each, zone), zone) for each in seconds]
    return firsts == list(seconds)

"""Tallies: what selections of users, or products, come to in each block of time."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import reduce
from itertools import groupby, pairwise, repeat
from operator import itemgetter, or_

from odometer.domain.time import Period, instant_at
from odometer.engine import calendar
from odometer.engine.format.frames import with_days
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.strips import Count
from odometer.engine.read.measuring import Used, measure_each
from odometer.engine.read.selections import Selections
from odometer.engine.read.series import Counted, Series
from odometer.engine.read.views import View

_LANES_AT_ONCE = 2_000_000
"""Users times blocks whose frames are in memory at a time."""


@dataclass
class Tally:
    """What one selection, or one product, comes to, block by block."""

    blocks: int
    sums: dict[str, list[int]] = field(default_factory=dict)
    """By measure."""
    users: list[int] = field(init=False)
    _days: dict[int, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.users = [0] * self.blocks

    @property
    def days(self) -> list[int]:
        """On how many days anybody was active."""
        return [len(self._days.get(block, ())) for block in range(self.blocks)]

    def add_day(self, block: int, day: int, *, is_active: bool) -> None:
        if is_active:
            self._days.setdefault(block, set()).add(day)

    def add(self, block: int, product: MeteredProduct, sums: Sequence[int]) -> None:
        for name, value in zip(product.kind.measures, sums, strict=False):
            self.sums.setdefault(name, [0] * self.blocks)[block] += value


@dataclass
class Tallies:
    """Tallies that grow with every count; the first one is that of the first selection."""

    edges: Sequence[int]
    selections: Selections
    products: Sequence[MeteredProduct]
    by_product: bool = False
    """Whether the others are of products, and not of the other selections."""
    by_day: bool = False
    """Whether active days are counted, too."""
    each: list[Tally] = field(init=False)

    def __post_init__(self) -> None:
        others = len(self.products) if self.by_product else len(self.selections.several) - 1
        self.each = [Tally(len(self.edges) - 1) for _ in range(1 + others)]
        self._active = defaultdict[int, list[int]](lambda: [0] * (len(self.edges) - 1))
        self._bits = dict[int, Sequence[int]]()

    def read(self, view: View) -> list[Tally]:
        for local_days in (False, True):
            places = [at for at, p in enumerate(self.products) if p.kind.local_days == local_days]
            if places:
                self._read(view, places)
        return self._finished()

    def _read(self, view: View, places: Sequence[int]) -> None:
        """Count products whose days begin at the same seconds."""
        products = [self.products[place] for place in places]
        zone = calendar.zone_of(products[0].kind, view.head.zone)
        edges = self._cut(zone)
        begin_days = all(is_first_second(edge, zone) for edge in edges[1:-1])
        counted = (
            Series(view, products, edges).counted(self.selections)
            if begin_days
            else counted_apart(view, products, edges, self.selections)
        )
        self.add(counted, places, edges, zone)

    def _cut(self, zone: tzinfo) -> Sequence[int]:
        if not self.by_day:
            return self.edges
        days = calendar.day_edges(range(self.edges[0], self.edges[-1]), zone)
        return sorted({*self.edges, *days})

    def add(
        self, counted: Counted, places: Sequence[int], edges: Sequence[int], zone: tzinfo
    ) -> None:
        """Add what products of some places come to between these edges, which cut the blocks."""
        at = [bisect_right(self.edges, first) - 1 for first in edges[:-1]]
        days = [calendar.day_of(first, zone).toordinal() for first in edges[:-1]]
        for shard, bits, blocks in counted:
            self._bits[shard], active = bits, self._active[shard]
            cuts = zip(at, days, blocks, strict=True)
            for block, of_block in groupby(cuts, key=itemgetter(0)):
                of_days = [(day, counts) for _, day, counts in of_block]
                active[block] |= self._add(block, places, of_days, bits)

    def _add(
        self,
        block: int,
        places: Sequence[int],
        of_days: Sequence[tuple[int, Sequence[Count]]],
        bits: Sequence[int],
    ) -> int:
        """Add what was used in one block, in parts of one day each; who used anything."""
        active = [0] * len(places)
        for day, counts in of_days:
            for at, (place, count) in enumerate(zip(places, counts, strict=True)):
                active[at] |= count.users
                self._add_sums(block, place, count.sums)
                self._add_day(block, day, place, count.users, bits)
        if self.by_product:
            for place, users in zip(places, active, strict=True):
                self.each[1 + place].users[block] += users.bit_count()
        return reduce(or_, active, 0)

    def _add_sums(self, block: int, place: int, sums: Sequence[int]) -> None:
        product = self.products[place]
        several = [self.each[0], self.each[1 + place]] if self.by_product else self.each
        firsts = repeat(0) if self.by_product else range(0, len(sums), product.measures)
        for tally, first in zip(several, firsts, strict=False):
            tally.add(block, product, sums[first : first + product.measures])

    def _add_day(self, block: int, day: int, place: int, users: int, bits: Sequence[int]) -> None:
        if self.by_day and self.by_product:
            for tally in (self.each[0], self.each[1 + place]):
                tally.add_day(block, day, is_active=bool(users))
        elif self.by_day:
            for tally, mine in zip(self.each, bits, strict=True):
                tally.add_day(block, day, is_active=bool(users & mine))

    def _finished(self) -> list[Tally]:
        several = self.each[:1] if self.by_product else self.each
        for shard, by_block in self._active.items():
            for tally, mine in zip(several, self._bits[shard], strict=True):
                counts = ((users & mine).bit_count() for users in by_block)
                tally.users[:] = map(int.__add__, tally.users, counts)
        return self.each


def is_first_second(second: int, zone: tzinfo) -> bool:
    """Whether a day begins with a second."""
    return calendar.first_second(calendar.day_of(second, zone), zone) == second


def counted_apart(
    view: View, products: Sequence[MeteredProduct], edges: Sequence[int], selections: Selections
) -> Counted:
    """Counts of blocks that begin inside days, each of which is read by itself, some at once."""
    periods = [Period(*map(instant_at, ends)) for ends in pairwise(edges)]
    some = max(1, _LANES_AT_ONCE // max(1, view.head.users * len(products)))
    by_shard: dict[int, list[tuple[Count, ...]]] = {}
    nothing = tuple(Count() for _ in products)
    for first in range(0, len(periods), some):
        used = [measure_each(view, p, periods[first : first + some]) for p in products]
        for block, of_products in enumerate(zip(*used, strict=True), first):
            shards = range(max(len(each.frames) for each in of_products))
            for shard in shards:
                blocks = by_shard.setdefault(shard, [nothing] * len(periods))
                blocks[block] = tuple(count_of(each, shard, selections) for each in of_products)
    for shard, blocks in by_shard.items():
        yield shard, selections.in_shard(shard).bits, iter(blocks)


def count_of(used: Used, shard: int, selections: Selections) -> Count:
    if shard >= len(used.frames):
        return Count()
    measures = used.frames[shard].measures
    return selections.in_shard(shard).of_frame(with_days(measures), used.product)

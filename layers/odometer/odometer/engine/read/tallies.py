"""Tallies: what selections of users, or products, come to in each block of time."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, tzinfo
from functools import cached_property, reduce
from itertools import groupby, pairwise, repeat
from operator import add, itemgetter, or_
from typing import Final, TypeAlias

from odometer.engine import calendar
from odometer.engine.format.frames import SHARD, with_days
from odometer.engine.format.products import PEOPLE, PEOPLE_SHARD, MeteredProduct
from odometer.engine.format.strips import Count
from odometer.engine.read.measuring import Measuring, Used
from odometer.engine.read.people import MOST_BLOCKS, PEOPLE_WEIGHT, PeopleSeries
from odometer.engine.read.selections import EVERYBODY, Selections
from odometer.engine.read.series import Counted, Series
from odometer.engine.read.views import View
from odometer.engine.rounds import Steps, side_by_side

_FLAGS: Final = bytes.maketrans(b"01", b"\0\1")
USERS_OF_A_UNIT: Final = 10_000
"""About so many users' strip of a week is a read unit."""
_LANES_AT_ONCE: Final = 2_000_000
"""Users times blocks whose frames are in memory at a time."""

Measured: TypeAlias = tuple[str, str]
"""A kind and one of its measures: equal names of two kinds may differ in what they mean."""


@dataclass
class Tally:
    """What one selection, or one product, comes to, block by block."""

    blocks: int
    sums: dict[Measured, Sequence[int]] = field(default_factory=dict)
    """What nobody used is left out."""
    users: list[int] = field(init=False)
    all_users: int = 0
    """Who was active in any of the blocks."""
    _days: list[int] = field(init=False)
    """A bit for each day on which anybody was active."""

    def __post_init__(self) -> None:
        self.users, self._days = [0] * self.blocks, [0] * self.blocks

    def sum(self, measured: Measured) -> int:
        return sum(self.sums.get(measured, ()))

    @property
    def all_days(self) -> int:
        return reduce(or_, self._days, 0).bit_count()

    @property
    def days(self) -> list[int]:
        """On how many days anybody was active."""
        return [days.bit_count() for days in self._days]

    def add_day(self, block: int, day: int, *, is_active: bool) -> None:
        self._days[block] |= is_active << day

    def add_sums(self, measured: Measured, column: Sequence[int]) -> None:
        known = self.sums.get(measured)
        self.sums[measured] = list(map(add, known, column)) if known else column

    def add_active(self, block: int | None, users: int) -> None:
        if block is None:
            self.all_users += users
        else:
            self.users[block] += users

    def add_users(self, by_block: Sequence[int], mine: int) -> None:
        """Add users of a shard that are of a selection."""
        found = [(users & mine).bit_count() for users in by_block]
        self.users = list(map(add, self.users, found))
        self.all_users += (reduce(or_, by_block, 0) & mine).bit_count()


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

    def __post_init__(self) -> None:
        others = len(self.products) if self.by_product else len(self.selections.several) - 1
        self._each = [Tally(self.blocks) for _ in range(1 + others)]
        self._active = defaultdict[int, list[int]](lambda: [0] * self.blocks)
        self._bits = dict[int, Sequence[int]]()
        self._sums: list[list[tuple[int, ...]]] = [[()] * self.blocks for _ in self.products]
        """By product and block, the sums of each selection one after the other."""

    @property
    def blocks(self) -> int:
        return len(self.edges) - 1

    def in_rounds(
        self, view: View, catalog: Sequence[MeteredProduct], *, has_sums: bool = True
    ) -> Steps[None]:
        """Read all that is asked for; whose days begin at the same seconds are read together."""
        asked = self.selections if has_sums else replace(self.selections, has_sums=False)
        places = [
            [at for at, product in enumerate(self.products) if product.kind.local_days == local]
            for local in (False, True)
        ]
        yield from side_by_side([self._read(view, catalog, asked, some) for some in places if some])

    def _read(
        self,
        view: View,
        catalog: Sequence[MeteredProduct],
        asked: Selections,
        places: Sequence[int],
    ) -> Steps[None]:
        products = [self.products[place] for place in places]
        zone = calendar.zone_of(products[0].kind, view.head.zone)
        edges = self._cut(zone)
        if all(is_first_second(edge, zone) for edge in edges[1:-1]):
            read = counted_by_day(view, catalog, products, edges, asked)
        else:
            read = counted_apart(view, products, edges, asked)
        days = [self._number_of(calendar.day_of(first, zone)) for first in edges[:-1]]
        self._add((yield from read), places, edges, days if self.by_day else ())

    def _number_of(self, day: date) -> int:
        """From 1 on: a date has the same number in every zone."""
        return (day - calendar.day_of(self.edges[0], UTC)).days + 2

    def _cut(self, zone: tzinfo) -> Sequence[int]:
        if not self.by_day:
            return self.edges
        days = calendar.day_edges(range(self.edges[0], self.edges[-1]), zone)
        return sorted({*self.edges, *days})

    def _add(
        self,
        counted: Counted,
        places: Sequence[int],
        edges: Sequence[int],
        days: Sequence[int] = (),
    ) -> None:
        """Add what products of some places come to between these edges, which cut the blocks."""
        at = [bisect_right(self.edges, first) - 1 for first in edges[:-1]]
        for shard, bits, blocks in counted:
            self._bits[shard], active = bits, self._active[shard]
            whole = [0] * len(places)
            parts = zip(at, days or repeat(0), blocks, strict=False)
            for block, of_block in groupby(parts, key=itemgetter(0)):
                found = [0] * len(places)
                for _, day, counts in of_block:
                    self._add_counts(block, day, list(zip(places, counts, strict=True)), bits)
                    found = [
                        users | count.users for users, count in zip(found, counts, strict=True)
                    ]
                active[block] |= reduce(or_, found, 0)
                whole = list(map(or_, whole, found))
                self._add_users_of_products(block, places, found)
            self._add_users_of_products(None, places, whole)

    def _add_counts(
        self, block: int, day: int, counts: Sequence[tuple[int, Count]], bits: Sequence[int]
    ) -> None:
        for place, count in counts:
            self._add_sums(block, place, count.sums)
            if day:
                self._add_day(block, day, place, count.users, bits)

    def _add_users_of_products(
        self, block: int | None, places: Sequence[int], users: Sequence[int]
    ) -> None:
        """Add who used each product in a block, or in any of them: nobody is in two shards."""
        if self.by_product:
            for place, found in zip(places, users, strict=True):
                self._each[1 + place].add_active(block, found.bit_count())

    def _add_sums(self, block: int, place: int, sums: tuple[int, ...]) -> None:
        known = self._sums[place][block]
        if sums:
            self._sums[place][block] = tuple(map(add, known, sums)) if known else sums

    def _add_day(self, block: int, day: int, place: int, users: int, bits: Sequence[int]) -> None:
        if self.by_product:
            for tally in (self._each[0], self._each[1 + place]):
                tally.add_day(block, day, is_active=bool(users))
        else:
            for tally, mine in zip(self._each, bits, strict=True):
                tally.add_day(block, day, is_active=bool(users & mine))

    def add_used(self, used: Sequence[Used]) -> None:
        """Add what every user has used of each product in the one block that there is."""
        shards = range(max((len(each.frames) for each in used), default=0))
        counted = (
            (
                shard,
                self.selections.in_shard(shard).bits,
                iter([tuple(count_of(each, shard, self.selections) for each in used)]),
            )
            for shard in shards
        )
        self._add(counted, range(len(used)), self.edges)

    @cached_property
    def each(self) -> list[Tally]:
        """The tallies, when all that they count was added."""
        for shard, by_block in self._active.items():
            for tally, mine in zip(self._of_selections, self._bits[shard], strict=True):
                tally.add_users(by_block, mine)
        for place, product in enumerate(self.products):
            self._spread(place, product)
        return self._each

    def _spread(self, place: int, product: MeteredProduct) -> None:
        """Give each tally its own sums of a product."""
        wide = product.measures
        nothing = (0,) * (wide * len(self.selections.several))
        columns = list(zip(*(sums or nothing for sums in self._sums[place]), strict=True))
        for number, tally in enumerate(self._of_selections):
            mine = columns[number * wide : (number + 1) * wide]
            for name, column in zip(product.kind.measures, mine, strict=True):
                measured = (product.kind.name, name)
                tally.add_sums(measured, column)
                if self.by_product:
                    self._each[1 + place].add_sums(measured, column)

    @property
    def _of_selections(self) -> Sequence[Tally]:
        return self._each[:1] if self.by_product else self._each


def is_first_second(second: int, zone: tzinfo) -> bool:
    """Whether a day begins with a second."""
    return calendar.first_second(calendar.day_of(second, zone), zone) == second


def counted_by_day(
    view: View,
    catalog: Sequence[MeteredProduct],
    products: Sequence[MeteredProduct],
    edges: Sequence[int],
    selections: Selections,
) -> Steps[Counted]:
    """Counts of blocks that begin with days; of a few people, by their own rows."""
    series = Series(view, products, edges)
    if selections.division is None and None not in (each.users for each in selections.several):
        people = PeopleSeries(view, catalog, products, edges)
        if people.is_lighter({user for each in selections.several for user in each.users or ()}):
            if people.is_exact:
                return people.counted(selections)
            selections = selections.of_people
    return (yield from series.counted_in_rounds(selections))


def counted_apart(
    view: View, products: Sequence[MeteredProduct], edges: Sequence[int], selections: Selections
) -> Steps[Counted]:
    """Counts of blocks that begin inside days, each of which is read by itself, some at once."""
    ranges = [range(*ends) for ends in pairwise(edges)]
    some = max(1, _LANES_AT_ONCE // max(1, view.head.users * len(products)))
    nothing = (Count(),) * len(products)
    by_shard: dict[int, list[tuple[Count, ...]]] = {}
    for first in range(0, len(ranges), some):
        used = yield from used_in_each(view, products, ranges[first : first + some])
        for block, of_products in enumerate(zip(*used, strict=True), first):
            for shard in range(max(len(each.frames) for each in of_products)):
                blocks = by_shard.setdefault(shard, [nothing] * len(ranges))
                blocks[block] = tuple(count_of(each, shard, selections) for each in of_products)
    parts = ((s, selections.in_shard(s).bits, iter(blocks)) for s, blocks in by_shard.items())
    return iter(parts)


def used_in_each(
    view: View, products: Sequence[MeteredProduct], ranges: Sequence[range]
) -> Steps[list[list[Used]]]:
    """By product and range, what every user has used."""
    shards = [range(view.head.shards(product)) for product in products]
    frames = yield from side_by_side(
        [Measuring(view, p).frames(ranges, s) for p, s in zip(products, shards, strict=True)]
    )
    return [[Used(p, f) for f in each] for p, each in zip(products, frames, strict=True)]


def count_of(used: Used, shard: int, selections: Selections) -> Count:
    if shard >= len(used.frames):
        return Count()
    measures = used.frames[shard].measures
    return selections.in_shard(shard).of_frame(with_days(measures), used.product)


def days_of_users(
    view: View, products: Sequence[MeteredProduct], seconds: range
) -> Steps[Sequence[int]]:
    """By user, on how many days they used any of some products."""
    active: dict[tuple[int, date], int] = {}
    for zone in {calendar.zone_of(product.kind, view.head.zone) for product in products}:
        some = [p for p in products if calendar.zone_of(p.kind, view.head.zone) == zone]
        edges = calendar.day_edges(seconds, zone)
        everybody = Selections([EVERYBODY], has_sums=False)
        counted = yield from Series(view, some, edges).counted_in_rounds(everybody)
        for shard, _, blocks in counted:
            for first, counts in zip(edges, blocks, strict=False):
                key = (shard, calendar.day_of(first, zone))
                active[key] = reduce(or_, (count.users for count in counts), active.get(key, 0))
    return days_by_user(active)


def days_by_user(active: Mapping[tuple[int, date], int]) -> list[int]:
    """How many days have the bit of each user, by shard and day."""
    days: list[int] = []
    for (shard, _), users in active.items():
        days += [0] * (SHARD * shard + users.bit_length() - len(days))
        first = SHARD * shard
        flags = f"{users:b}"[::-1].encode().translate(_FLAGS)
        days[first : first + len(flags)] = map(int.__add__, days[first:], flags)
    return days


def paid_for(
    view: View,
    products: Sequence[MeteredProduct],
    edges: Sequence[int],
    users: Sequence[int],
    units: float,
) -> int:
    """How many of some users have blocks that read units pay for, about; one always has."""
    everybody, people = Series(view, products, edges), Series(view, [PEOPLE], edges)
    if everybody.weight * view.head.users / USERS_OF_A_UNIT <= units:
        return len(users)
    by_weight = people.weight * PEOPLE_WEIGHT * PEOPLE_SHARD / USERS_OF_A_UNIT
    each = max(by_weight, people.reads / 2, 1 / 2)
    some = max(1, min(MOST_BLOCKS, int(units / each)))
    paid = list(dict.fromkeys(user // PEOPLE_SHARD for user in users))[:some]
    return next((at for at, u in enumerate(users) if u // PEOPLE_SHARD not in paid), len(users))

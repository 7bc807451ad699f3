"""Tallies: what selections of users, or products, come to in each block of time."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import cached_property, reduce
from itertools import groupby, pairwise, repeat
from operator import itemgetter, or_
from typing import Final

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


@dataclass
class Tally:
    """What one selection, or one product, comes to, block by block."""

    blocks: int
    sums: dict[str, list[int]] = field(default_factory=dict)
    """By measure."""
    users: list[int] = field(init=False)
    all_users: int = 0
    """Who was active in any of the blocks."""
    _days: dict[int, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.users = [0] * self.blocks

    def sum(self, name: str) -> int:
        return sum(self.sums.get(name, ()))

    @property
    def all_days(self) -> int:
        return len(set().union(*self._days.values()))

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

    def __post_init__(self) -> None:
        others = len(self.products) if self.by_product else len(self.selections.several) - 1
        self._each = [Tally(len(self.edges) - 1) for _ in range(1 + others)]
        self._active = defaultdict[int, list[int]](lambda: [0] * (len(self.edges) - 1))
        self._bits = dict[int, Sequence[int]]()

    @property
    def blocks(self) -> int:
        return len(self.edges) - 1

    def in_rounds(self, view: View, catalog: Sequence[MeteredProduct]) -> Steps[None]:
        """Read all that is asked for; whose days begin at the same seconds are read together."""
        places = [
            [at for at, product in enumerate(self.products) if product.kind.local_days == local]
            for local in (False, True)
        ]
        yield from side_by_side([self._read(view, catalog, some) for some in places if some])

    def _read(
        self, view: View, catalog: Sequence[MeteredProduct], places: Sequence[int]
    ) -> Steps[None]:
        products = [self.products[place] for place in places]
        zone = calendar.zone_of(products[0].kind, view.head.zone)
        edges = self._cut(zone)
        if all(is_first_second(edge, zone) for edge in edges[1:-1]):
            read = counted_by_day(view, catalog, products, edges, self.selections)
        else:
            read = counted_apart(view, products, edges, self.selections)
        self.add((yield from read), places, edges, zone)

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
            of_products = [0] * len(places)
            cuts = zip(at, days, blocks, strict=True)
            for block, of_block in groupby(cuts, key=itemgetter(0)):
                of_days = [(day, counts) for _, day, counts in of_block]
                found = self._add(block, places, of_days, bits)
                active[block] |= reduce(or_, found, 0)
                of_products = list(map(or_, of_products, found))
            if self.by_product:
                for place, users in zip(places, of_products, strict=True):
                    self._each[1 + place].all_users += users.bit_count()

    def _add(
        self,
        block: int,
        places: Sequence[int],
        of_days: Sequence[tuple[int, Sequence[Count]]],
        bits: Sequence[int],
    ) -> list[int]:
        """Add what was used in one block, in parts of one day each; who used each product."""
        active = [0] * len(places)
        for day, counts in of_days:
            for at, (place, count) in enumerate(zip(places, counts, strict=True)):
                active[at] |= count.users
                self._add_sums(block, place, count.sums)
                self._add_day(block, day, place, count.users, bits)
        if self.by_product:
            for place, users in zip(places, active, strict=True):
                self._each[1 + place].users[block] += users.bit_count()
        return active

    def _add_sums(self, block: int, place: int, sums: Sequence[int]) -> None:
        product = self.products[place]
        several = [self._each[0], self._each[1 + place]] if self.by_product else self._each
        firsts = repeat(0) if self.by_product else range(0, len(sums), product.measures)
        for tally, first in zip(several, firsts, strict=False):
            tally.add(block, product, sums[first : first + product.measures])

    def _add_day(self, block: int, day: int, place: int, users: int, bits: Sequence[int]) -> None:
        if self.by_day and self.by_product:
            for tally in (self._each[0], self._each[1 + place]):
                tally.add_day(block, day, is_active=bool(users))
        elif self.by_day:
            for tally, mine in zip(self._each, bits, strict=True):
                tally.add_day(block, day, is_active=bool(users & mine))

    def add_used(self, used: Sequence[Used], zone: tzinfo) -> None:
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
        self.add(counted, range(len(used)), self.edges, zone)

    @property
    def _of_selections(self) -> Sequence[Tally]:
        return self._each[:1] if self.by_product else self._each

    @cached_property
    def each(self) -> list[Tally]:
        """The tallies, when all that they count was added."""
        for shard, by_block in self._active.items():
            bits = self._bits[shard]
            active = reduce(or_, by_block, 0)
            for tally, mine in zip(self._of_selections, bits, strict=True):
                counts = ((users & mine).bit_count() for users in by_block)
                tally.users[:] = map(int.__add__, tally.users, counts)
                tally.all_users += (active & mine).bit_count()
        return self._each


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

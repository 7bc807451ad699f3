"""When users last used any of some products, settled or not, and on how many days.

Rows that a view does not see yet are replaced by what was kept of them. What was settled by a
release that wrote no rows is told by the frames: to the day, which stands for its first second.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import cached_property, partial
from itertools import chain, product
from typing import Final, NamedTuple

from odometer.engine import calendar
from odometer.engine.format import keys
from odometer.engine.format.frames import SHARD
from odometer.engine.format.last_used import GROUP, SINCE, Items, Pair, from_item
from odometer.engine.format.latest import BLOCK
from odometer.engine.format.products import TOTALS, MeteredProduct, places
from odometer.engine.read.selections import EVERYBODY, Selections
from odometer.engine.read.series import Series
from odometer.engine.read.views import View
from odometer.engine.store import KeyRange

_ITEM_BYTES: Final = 500
_USER_BYTES: Final = 200


class LastUse(NamedTuple):
    """The last second with usage, and of which product."""

    second: int
    product: str


ByUser = Mapping[int, LastUse]


class Found(NamedTuple):
    """The last uses that rows and unsettled events tell of."""

    by_user: ByUser
    by_product: Mapping[str, int]
    """The last second in which anybody used a product."""
    is_all: bool
    """Whether nothing was settled before rows were written."""


@dataclass(frozen=True)
class LastUses:
    """Some products, seen from a view. The catalog has all of them, in the order of places."""

    view: View
    catalog: Sequence[MeteredProduct]
    products: Sequence[MeteredProduct]

    def found(self) -> Found:
        """Of products that were used in the same second, the first in the catalog counts."""
        if not self.view.head.plan:
            return self._with({}, {}, self._unsettled(), is_all=True)
        settled = self._remembered()
        return self._with(*settled[:2], self._unsettled(), is_all=settled.is_all)

    def _with(
        self,
        by_user: ByUser,
        by_product: Mapping[str, int],
        rows: Iterable[tuple[Pair, int]],
        *,
        is_all: bool,
    ) -> Found:
        last, latest, asked = {**by_user}, {**by_product}, self._asked
        for (user, place), second in rows:
            if second and (name := asked.get(place)):
                known = last.get(user)
                if known is None or self._is_later(known, second, place):
                    last[user] = LastUse(second, name)
                latest[name] = max(second, latest.get(name, 0))
        return Found(last, latest, is_all)

    def _is_later(self, known: LastUse, second: int, place: int) -> bool:
        is_before = place < self._places[known.product]
        return second > known.second or (second == known.second and is_before)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return places(self.catalog, TOTALS)

    @cached_property
    def _asked(self) -> Mapping[int, str]:
        names = (each.id for each in self.products)
        return {self._places[name]: name for name in names if name in self._places}

    def _unsettled(self) -> Iterator[tuple[Pair, int]]:
        for event in self.view.unsettled_events:
            if event.product in self._places:
                yield (event.who, self._places[event.product]), event.second

    def _remembered(self) -> Found:
        """What is settled as of the plan of the view, which is the same whenever it is read."""
        name, plan = (LastUses, tuple(self._asked)), self.view.head.plan
        kept: tuple[int, Found] | None = self.view.memory.get(name)
        if kept and kept[0] == plan:
            return kept[1]
        blocks = range(-(-self.view.head.users // BLOCK))
        rows, complete = self._read(
            [*product(blocks, sorted({place // GROUP for place in self._asked}))]
        )
        found = self._with({}, {}, rows, is_all=complete)
        self.view.memory.keep(name, (plan, found), _ITEM_BYTES + _USER_BYTES * len(found.by_user))
        return found

    def _read(self, wanted: Sequence[Items]) -> tuple[Iterator[tuple[Pair, int]], bool]:
        """The rows of some items as of the view, and whether nothing was settled before them."""
        sks = [SINCE, *(keys.last_used_of(*at) for at in wanted)]
        pk = keys.last_used(self.view.organization)
        since, *items = self.view.store.get_each(pk, sks)
        found = {at: item for at, item in zip(wanted, items, strict=True) if item}
        rows = {at: from_item(item, *at) for at, item in found.items()}
        self._go_back(rows, [at for at, item in found.items() if item["k"] > self.view.head.plan])
        each = chain.from_iterable(of_item.items() for of_item in rows.values())
        return each, since is not None and since["k"] == 1

    def _go_back(self, rows: Mapping[Items, dict[Pair, int]], newer: Sequence[Items]) -> None:
        """Replace rows that a later plan has changed by what they were before the first of them.

        Those are read after the present ones, so that none is overwritten between.
        """
        former = [self._since(*at) for at in newer]
        for at, items in zip(newer, self.view.store.read(former) if former else [], strict=True):
            for item in reversed(items):
                rows[at].update(from_item(item, *at))

    def _since(self, block: int, group: int) -> KeyRange:
        first = keys.former_last_used(block, group, self.view.head.plan + 1)
        last = f"{keys.last_used_of(block, group)}#{keys.TOP}"
        return KeyRange(keys.last_used(self.view.organization), first, last)


class DayOfUse(NamedTuple):
    """Who of a shard used a product on a day, as far as it is within a range."""

    shard: int
    day: date
    """As the kind of the product counts it."""
    first: int
    """Its first second in the range."""
    product: str
    users: int
    """A bit for each."""


Begin = Callable[[Callable[[], list[DayOfUse]]], Future[list[DayOfUse]]]
"""Begins something, at once with whatever else goes on."""


def begin_days_of_use(
    view: View, products: Sequence[MeteredProduct], seconds: range, begin: Begin
) -> Callable[[], list[DayOfUse]]:
    """Ask for every day on which somebody used a product: whole weeks are read from strips."""
    read = [
        begin(partial(_days_in, Series(view, some, calendar.day_edges(seconds, zone)), zone))
        for zone, some in _by_zone(view, products).items()
    ]
    return lambda: [day for each in read for day in each.result()]


def _by_zone(
    view: View, products: Iterable[MeteredProduct]
) -> Mapping[tzinfo, list[MeteredProduct]]:
    by_zone: defaultdict[tzinfo, list[MeteredProduct]] = defaultdict(list)
    for each in products:
        by_zone[calendar.zone_of(each.kind, view.head.zone)].append(each)
    return by_zone


def _days_in(series: Series, zone: tzinfo) -> list[DayOfUse]:
    who = Selections([EVERYBODY], has_sums=False)
    return [
        DayOfUse(shard, calendar.day_of(first, zone), first, product.id, count.users)
        for shard, _, blocks in series.counted(who)
        for first, counts in zip(series.edges, blocks, strict=False)
        for product, count in zip(series.products, counts, strict=True)
        if count.users
    ]


def last_of_days(days: Iterable[DayOfUse], order: Sequence[str]) -> ByUser:
    """The last day of everybody; of several products on it, the first in the order counts."""
    ranks = {name: rank for rank, name in enumerate(order)}
    last: dict[int, LastUse] = {}
    seen: dict[int, int] = {}
    for day in sorted(days, key=lambda day: (-day.first, ranks[day.product])):
        new = day.users & ~seen.get(day.shard, 0)
        seen[day.shard] = seen.get(day.shard, 0) | new
        last |= dict.fromkeys(users_in(day.shard, new), LastUse(day.first, day.product))
    return last


def active_days(days: Iterable[DayOfUse], users: Iterable[int]) -> Mapping[int, int]:
    """On how many different days each of some users used anything."""
    by_day: defaultdict[tuple[int, date], int] = defaultdict(int)
    for each in days:
        by_day[each.shard, each.day] |= each.users
    by_shard: defaultdict[int, list[int]] = defaultdict(list)
    for (shard, _), bits in by_day.items():
        by_shard[shard].append(bits)
    places = ((user, *divmod(user, SHARD)) for user in users)
    return {user: sum(bits >> at & 1 for bits in by_shard[shard]) for user, shard, at in places}


def users_in(shard: int, bits: int) -> Iterator[int]:
    digits = f"{bits:b}"[::-1]
    at = digits.find("1")
    while at >= 0:
        yield shard * SHARD + at
        at = digits.find("1", at + 1)

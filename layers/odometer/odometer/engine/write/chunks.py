"""Writes the chunks of a sealed day: its events in time order, in steps of bounded size.

First come piles, each from the next few megabytes of segments; then slices, each from those sheets
of all piles that have events of its seconds. A day that is one pile is sorted at once.

Piles and sheets expire, so any of them may be lost. A pile that is not there is sorted again, and
all of them if a sheet is not: they follow from the plan, so all slices done before stay right.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import partial
from itertools import chain, pairwise
from typing import Final, Self

from odometer.domain.frozen import frozen
from odometer.engine.format import inside, keys
from odometer.engine.format.frames import Frame, to_attributes, total
from odometer.engine.format.inside import Chunk, DaySums, ProductDay, weight_of
from odometer.engine.format.piles import Pile, Sheets, sheets_of
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import Segment, in_order, joined
from odometer.engine.store import Item, KeyRange, Store
from odometer.engine.write.steps import BUDGET, Lost, Step, some_of

PILE_EVENTS = 250_000
"""Events that are sorted at once."""
PILE_BYTES = 2**24
"""Of segments that a pile reads: those of the dates that a day lies on may be of others."""
MOST_PILES = 1_024
"""Of a day with more piles, some 3,000 events a second, edges are read event by event."""
SLICE_SHEETS = 256
"""Sheets that begin within a slice, if these are several seconds."""
_SHARDS_AT_ONCE: Final = 16
_SHEETS_AT_ONCE: Final = 64
_AFTER_SLICES: Final = "3"
"""The name of a step that nobody takes any more once all slices of the day are done."""


@frozen
class ChunkWriter:
    """Writes the chunks of sealed days of one product, as of one plan."""

    organization: str
    store: Store
    product: MeteredProduct
    zone: tzinfo
    partition: Callable[[int, int], str]
    """Of a year and a shard."""
    plan: int
    ttl: int
    """When what nobody needs any more expires."""

    def steps(self, day: date) -> Iterator[Step]:
        """All piles, then the slices of each shard.

        How many there are follows from the piles before, so they are looked at in between. A pile
        that was written and is not there comes first, unless all slices are done.
        """
        piles = self._piles(day)
        for number in range(MOST_PILES):
            put = partial(self._put_pile, day, number, piles[number - 1].through if number else "")
            yield Step(f"1#{number:05d}", BUDGET // 8, put)
            if number == len(piles):
                piles += self._piles(day, number)
            if number == len(piles):
                yield Step(_AFTER_SLICES, BUDGET // 8, partial(self._begin_again, put))
                return
            if piles[number].is_last:
                break
        else:
            return
        if len(piles) == 1:
            return
        for shard in sorted({0, *chain.from_iterable(pile.by_shard for pile in piles)}):
            for seconds in self._slices(day, shard, piles):
                put = partial(self._put_slice, day, shard, seconds, piles)
                yield Step(f"2#{shard:05d}#{seconds.start:010d}", BUDGET // 8, put)

    def frames(self, day: date, shards: range) -> dict[int, Frame]:
        """What everybody used on a day: as its chunks say, or its events if it has none."""
        end = self._of_day(day).seconds.stop
        if not self._newest(day, [0], end):
            return self._sums_of_events(day, shards)
        newest = (self._newest(day, some, end) for some in some_of(shards, _SHARDS_AT_ONCE))
        sums = (
            (shard, chunk.until(end, self.product))
            for chunks in newest
            for shard, chunk in chunks.items()
        )
        return {shard: frame for shard, frame in sums if frame}

    def _sums_of_events(self, day: date, shards: range) -> dict[int, Frame]:
        sums = DaySums(self.product)
        for item in self._segments(day, ""):
            sums.add(self._of_day(day).cut(item).of_shards(shards))
        return sums.frames()

    def _piles(self, day: date, first: int = 0) -> list[Pile]:
        """The piles from one on, up to the first that is not there."""
        pk, start = self._pk(day, 0), keys.piles_from(day, self.plan)
        first_key = keys.pile(day, self.plan, first)
        (items,) = self.store.read([KeyRange(pk, first_key, start + keys.TOP)])
        found = map(Pile.from_item, items)
        return [pile for number, pile in enumerate(found, first) if pile.number == number]

    def _begin_again(self, put: Callable[[], None]) -> None:
        """Sort a pile that was lost; the steps that follow from it come with the next call."""
        put()
        raise Lost

    def _lost(self, day: date, piles: Sequence[Pile]) -> Lost:
        """Remove the piles of a day that lacks a sheet, so that it is sorted again."""
        pk = self._pk(day, 0)
        self.store.delete_all((pk, keys.pile(day, self.plan, pile.number)) for pile in piles)
        return Lost()

    def _slices(self, day: date, shard: int, piles: Sequence[Pile]) -> list[range]:
        """The seconds of a day, cut where so many sheets have begun; no second is divided."""
        firsts = sorted(chain.from_iterable(pile.sheets(shard).firsts for pile in piles))
        whole, inner = self._of_day(day).seconds, firsts[SLICE_SHEETS::SLICE_SHEETS]
        return [range(*ends) for ends in pairwise(sorted({whole.start, *inner, whole.stop}))]

    def _put_pile(self, day: date, number: int, after: str) -> None:
        """Sort the next segments; if they are all of the day, write its chunks at once."""
        taken = Taken.of(self._segments(day, after), self._of_day(day))
        by_shard = dict(sorted(taken.in_order().by_shard()))
        if number == 0 and taken.is_last:
            self._put_day(day, by_shard, taken)
            by_shard = {}
        self._put_sheets(day, number, by_shard, taken)

    def _put_day(self, day: date, by_shard: Mapping[int, Segment], taken: Taken) -> None:
        """The chunks of every shard with events, and of the first one, which stands for all."""
        if not inside.is_due(taken.weight, inside.SMALLEST_ITEM * len(by_shard)):
            return
        first, nothing = self._of_day(day).seconds.start, self._nothing
        bytes_each = taken.own_weight / max(taken.events, 1)
        self.store.put_all(
            item
            for shard, events in {0: self._no_events, **by_shard}.items()
            for chunk in chunks_of(events, first, nothing, bytes_each, self.product)
            for item in chunk.items(self._pk(day, shard), day, self.plan)
        )

    def _put_sheets(
        self, day: date, number: int, by_shard: Mapping[int, Segment], taken: Taken
    ) -> None:
        """The sheets of a pile, and then the item that tells of them: none of a day of one pile."""
        self.store.put_all(
            {
                "pk": self._pk(day, shard),
                "sk": keys.sheet(day, self.plan, sheet.seconds[0], number, place),
                **sheet.to_attributes(sheet.seconds[0]),
                "ttl": self.ttl,
            }
            for shard, events in by_shard.items()
            for place, sheet in enumerate(sheets_of(events))
        )
        sheets = {shard: Sheets.of(events) for shard, events in by_shard.items()}
        pile = Pile(number, taken.through, taken.is_last, taken.events, taken.own_weight, sheets)
        key = {"pk": self._pk(day, 0), "sk": keys.pile(day, self.plan, number)}
        self.store.put({**key, **pile.to_attributes(), "ttl": self.ttl})

    def _put_slice(self, day: date, shard: int, seconds: range, piles: Sequence[Pile]) -> None:
        """The chunks of some seconds, which go on from the last chunk before them."""
        former = self._newest(day, [shard], seconds.start - 1).get(shard)
        before = former.until(seconds.start, self.product) if former else self._nothing
        events = self._slice(day, shard, seconds, piles)
        bytes_each = sum(pile.weight for pile in piles) / max(sum(p.events for p in piles), 1)
        self.store.put_all(
            item
            for chunk in chunks_of(events, seconds.start, before, bytes_each, self.product)
            for item in chunk.items(self._pk(day, shard), day, self.plan)
        )

    def _slice(self, day: date, shard: int, seconds: range, piles: Sequence[Pile]) -> Segment:
        """The events of some seconds in order."""
        whole, waiting, events = self._no_events, list[Segment](), 0
        for sheet in self._sheets(day, shard, seconds, piles):
            waiting.append(sheet.cut(seconds.start, seconds.stop))
            events += len(waiting[-1].who)
            if events >= max(PILE_EVENTS, len(whole.who)):
                whole = in_order(joined([whole, *waiting], self.product.measures))
                waiting, events = [], 0
        return in_order(joined([whole, *waiting], self.product.measures))

    def _sheets(
        self, day: date, shard: int, seconds: range, piles: Sequence[Pile]
    ) -> Iterator[Segment]:
        """The sheets with events of some seconds: first those that have begun before."""
        pk, missing = self._pk(day, shard), 0
        begun = list[str]()
        for pile in piles:
            sheets = pile.sheets(shard)
            missing += len(sheets.within(seconds))
            begun += [
                keys.sheet(day, self.plan, sheets.firsts[place], pile.number, place)
                for place in sheets.begun(seconds.start)
            ]
        missing += len(begun)
        for sks in some_of(begun, _SHEETS_AT_ONCE):
            found = [item for item in self.store.get_each(pk, sks) if item]
            missing -= len(found)
            yield from map(self._sheet, found)
        first, end = (keys.sheets_from(day, self.plan, each) for each in (seconds[0], seconds.stop))
        for item in chain.from_iterable(self.store.pages(KeyRange(pk, first, end))):
            missing -= 1
            yield self._sheet(item)
        if missing:
            raise self._lost(day, piles)

    def _sheet(self, item: Item) -> Segment:
        return Segment.from_attributes(item, self.product, keys.first_of_sheet(item["sk"]))

    def _newest(self, day: date, shards: Sequence[int], second: int) -> dict[int, Chunk]:
        """By shard, the chunk of the plan that a second is in."""
        asked = [inside.newest_chunk(day, self._pk(day, shard), second) for shard in shards]
        found = self.store.read(asked)
        others = self.store.read([each for items in found for each in inside.other_parts(items)])
        rest = iter(others)
        return {
            shard: Chunk.from_items(
                [*items, *(next(rest) if inside.other_parts(items) else ())], self.product
            )
            for shard, items in zip(shards, found, strict=True)
            if items and keys.plan_of(items[0]["sk"]) == self.plan
        }

    def _segments(self, day: date, after: str) -> Iterator[Item]:
        """The segments that hold events of a day, page by page, from behind one of them."""
        for key_range in self._of_day(day).segments(0, self.plan):
            if after < key_range.last:
                first = max(key_range.first, after + keys.BOTTOM)
                yield from chain.from_iterable(self.store.pages(key_range._replace(first=first)))

    def _of_day(self, day: date) -> ProductDay:
        return ProductDay(self.organization, self.product, self.zone, day)

    def _pk(self, day: date, shard: int) -> str:
        return self.partition(day.year, shard)

    @property
    def _nothing(self) -> Frame:
        return total((), self.product.measures)

    @property
    def _no_events(self) -> Segment:
        return joined([], self.product.measures)


@dataclass(slots=True)
class Taken:
    """The events of a day in the next segments, as many as one step sorts."""

    of_day: ProductDay
    through: str = ""
    is_last: bool = False
    events: int = 0
    weight: int = 0
    """The bytes of these segments."""
    own_weight: int = 0
    """Without the events of other days in them."""
    _segments: list[Segment] = field(default_factory=list)

    @classmethod
    def of(cls, items: Iterable[Item], of_day: ProductDay) -> Self:
        taken = cls(of_day)
        for item in items:
            if taken.events >= PILE_EVENTS or taken.weight >= PILE_BYTES:
                return taken
            taken.add(item)
        taken.is_last = True
        return taken

    def add(self, item: Item) -> None:
        whole, seconds = Segment.from_item(item, self.of_day.product), self.of_day.seconds
        own, weight = whole.cut(seconds.start, seconds.stop), weight_of(item)
        self.through = item["sk"]
        self.events += len(own.who)
        self.weight += weight
        self.own_weight += weight * len(own.who) // len(whole.who)
        self._segments.append(own)

    def in_order(self) -> Segment:
        return in_order(joined(self._segments, self.of_day.product.measures))


def chunks_of(
    events: Segment, first: int, before: Frame, bytes_each: float, product: MeteredProduct
) -> Iterator[Chunk]:
    """The chunks of one shard from a second on, before which everybody had used so much.

    Each has as many bytes of events as the frame in it pays for, and ends where a second does.
    """
    start = 0
    while True:
        pays_for = inside.bytes_between(weight_of(to_attributes(before)))
        last = start + max(int(pays_for / max(bytes_each, 1)), 1) - 1
        is_last = last >= len(events.who) - 1
        end = len(events.who) if is_last else bisect_right(events.seconds, events.seconds[last])
        chunk = Chunk(first, before, events.part(range(start, end)))
        yield chunk
        if end == len(events.who):
            return
        start, first = end, chunk.events.seconds[-1] + 1
        before = chunk.until(first, product)

"""Writes frames: deltas and late items as events come, keyframes as weeks and years are sealed.

Frames follow from their plan and from what earlier plans wrote, so anyone may write them again at
any time. However many there are, only some are in memory at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import partial
from itertools import chain
from typing import Any, Final

from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import keys, segments, strips
from odometer.engine.format.frames import (
    SHARD,
    Frame,
    parts,
    plus,
    total,
    with_days,
)
from odometer.engine.format.late import DayRows, rows_by_shard
from odometer.engine.format.products import MeteredProduct, rows_in_shard
from odometer.engine.format.readings import Reading, frames_in, read_each
from odometer.engine.format.segments import Segment, by_day, day_frames
from odometer.engine.store import Item, Store
from odometer.engine.write.inside import InsideWriter
from odometer.engine.write.late import additions, late_bytes
from odometer.engine.write.steps import BUDGET, Step, groups, some_of

SHARDS_READ: Final = 256
"""Shards whose frames one step reads."""
ROWS_SUMMED: Final = 1 << 20
"""Users (or rows of a projection) whose day one step adds up; they take 42 MB."""
_READ_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class FrameWriter:
    """Writes what one plan adds to the frames of one product."""

    organization: str
    store: Store
    product: MeteredProduct
    zone: tzinfo
    generation: Callable[[int], int | None]
    """Of a year; a year without one is not written."""
    plan: int
    products: int = 0
    """How many products the organization has, which a projection has rows for."""
    is_busy: bool = False
    """Whether its days may have so many events that they need chunks."""

    def steps_of_adding(self, events: Segment, sealed: date) -> Iterator[Step]:
        """Write the events of days that are sealed."""
        late = events.cut(0, calendar.first_second(sealed, self.zone))
        for name, shards in groups(max(late.who, default=-1) // SHARD + 1, SHARDS_READ):
            some = late.of_shards(shards)
            if some.who:
                yield Step(name, len(some.who), partial(self.add_to_sealed_days, some, sealed))

    def add_to_sealed_days(self, events: Segment, sealed: date) -> Counter[str]:
        """Write events of sealed days; by product and year, the bytes that came late."""
        until = range(calendar.first_second(sealed, self.zone))
        rows = rows_by_shard(events, until, self.zone, self.product)
        added = {self._pk(*key): each for key, each in rows.items() if self._has_year(key[0])}
        weights: Counter[str] = Counter()
        self.store.put_all(self._additions(added, sealed, weights))
        return weights

    def steps_of_sealing(self, first: date, end: date, shards: int) -> Iterator[Step]:
        """Write the deltas of days from their segments, and the keyframes at whose edge they end.

        The steps of a week go through its days in turn, for some shards at a time. More products
        make these groups smaller: then the week begins again.
        """
        rows = rows_in_shard(self.product, self.products)
        summed = max(ROWS_SUMMED // rows, 1)
        for start, cut in calendar.cut_at_keyframes(first, end):
            if self._has_year(start.year):
                for group, some in groups(shards, summed):
                    in_turn = DaysInTurn(self, cut, some)
                    for day in calendar.days(start, cut):
                        put = partial(self._put_deltas, day, in_turn)
                        yield Step(f"{start}#1#{rows:05d}#{group}#{day}", 1 + len(some), put)
                if cut == calendar.keyframe_after(start):
                    for group, some in groups(shards, SHARDS_READ):
                        put = partial(self._put_keyframes, start, cut, some)
                        yield Step(f"{start}#2#{group}", 2 * len(some), put)
                for day in calendar.days(start, cut) if self.is_busy else ():
                    yield Step(f"{start}#3#{day}", BUDGET, partial(self._put_chunks, day))

    def settled(self, seconds: range) -> Iterator[Item]:
        """The segments of these seconds as of the plan; a page of them is in memory."""
        key_range = segments.key_range(self.organization, self.product.id, seconds)
        items = chain.from_iterable(self.store.pages(key_range))
        return (item for item in items if keys.plan_of(item["sk"]) <= self.plan)

    def _additions(
        self, added: Mapping[str, DayRows], sealed: date, weights: Counter[str]
    ) -> Iterator[Item]:
        for some in some_of(added.items(), _READ_AT_ONCE):
            for item in additions(self.store, self.product, dict(some), self.plan, sealed):
                weights[f"{self.product.id}#{keys.year_of(item['pk'])}"] += late_bytes(item)
                yield item

    def _put_deltas(self, day: date, in_turn: DaysInTurn) -> None:
        self._put(day.year, partial(keys.delta, day, self.plan), in_turn.frames(day))

    def _put_chunks(self, day: date) -> None:
        organization, store, product = self.organization, self.store, self.product
        InsideWriter(organization, store, product, self.zone, self._pk, self.plan).put_chunks(day)

    def _put_keyframes(self, start: date, edge: date, shards: range) -> None:
        base = calendar.keyframe_before(start)
        readings = {s: Reading(self._pk(start.year, s), start.year, base, edge) for s in shards}
        items = (
            item
            for some in some_of(readings.items(), _READ_AT_ONCE)
            for shard, week in read_each(self.store, dict(some))
            for item in self._keyframe(start.year, edge, shard, week)
        )
        self.store.put_all(items)

    def _keyframe(
        self, year: int, edge: date, shard: int, week: Iterable[Item]
    ) -> Iterator[dict[str, Any]]:
        """The totals at the end of a week, and the strip of the week."""
        frame = total(frames_in(week, self.plan, self.product), self.product.measures)
        if frame:
            counts = strips.counts_by_day(week, self.plan, self.product)
            strip = strips.to_attributes(counts, edge)
            yield {"pk": self._pk(year, shard), "sk": keys.strip(edge), **strip}
            yield from self._items(year, shard, partial(keys.keyframe, edge), frame)

    def _put(
        self, year: int, key: Callable[[int], str], frames: Iterable[tuple[int, Frame]]
    ) -> None:
        items = (self._items(year, shard, key, frame) for shard, frame in frames)
        self.store.put_all(chain.from_iterable(items))

    def _items(
        self, year: int, shard: int, key: Callable[[int], str], frame: Frame
    ) -> Iterator[dict[str, Any]]:
        pk = self._pk(year, shard)
        for part, piece in enumerate(parts(frame)):
            yield {"pk": pk, "sk": key(part), **piece}

    def _has_year(self, year: int) -> bool:
        return self.generation(year) is not None

    def _pk(self, year: int, shard: int) -> str:
        generation = self.generation(year) or 0
        return keys.frames(self.organization, self.product.id, year, generation, shard)


@dataclass(slots=True)
class DaysInTurn:
    """Adds up days, one after the other, in one pass through the segments of a week.

    The pass begins with the first day that is asked for.
    """

    writer: FrameWriter
    end: date
    shards: range
    _sums: Iterator[DaySums] | None = None

    def frames(self, day: date) -> Iterator[tuple[int, Frame]]:
        self._sums = self._sums or self._in_turn(day)
        return next(self._sums).frames()

    def _in_turn(self, first: date) -> Iterator[DaySums]:
        """A local day lies on two UTC dates: the next one may begin before it is over."""
        product, zone = self.writer.product, self.writer.zone
        within = calendar.seconds_of(first, self.end, zone)
        sums = defaultdict[date, DaySums](partial(DaySums, product))
        items = self.writer.settled(within)
        item = next(items, None)
        for day in calendar.days(first, self.end):
            over = calendar.first_second(day + DAY, zone)
            while item and segments.midnight_of(item) < over:
                segment = Segment.from_item(item, product).of_shards(self.shards)
                for touched, cut in by_day([segment], within, zone):
                    sums[touched].add(*cut)
                item = next(items, None)
            yield sums.pop(day, DaySums(product))


@dataclass(slots=True)
class DaySums:
    """What every user of some shards has used on a day so far."""

    product: MeteredProduct
    by_shard: dict[int, Frame] = field(default_factory=dict)

    def add(self, segment: Segment) -> None:
        for shard, of_shard in segment.by_shard():
            for frame in day_frames([of_shard], self.product).values():
                known = self.by_shard.get(shard)
                self.by_shard[shard] = plus(known, frame) if known else frame

    def frames(self) -> Iterator[tuple[int, Frame]]:
        for shard, frame in sorted(self.by_shard.items()):
            yield shard, with_days(frame.measures)

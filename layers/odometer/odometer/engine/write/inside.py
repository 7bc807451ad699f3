"""Writes what stands inside days: running frames of open ones, chunks of sealed ones.

Both follow from a plan and from what earlier plans wrote. No day is ever in memory: running frames
build on each other, and a sealed day is sorted slice by slice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import partial
from heapq import nlargest
from itertools import chain
from typing import Any, Final, Self

from odometer.engine import calendar
from odometer.engine.format import inside, keys
from odometer.engine.format.decisions import Plan, Rebuild, UsageHead
from odometer.engine.format.frames import (
    SHARD,
    Frame,
    from_attributes,
    numbers_of,
    parts,
    to_attributes,
    total,
    with_days,
)
from odometer.engine.format.inside import Chunk, DaySums, ProductDay, Running, shards_in, weight_of
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import Segment, by_day
from odometer.engine.store import Item, Store
from odometer.engine.write.steps import some_of

PLANS_BETWEEN: Final = 16
"""A plan that brings few events looks only this often how much has come."""
MOST_LOOKS: Final = 256
"""Days of products that a plan looks at, which is some seconds of reading: those that it brings
most to."""
SLICE_EVENTS = 100_000
"""Events of a sealed day that are sorted at once."""
MOST_BYTES = 2**28
"""Of a day with more events than these, 390 a second, edges are read event by event."""
ROWS_WAITING = 300_000
"""Events of all shards that wait for their chunks to be full."""
_EVENT_BYTES: Final = 8
"""About what an event takes in a segment."""
_SHARDS_AT_ONCE: Final = 16
_ITEMS_AT_ONCE: Final = 16

Row = tuple[int, ...]
"""Second, user, measures."""


def advance_all(
    organization: str,
    store: Store,
    plan: Plan,
    head: UsageHead,
    catalog: Iterable[MeteredProduct],
    written: Mapping[str, Segment],
) -> dict[str, list[Running]]:
    """Write the running frames of a plan; the newest by product with frames inside its days.

    The head is the one that will show them.
    """
    running = dict[str, list[Running]]()
    looks = looks_of(plan, head, catalog := sorted(catalog), written)
    for product in catalog:
        known = head.running.get(product.id)
        zone = calendar.zone_of(product.kind, head.zone)
        newest = list(known or ())
        has_place = known is not None or len(running) < inside.MOST_PRODUCTS
        if has_place and (days := looks.get(product.id)):
            partition = partial(partition_of, organization, head, product)
            writer = InsideWriter(organization, store, product, zone, partition, plan.number)
            newest = writer.advance(newest, days, head.shards(product))
        sealed = calendar.day_of(plan.sealed, zone)
        if known is not None or newest:
            running[product.id] = [each for each in newest if each.day >= str(sealed)]
    return running


def looks_of(
    plan: Plan,
    head: UsageHead,
    catalog: Iterable[MeteredProduct],
    written: Mapping[str, Segment],
) -> dict[str, list[date]]:
    """By product, the days open after a plan of which it looks how much has come."""
    looks = (
        (len(within.who), product.id, day)
        for product in catalog
        if product.id in written and head.shards(product) <= inside.MOST_SHARDS
        for day, within in open_days(written[product.id], plan, product, head.zone)
        if is_time(plan.number, len(within.who))
    )
    by_product: defaultdict[str, list[date]] = defaultdict(list)
    for _, name, day in nlargest(MOST_LOOKS, looks):
        by_product[name].append(day)
    return {name: sorted(days) for name, days in by_product.items()}


def open_days(
    events: Segment, plan: Plan, product: MeteredProduct, head_zone: str
) -> Iterator[tuple[date, Segment]]:
    zone = calendar.zone_of(product.kind, head_zone)
    first = calendar.first_second(calendar.day_of(plan.sealed, zone), zone)
    return ((day, one) for day, (one,) in by_day([events], range(first, calendar.NEVER), zone))


def is_time(plan: int, events: int) -> bool:
    """Whether to look how much has come: at every 16th plan, or if this one brings much."""
    return events * _EVENT_BYTES * PLANS_BETWEEN >= inside.EVENT_BYTES or plan % PLANS_BETWEEN == 0


def partition_of(
    organization: str, head: UsageHead, product: MeteredProduct, year: int, shard: int
) -> str:
    generation = head.generation(product, year)
    return keys.frames(organization, product.id, year, generation, shard)


def without_replaced(
    running: Mapping[str, Sequence[Running]], catalog: Iterable[MeteredProduct], rebuild: Rebuild
) -> dict[str, list[Running]]:
    """Without the running frames of generations that a rebuild replaces."""
    products = {product.id: product for product in catalog}
    return {
        name: [
            each
            for each in several
            if name in products and not rebuild.covers(products[name], int(each.day[:4]))
        ]
        for name, several in running.items()
    }


@dataclass(frozen=True, slots=True)
class InsideWriter:
    """Writes what one plan adds inside the days of one product."""

    organization: str
    store: Store
    product: MeteredProduct
    zone: tzinfo
    partition: Callable[[int, int], str]
    """Of a year and a shard."""
    plan: int

    def advance(self, known: Iterable[Running], days: Iterable[date], shards: int) -> list[Running]:
        """The newest running frames of open days, given those before the plan."""
        newest = {date.fromisoformat(each.day): each for each in known}
        for day in days:
            newer = self._put_running(day, newest.get(day), shards)
            newest |= {day: newer} if newer else {}
        return [newest[day] for day in sorted(newest)]

    def put_chunks(self, day: date) -> bool:
        """Write the events of a sealed day in time order; whether there are so many.

        Of more than one call can sort, none are written: sealing must not wait for them.
        """
        of_day = ProductDay(self.organization, self.product, self.zone, day)
        contents = DayContents.of(self.store, of_day, self.plan)
        if contents.weight > MOST_BYTES or not inside.is_due(
            contents.weight, inside.SMALLEST_ITEM * len(contents.shards)
        ):
            return False
        self.store.put_all(
            item
            for shard, chunk in chunks_of(contents)
            for item in chunk.items(self.partition(day.year, shard), day, self.plan)
        )
        return True

    def _put_running(self, day: date, former: Running | None, shards: int) -> Running | None:
        """Write another running frame of a day if enough has come since the former one."""
        since = Since(self.product, former.last if former else 0)
        of_day = ProductDay(self.organization, self.product, self.zone, day)
        for item in items_of(self.store, of_day, former.plan if former else 0, self.plan):
            since.add(weight_of(item), of_day.cut(item))
        added = since.sums.frames()
        frames = former.weight if former else inside.SMALLEST_ITEM * len(added)
        if not added or not inside.is_due(since.weight, frames):
            return None
        weights: list[int] = []
        frames_of_day = self._running_frames(day, former, added, range(shards))
        self.store.put_all(self._running_items(day, since.last, frames_of_day, weights))
        return Running(str(day), since.last, self.plan, sum(weights))

    def _running_items(
        self, day: date, last: int, frames: Iterable[tuple[int, Frame]], weights: list[int]
    ) -> Iterator[dict[str, Any]]:
        """All shards that have used anything of the day; the first one stands for all of them."""
        for shard, frame in frames:
            for part, piece in enumerate(parts(frame) if frame or shard == 0 else ()):
                sk = keys.running(day, last, self.plan, part)
                item = {"pk": self.partition(day.year, shard), "sk": sk, **piece}
                weights.append(max(weight_of(item), inside.SMALLEST_ITEM))
                yield item

    def _running_frames(
        self, day: date, former: Running | None, added: Mapping[int, Frame], shards: range
    ) -> Iterator[tuple[int, Frame]]:
        measures = self.product.measures
        for some in some_of(shards, _SHARDS_AT_ONCE):
            pks = [self.partition(day.year, shard) for shard in some]
            ranges = [former.key_range(pk) for pk in pks] if former else []
            known = dict(zip(some, self.store.read(ranges), strict=False))
            for shard in some:
                frames = [from_attributes(item, measures) for item in known.get(shard, ())]
                frames += [added[shard]] if shard in added else []
                yield shard, with_days(total(frames, measures).measures)


@dataclass(slots=True)
class Since:
    """What has come of an open day since its last running frame."""

    product: MeteredProduct
    last: int
    weight: int = 0
    sums: DaySums = field(init=False)

    def __post_init__(self) -> None:
        self.sums = DaySums(self.product)

    def add(self, weight: int, events: Segment) -> None:
        self.weight += weight
        self.last = max((self.last, *events.seconds[-1:]))
        self.sums.add(events)


@dataclass(frozen=True, slots=True)
class DayContents:
    """How many events of a day there are in each second, and where they are stored."""

    store: Store
    of_day: ProductDay
    weight: int
    shards: frozenset[int]
    events: Counter[int]
    """By second."""
    minutes: Mapping[str, int]
    """By item, a bit for every minute of the day in which it has events."""

    @classmethod
    def of(cls, store: Store, of_day: ProductDay, plan: int) -> Self:
        weight, shards, events, minutes = 0, set[int](), Counter[int](), dict[str, int]()
        for item in items_of(store, of_day, 0, plan):
            weight += weight_of(item)
            if weight > MOST_BYTES:
                break
            segment = of_day.cut(item)
            shards |= shards_in(segment)
            events.update(segment.seconds)
            minutes[item["sk"]] = of_day.minutes(segment.seconds)
        return cls(store, of_day, weight, frozenset(shards), events, minutes)

    @property
    def bytes_each(self) -> float:
        return self.weight / max(self.events.total(), 1)

    def slices(self) -> Iterator[range]:
        """Seconds with not too many events together, in order; one second is never divided."""
        seconds, many = self.of_day.seconds, 0
        first = seconds.start
        for second in sorted(self.events):
            if many and many + self.events[second] > SLICE_EVENTS:
                yield range(first, second)
                first, many = second, 0
            many += self.events[second]
        yield range(first, seconds.stop)

    def within(self, seconds: range) -> Iterator[Segment]:
        """The events of a slice, item by item, from those items that have any."""
        wanted = self.of_day.minutes(seconds)
        sks = [sk for sk, has in self.minutes.items() if has & wanted]
        for some in some_of(sks, _ITEMS_AT_ONCE):
            for item in self.store.get_each(self.of_day.pk, some):
                if item is not None:
                    yield self.of_day.cut(item).cut(seconds.start, seconds.stop)

    def rows(self, seconds: range) -> list[Row]:
        """The events of a slice in order. Those of a single second are added up by user."""
        if len(seconds) > 1:
            segments = self.within(seconds)
            return sorted(row for each in segments for row in rows_of(each))
        sums = DaySums(self.of_day.product)
        for segment in self.within(seconds):
            sums.add(segment)
        return [
            (seconds.start, shard * SHARD + user, *measures)
            for shard, frame in sums.frames().items()
            for user, measures in enumerate(measures_of(frame))
            if any(measures)
        ]


@dataclass(slots=True)
class ShardChunks:
    """The chunks of one shard, closed one after the other."""

    product: MeteredProduct
    first: int
    before: Frame
    closed: int = 0
    rows: list[Row] = field(default_factory=list)

    def close_full(self, bytes_each: float) -> Iterator[Chunk]:
        """Those with as many bytes of events as a frame between them pays for."""
        while len(self.rows) >= (many := self._events_in_chunk(bytes_each)):
            last = self.rows[many - 1][0]
            yield self.close(bisect_right(self.rows, last, key=lambda row: row[0]))

    def close(self, end: int) -> Chunk:
        """The chunk of the rows before a place, where a second ends."""
        columns = list(zip(*self.rows[:end], strict=True)) or [()] * (2 + self.product.measures)
        chunk = Chunk(self.first, self.before, Segment(columns[0], columns[1], columns[2:]))
        self.first = columns[0][-1] + 1 if end else self.first
        self.before = chunk.until(self.first, self.product)
        self.closed += 1
        del self.rows[:end]
        return chunk

    def _events_in_chunk(self, bytes_each: float) -> int:
        frame = weight_of(to_attributes(self.before))
        return min(max(int(inside.bytes_between(frame) / bytes_each), 1), SLICE_EVENTS)


def chunks_of(contents: DayContents) -> Iterator[tuple[int, Chunk]]:
    """The chunks of every shard with events, and of the first one, which stands for all of them."""
    product, first = contents.of_day.product, contents.of_day.seconds.start
    by_shard = {
        shard: ShardChunks(product, first, total((), product.measures))
        for shard in sorted({0, *contents.shards})
    }
    for seconds in contents.slices():
        for second, user, *measures in contents.rows(seconds):
            by_shard[user // SHARD].rows.append((second, user % SHARD, *measures))
        for shard, chunks in by_shard.items():
            yield from ((shard, chunk) for chunk in chunks.close_full(contents.bytes_each))
        yield from _close_largest(by_shard)
    for shard, chunks in by_shard.items():
        if chunks.rows or not chunks.closed:
            yield shard, chunks.close(len(chunks.rows))


def _close_largest(by_shard: Mapping[int, ShardChunks]) -> Iterator[tuple[int, Chunk]]:
    """Close chunks before they are full where too many rows wait in all."""
    waiting = sum(len(chunks.rows) for chunks in by_shard.values())
    largest = sorted(by_shard, key=lambda shard: -len(by_shard[shard].rows))
    for shard in largest if waiting > ROWS_WAITING else ():
        if waiting > ROWS_WAITING // 2:
            waiting -= len(by_shard[shard].rows)
            yield shard, by_shard[shard].close(len(by_shard[shard].rows))


def items_of(store: Store, of_day: ProductDay, after: int, upto: int) -> Iterator[Item]:
    """The segments of a day that plans after one and up to another wrote, page by page."""
    for key_range in of_day.segments(after, upto):
        yield from chain.from_iterable(store.pages(key_range))


def rows_of(segment: Segment) -> Iterator[Row]:
    return zip(segment.seconds, segment.who, *segment.measures, strict=True)


def measures_of(frame: Frame) -> Iterator[Row]:
    """The measures of each user."""
    places = range(len(frame.measures.columns))
    return zip(*(numbers_of([frame], place) for place in places), strict=True)

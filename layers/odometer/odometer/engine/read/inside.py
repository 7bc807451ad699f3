"""Reads what frames of whole days leave over: ragged edges of ranges, and days that are open.

Where frames stand inside the day, a reader takes the last one before its edge and only the events
since; otherwise all events. Either way they pass page by page, and are never in memory together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import cached_property, partial
from itertools import chain, pairwise
from typing import NamedTuple

from odometer.domain.events import utc_date
from odometer.domain.time import DAY
from odometer.engine import calendar
from odometer.engine.format import inside, keys, segments
from odometer.engine.format.frames import Frame, net, with_days
from odometer.engine.format.inside import Chunk, DaySums, ProductDay, Running
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.segments import Segment, by_day
from odometer.engine.read.views import View
from odometer.engine.rounds import Steps, joined_key_ranges, side_by_side
from odometer.engine.store import Item, KeyRange, PagesOf


class Lookup(NamedTuple):
    """Where to find what a shard had used of a day before a second, and how it enters the sum."""

    sign: int
    """0 where only the plan matters: events of earlier plans need not be read."""
    shard: int
    second: int
    key_range: KeyRange


class Found(NamedTuple):
    """All parts of a running frame or a chunk."""

    sign: int
    shard: int
    second: int
    items: list[Item]

    @property
    def frames(self) -> list[Item]:
        return [item for item in self.items if not inside.has_events(item)]

    def events(self, product: MeteredProduct) -> Segment:
        """The events of a chunk before the second, users counted from the first of the shard."""
        return Chunk.from_items(self.items, product).events.cut(0, self.second)

    def frame(self, product: MeteredProduct) -> Frame:
        return Chunk.from_items(self.items, product).until(self.second, product)


@dataclass(eq=False)
class Piece:
    """Some seconds of a range; those of one day, if frames may stand inside it."""

    reader: InsideReader
    seconds: range
    day: date | None = None
    after: int = 0
    """Events of plans up to this one are in what was found."""
    found: list[Found] = field(default_factory=list)
    sums: dict[date, DaySums] = field(default_factory=dict)
    """What its events come to, by day."""

    @cached_property
    def lookups(self) -> list[Lookup]:
        """The frames to look for."""
        return list(self.reader.lookups(self))

    def add(self, day: date, events: Segment) -> None:
        self._sums_of(day).add(events)

    def add_frame(self, day: date, shard: int, frame: Frame) -> None:
        self._sums_of(day).add_frame(shard, frame)

    def _sums_of(self, day: date) -> DaySums:
        return self.sums.setdefault(day, DaySums(self.reader.product))

    def frames(self) -> dict[date, Mapping[int, Frame]]:
        """By day and shard, what was used in these seconds."""
        return {
            day: self._of_day(day)
            for day in sorted({*self.sums, *([self.day] if self.day else [])})
        }

    def _of_day(self, day: date) -> Mapping[int, Frame]:
        product = self.reader.product
        signed = defaultdict[int, list[tuple[int, Frame]]](list)
        for shard, frame in self.sums[day].frames().items() if day in self.sums else ():
            signed[shard].append((1, frame))
        for each in self.found:
            signed[each.shard].append((each.sign, each.frame(product)))
        netted = {shard: net(frames, product.measures) for shard, frames in signed.items()}
        return {shard: with_days(frame.measures) for shard, frame in sorted(netted.items())}


Sums = Mapping[date, Mapping[int, Frame]]
"""By day and shard."""


def sums_of_each(asked: Sequence[tuple[InsideReader, Sequence[range]]]) -> Steps[list[list[Sums]]]:
    """For each reader and each of its ranges what was used in it, settled or not.

    One round, and another one for the days that have frames inside.
    """
    pieces = [[reader.cut(seconds) for seconds in ranges] for reader, ranges in asked]
    busy: list[Piece] = []
    others: list[Piece] = []
    for piece in (piece for ranges in pieces for each in ranges for piece in each):
        (busy if piece.lookups else others).append(piece)
    yield from side_by_side([look_up(busy), add_events(others)])
    yield from side_by_side([add_parts(busy), add_events(busy)])
    return [
        [
            {day: of_day for piece in each for day, of_day in piece.frames().items()}
            for each in ranges
        ]
        for ranges in pieces
    ]


def find_frames(pieces: Sequence[Piece]) -> Steps[None]:
    """Look for the frames that stand inside the days of these pieces."""
    yield from look_up(pieces)
    yield from add_parts(pieces)


def look_up(pieces: Iterable[Piece]) -> Steps[None]:
    """Take the last part of each frame that is found, since its key names the others."""
    lookups = [(piece, each) for piece in pieces for each in piece.lookups]
    answers = (yield [each.key_range for _, each in lookups]) if lookups else ()
    for (piece, lookup), items in zip(lookups, answers, strict=True):
        piece.reader.take(piece, lookup, items)


def add_parts(pieces: Iterable[Piece]) -> Steps[None]:
    others = [
        (found, each)
        for piece in pieces
        for found in piece.found
        for each in inside.other_parts(found.items)
    ]
    answers = (yield [each for _, each in others]) if others else ()
    for (found, _), items in zip(others, answers, strict=True):
        found.items.extend(items)


def add_events(pieces: Sequence[Piece]) -> Steps[None]:
    """Add the events that are in no frame, page by page; each segment is read once."""
    wanted = [(piece, each) for piece in pieces for each in piece.reader.key_ranges(piece)]
    joined = joined_key_ranges([key_range for _, key_range in wanted])
    make = partial(_added_up, wanted)
    for made in (yield [PagesOf(each, make) for each in joined]) if joined else ():
        for place, day, shard, frame in made:
            wanted[place][0].add_frame(day, shard, frame)
    for piece in pieces:
        for day, (events,) in by_day([piece.reader.unsettled], piece.seconds, piece.reader.zone):
            piece.add(day, events)


def _added_up(
    wanted: Sequence[tuple[Piece, KeyRange]], pages: Iterator[list[Item]]
) -> list[tuple[int, date, int, Frame]]:
    """What the events in some pages come to, by the piece that wants them, day and shard."""
    sums = dict[tuple[int, date], DaySums]()
    for item in chain.from_iterable(pages):
        segment: Segment | None = None
        for place, (piece, key_range) in enumerate(wanted):
            if is_in(item, key_range) and piece.reader.sees(item):
                product = piece.reader.product
                segment = segment or Segment.from_item(item, product)
                for day, (events,) in by_day([segment], piece.seconds, piece.reader.zone):
                    sums.setdefault((place, day), DaySums(product)).add(events)
    return [
        (place, day, shard, frame)
        for (place, day), of_day in sums.items()
        for shard, frame in of_day.frames().items()
    ]


def is_in(item: Item, key_range: KeyRange) -> bool:
    pk, sk = str(item["pk"]), str(item["sk"])
    return pk == key_range.pk and key_range.first <= sk <= key_range.last


@dataclass(frozen=True)
class InsideReader:
    """The seconds of one product that no whole day covers, seen from a view."""

    view: View
    product: MeteredProduct
    shards: Sequence[int]

    def cut(self, seconds: range) -> list[Piece]:
        if self._running is None:
            return [Piece(self, seconds)]
        edges = pairwise(calendar.day_edges(seconds, self.zone))
        return [Piece(self, range(*ends), calendar.day_of(ends[0], self.zone)) for ends in edges]

    def sees(self, item: Item) -> bool:
        return keys.plan_of(item["sk"]) <= self.view.head.plan

    def key_ranges(self, piece: Piece) -> list[KeyRange]:
        """Where the events of a piece are that are in nothing that was found."""
        strong = self._is_fresh(utc_date(piece.seconds[-1]))
        if piece.day is None or not piece.after:
            organization, seconds = self.view.organization, piece.seconds
            return [segments.key_range(organization, self.product.id, seconds, strong=strong)]
        return self._of_day(piece.day).segments(piece.after, strong=strong)

    @cached_property
    def unsettled(self) -> Segment:
        return self.view.unsettled_of(self.product)

    @cached_property
    def zone(self) -> tzinfo:
        return calendar.zone_of(self.product.kind, self.view.head.zone)

    @cached_property
    def _running(self) -> Mapping[date, Running] | None:
        """The newest running frames; None where no day has frames inside it."""
        running = self.view.head.running.get(self.product.id)
        if running is None:
            return None
        return {date.fromisoformat(each.day): each for each in running}

    def _of_day(self, day: date) -> ProductDay:
        return ProductDay(self.view.organization, self.product, self.zone, day)

    def lookups(self, piece: Piece) -> Iterator[Lookup]:
        """The frames to look for; the first shard stands for all of them."""
        if piece.day is None or self._running is None:
            return
        of_day, first, end = self._of_day(piece.day), piece.seconds.start, piece.seconds.stop
        is_ragged, running = first > of_day.seconds.start, self._running.get(piece.day)
        if piece.day < calendar.day_of(self.view.head.sealed, self.zone):
            newest = partial(inside.newest_chunk, piece.day)
            yield from self._of_shards(1, end, piece.day, newest)
            yield from self._of_shards(-1, first, piece.day, newest) if is_ragged else ()
        elif running:
            newest = partial(inside.newest_running, running)
            yield from (
                self._of_shards(0, first, piece.day, newest)
                if is_ragged
                else self._of_shards(1, end, piece.day, newest)
            )

    def _of_shards(
        self, sign: int, second: int, day: date, newest: Callable[[str, int], KeyRange]
    ) -> Iterator[Lookup]:
        """The first shard stands for all of them: what it lacks the others lack as well."""
        strong = self._is_fresh(day + DAY if self.product.kind.local_days else day)
        for shard in sorted({0, *self.shards}) if sign else [0]:
            key_range = newest(self.view.partition(self.product, day.year, shard), second)
            yield Lookup(sign, shard, second, key_range._replace(strong=strong))

    def take(self, piece: Piece, lookup: Lookup, items: Sequence[Item]) -> None:
        plan = keys.plan_of(items[0]["sk"]) if items else 0
        if lookup.shard == 0 and plan <= self.view.head.plan:
            piece.after = plan
        if items and lookup.sign and plan == piece.after:
            piece.found.append(Found(lookup.sign, lookup.shard, lookup.second, list(items)))

    def _is_fresh(self, day: date) -> bool:
        return self.view.head.is_fresh(self.product.id, day, self.view.now)

"""Measures what every user has used in a period: two readings, and what is in neither.

`Measuring.reads` says what to read for a range of seconds, `add_up` makes frames of the items.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import cached_property
from itertools import compress, count
from typing import NamedTuple

from odometer.domain.events import utc_date
from odometer.domain.time import DAY, Period
from odometer.engine import calendar
from odometer.engine.format import keys, late, segments
from odometer.engine.format.codec import Numbers
from odometer.engine.format.counted import CountedDays
from odometer.engine.format.frames import DAYS, Frame, net, numbers_of, total, with_days
from odometer.engine.format.late import Late, rows_by_shard
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.readings import Reading, frames_in
from odometer.engine.format.segments import Segment, by_day, day_frames
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange, Store


@dataclass(frozen=True)
class Used:
    """What every user has used of a product in a period; users are places in the arrays."""

    product: MeteredProduct
    frames: Sequence[Frame]
    """By shard."""

    def measure(self, name: str) -> Numbers:
        return numbers_of(self.frames, self.product.kind.measures.index(name))

    @property
    def days_active(self) -> Numbers:
        return numbers_of(self.frames, DAYS)

    @cached_property
    def users(self) -> list[int]:
        flags = [with_days(frame.measures) for frame in self.frames]
        return list(compress(count(), numbers_of(flags, DAYS)))

    def among(self, some: Collection[int] | None) -> list[int]:
        """Those of some users who have any measure; None is everybody."""
        return self.users if some is None else [user for user in self.users if user in some]

    @property
    def totals(self) -> dict[str, int]:
        return {name: sum(self.measure(name)) for name in self.product.kind.measures}


def distinct_users(several: Iterable[Used]) -> list[int]:
    return sorted(set().union(*(used.users for used in several)))


def measure(view: View, product: MeteredProduct, period: Period) -> Used:
    return measure_each(view, product, [period])[0]


def measure_each(view: View, product: MeteredProduct, periods: Sequence[Period]) -> list[Used]:
    """What every user has used in each period; neighbours share a reading."""
    measuring, shards = Measuring(view, product), range(view.head.shards(product))
    reads = [measuring.reads(period.seconds, shards) for period in periods]
    key_ranges = [key_range for each in reads for key_range in each.key_ranges]
    answers = iter(read_joined(view.store, key_ranges))
    read = [[next(answers) for _ in each.key_ranges] for each in reads]
    return [Used(product, measuring.add_up(*pair)) for pair in zip(reads, read, strict=True)]


def measure_shard(view: View, product: MeteredProduct, period: Period, shard: int) -> Frame:
    measuring = Measuring(view, product)
    reads = measuring.reads(period.seconds, [shard])
    frames = measuring.add_up(reads, view.store.read(reads.key_ranges))
    return frames[shard] if shard < len(frames) else total((), product.measures)


def outside(framed: range, seconds: range) -> list[range]:
    outer = (range(seconds.start, framed.start), range(framed.stop, seconds.stop))
    return [piece for piece in (outer if framed else (seconds,)) if piece]


class Term(NamedTuple):
    """One thing to read, and how it enters the sum."""

    sign: int
    shard: int
    key_range: KeyRange
    reading: Reading | None = None
    """Where the items are a reading, not only parts of one."""
    late: tuple[date, date] | None = None
    """Where the items are what came late to these days and others."""


class Reads(NamedTuple):
    """What is read for a range of seconds."""

    framed: range
    """The seconds of whole days that frames answer."""
    terms: Sequence[Term]
    unframed: Sequence[range]
    """The other seconds, which segments answer."""
    key_ranges: Sequence[KeyRange]
    """Of the terms, and then of the seconds without frames."""

    def with_items(
        self, answers: Sequence[Sequence[Item]]
    ) -> tuple[list[tuple[Term, Sequence[Item]]], list[tuple[range, Sequence[Item]]]]:
        cut = len(self.terms)
        frames = zip(self.terms, answers[:cut], strict=True)
        return list(frames), list(zip(self.unframed, answers[cut:], strict=True))


@dataclass(frozen=True)
class Measuring:
    """One product, seen from a view."""

    view: View
    product: MeteredProduct

    @cached_property
    def zone(self) -> tzinfo:
        return calendar.zone_of(self.product.kind, self.view.head.zone)

    def reads(self, seconds: range, shards: Iterable[int]) -> Reads:
        first, end = self._whole_days(seconds)
        framed = calendar.seconds_of(first, end, self.zone)
        unframed = outside(framed, seconds)
        terms = list(self._terms(first, end, shards)) if framed else []
        key_ranges = [term.key_range for term in terms]
        return Reads(framed, terms, unframed, [*key_ranges, *map(self._segments_range, unframed)])

    def add_up(self, reads: Reads, answers: Sequence[Sequence[Item]]) -> list[Frame]:
        by_shard: defaultdict[int, list[tuple[int, Frame]]] = defaultdict(list)
        for shard, sign, frame in self._read_frames(reads, answers):
            by_shard[shard].append((sign, frame))
        for shard, frame in self._late_frames(reads.framed):
            by_shard[shard].append((1, frame))
        shards = range(max(by_shard, default=-1) + 1)
        return [net(by_shard[shard], self.product.measures) for shard in shards]

    def _whole_days(self, seconds: range) -> tuple[date, date]:
        first = calendar.day_of(seconds.start - 1, self.zone) + DAY
        sealed = calendar.day_of(self.view.head.sealed, self.zone)
        end = min(sealed, calendar.day_of(seconds.stop, self.zone))
        return first, max(first, end)

    def _read_frames(
        self, reads: Reads, answers: Sequence[Sequence[Item]]
    ) -> Iterator[tuple[int, int, Frame]]:
        """By shard, each frame with its sign."""
        of_terms, of_seconds = reads.with_items(answers)
        for term, items in of_terms:
            yield term.shard, term.sign, self._frame(term, items)
        for piece, items in of_seconds:
            events = [*self._settled(items), self._unsettled]
            for _, within in by_day(events, piece, self.zone):
                for shard, frame in day_frames(within, self.product).items():
                    yield shard, 1, frame

    def _terms(self, first: date, end: date, shards: Iterable[int]) -> Iterator[Term]:
        for shard in shards:
            for start, stop in calendar.cut_at_new_years(first, end):
                pk = self._pk(start.year, shard)
                yield from self._difference(pk, shard, start, stop)
                if self.view.head.has_late(self.product.id, start.year):
                    came_late = late.key_range(pk, start, strong=self._strong(stop))
                    yield Term(1, shard, came_late, late=(start, stop))

    def _difference(self, pk: str, shard: int, start: date, stop: date) -> Iterator[Term]:
        if calendar.keyframe_before(start) == calendar.keyframe_before(stop):
            deltas = (keys.deltas_from(start), keys.frames_from(stop))
            yield Term(1, shard, KeyRange(pk, *deltas, self._strong(stop)))
            return
        edges = [(1, stop)] if start == calendar.new_year(start.year) else [(1, stop), (-1, start)]
        for sign, day in edges:
            reading = Reading.of(pk, start.year, day)
            yield Term(sign, shard, reading.key_range(strong=self._strong(day)), reading)

    def _frame(self, term: Term, items: Sequence[Item]) -> Frame:
        plan = self.view.head.plan
        if term.reading:
            return term.reading.frame(self.view.store, items, plan, self.product)
        if term.late:
            return Late.of(items, plan, self.product).frame(*term.late)
        return total(frames_in(items, plan, self.product), self.product.measures)

    def _segments_range(self, seconds: range) -> KeyRange:
        strong = self._fresh(utc_date(seconds[-1]))
        return segments.key_range(self.view.organization, self.product.id, seconds, strong=strong)

    def _late_frames(self, framed: range) -> Iterator[tuple[int, Frame]]:
        """What unsettled events add to days that frames answer; no user's day counts twice."""
        rows = rows_by_shard(self._unsettled, framed, self.zone, self.product)
        added = {self._pk(*key): some for key, some in rows.items()}
        last = max((some.day(some.days[-1]) for some in rows.values()), default=date.min)
        counted = CountedDays(
            self.view.store,
            self.product,
            self.view.head.plan,
            calendar.day_of(self.view.head.sealed, self.zone),
            self._strong(last + DAY),
        ).without_counted(added)
        for (_, shard), some in zip(rows, counted.values(), strict=True):
            yield shard, some.frame()

    def _settled(self, items: Iterable[Item]) -> list[Segment]:
        return segments.from_items(items, self.view.head.plan, self.product)

    @cached_property
    def _unsettled(self) -> Segment:
        return Segment.of(self.view.unsettled_events, self.product)

    def _pk(self, year: int, shard: int) -> str:
        return self.view.partition(self.product, year, shard)

    def _strong(self, end: date) -> bool:
        """Whether to read frames of days before this one as they are now.

        A local day lies on two UTC dates, so it may have been touched a date later.
        """
        return self._fresh(end if self.product.kind.local_days else end - DAY)

    def _fresh(self, day: date) -> bool:
        return self.view.head.is_fresh(self.product.id, day, self.view.now)


def read_joined(store: Store, key_ranges: Sequence[KeyRange]) -> list[list[Item]]:
    joined = joined_key_ranges(key_ranges)
    answers = list(zip(joined, store.read(joined), strict=True))
    return [
        [item for item in items if key_range.first <= item["sk"] <= key_range.last]
        for key_range in key_ranges
        for whole, items in answers
        if whole.pk == key_range.pk and whole.first <= key_range.first <= whole.last
    ]


def joined_key_ranges(key_ranges: Sequence[KeyRange]) -> list[KeyRange]:
    joined: list[KeyRange] = []
    for key_range in sorted(key_ranges, key=lambda each: (each.pk, each.first)):
        last = joined[-1] if joined else None
        if last and last.pk == key_range.pk and key_range.first <= last.last:
            strong = last.strong or key_range.strong
            joined[-1] = KeyRange(key_range.pk, last.first, max(last.last, key_range.last), strong)
        else:
            joined.append(key_range)
    return joined

"""Measures what every user has used in a period: two readings, and what is in neither.

`Measuring.reads` says what to read for a range of seconds, `frames` makes frames of the items.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import cached_property
from itertools import chain, compress, count
from typing import NamedTuple

from odometer.domain.time import DAY, Period
from odometer.engine import calendar
from odometer.engine.format import keys, late
from odometer.engine.format.codec import Numbers
from odometer.engine.format.counted import CountedDays
from odometer.engine.format.frames import DAYS, SHARD, Frame, flags, net, numbers_of, total
from odometer.engine.format.late import DayRows, Late, rows_by_shard
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.readings import Reading, frames_in
from odometer.engine.format.segments import Segment
from odometer.engine.read.inside import InsideReader, Sums, sums_of_each
from odometer.engine.read.joined import read_joined
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange


@dataclass(frozen=True)
class Used:
    """What every user has used of a product in a period; users are places in the arrays."""

    product: MeteredProduct
    frames: Sequence[Frame]
    """By shard."""

    @cached_property
    def columns(self) -> Mapping[str, Numbers]:
        """What every user has used, by measure."""
        names = self.product.kind.measures
        return {name: numbers_of(self.frames, place) for place, name in enumerate(names)}

    @cached_property
    def days_active(self) -> Numbers:
        return numbers_of(self.frames, DAYS)

    @cached_property
    def users(self) -> list[int]:
        shards = (compress(count(at * SHARD), flags(f)) for at, f in enumerate(self.frames))
        return list(chain.from_iterable(shards))

    def among(self, some: Collection[int] | None, but: Collection[int] = ()) -> list[int]:
        """Those of some users who have any measure, but for others; None is everybody."""
        users = self.users if some is None else [user for user in self.users if user in some]
        return [user for user in users if user not in but] if but else users

    @property
    def totals(self) -> dict[str, int]:
        return {name: sum(column) for name, column in self.columns.items()}


def values_of(column: Numbers, users: Sequence[int]) -> list[int]:
    """The numbers of some users, whose ordinals ascend; 0 of those beyond the end."""
    known = bisect_left(users, len(column))
    return [*map(column.__getitem__, users[:known]), *[0] * (len(users) - known)]


def distinct_users(several: Iterable[Used]) -> list[int]:
    return sorted(set().union(*(used.users for used in several)))


def measure(view: View, product: MeteredProduct, period: Period) -> Used:
    return measure_each(view, product, [period])[0]


def measure_each(view: View, product: MeteredProduct, periods: Sequence[Period]) -> list[Used]:
    """What every user has used in each period; neighbours share a reading."""
    shards = range(view.head.shards(product))
    frames = Measuring(view, product).frames([period.seconds for period in periods], shards)
    return [Used(product, each) for each in frames]


def measure_shard(view: View, product: MeteredProduct, period: Period, shard: int) -> Frame:
    (frames,) = Measuring(view, product).frames([period.seconds], [shard])
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
    """The other seconds, which `InsideReader` answers."""

    @property
    def key_ranges(self) -> list[KeyRange]:
        return [term.key_range for term in self.terms]


@dataclass(frozen=True)
class LateRows:
    """What unsettled events add to days that frames answer; no user's day counts twice."""

    counted: CountedDays
    by_shard: Sequence[tuple[int, str, DayRows]]
    """With the partition of each shard and year."""

    @cached_property
    def key_ranges(self) -> Mapping[str, Sequence[KeyRange]]:
        return self.counted.key_ranges(self._asked)

    def frames(
        self, answers: Iterator[Sequence[Item]] | None = None
    ) -> Iterator[tuple[int, Frame]]:
        """By shard, given what is in the key ranges if the caller has read them."""
        found = None if answers is None else self._found(answers)
        rows = self.counted.without_counted(self._asked, found)
        return ((shard, rows[pk].frame()) for shard, pk, _ in self.by_shard)

    def _found(self, answers: Iterator[Sequence[Item]]) -> dict[str, list[Item]]:
        return {
            pk: [item for _ in several for item in next(answers)]
            for pk, several in self.key_ranges.items()
        }

    @property
    def _asked(self) -> dict[str, DayRows]:
        return {pk: rows for _, pk, rows in self.by_shard}


@dataclass(frozen=True)
class Measuring:
    """One product, seen from a view."""

    view: View
    product: MeteredProduct

    @cached_property
    def zone(self) -> tzinfo:
        return calendar.zone_of(self.product.kind, self.view.head.zone)

    def frames(self, several: Sequence[range], shards: Sequence[int]) -> list[list[Frame]]:
        """By shard, what was used in each of several ranges; neighbours share what is read."""
        reads = [self.reads(seconds, shards) for seconds in several]
        late_rows = [self._late_rows(each.framed) for each in reads]
        wanted = [key_range for each in reads for key_range in each.key_ranges]
        wanted += chain.from_iterable(k for each in late_rows for k in each.key_ranges.values())
        answers = iter(read_joined(self.view.store, wanted))
        terms = [[next(answers) for _ in each.terms] for each in reads]
        unframed = [piece for each in reads for piece in each.unframed]
        inside = iter(sums_of_each([(self.inside(shards), unframed)])[0])
        return [
            self._add_up(each, items, [next(inside) for _ in each.unframed], rows.frames(answers))
            for each, items, rows in zip(reads, terms, late_rows, strict=True)
        ]

    def reads(self, seconds: range, shards: Iterable[int]) -> Reads:
        first, end = self._whole_days(seconds)
        framed = calendar.seconds_of(first, end, self.zone)
        terms = list(self._terms(first, end, shards)) if framed else []
        return Reads(framed, terms, outside(framed, seconds))

    def inside(self, shards: Sequence[int]) -> InsideReader:
        return InsideReader(self.view, self.product, shards)

    def _add_up(
        self,
        reads: Reads,
        answers: Sequence[Sequence[Item]],
        inside: Iterable[Sums],
        late_frames: Iterable[tuple[int, Frame]],
    ) -> list[Frame]:
        by_shard: defaultdict[int, list[tuple[int, Frame]]] = defaultdict(list)
        for term, items in zip(reads.terms, answers, strict=True):
            by_shard[term.shard].append((term.sign, self._frame(term, items)))
        of_days = (frame for days in inside for by_day in days.values() for frame in by_day.items())
        for shard, frame in (*of_days, *late_frames):
            by_shard[shard].append((1, frame))
        shards = range(max(by_shard, default=-1) + 1)
        return [net(by_shard[shard], self.product.measures) for shard in shards]

    def _whole_days(self, seconds: range) -> tuple[date, date]:
        first = calendar.day_of(seconds.start - 1, self.zone) + DAY
        sealed = calendar.day_of(self.view.head.sealed, self.zone)
        end = min(sealed, calendar.day_of(seconds.stop, self.zone))
        return first, max(first, end)

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

    def _late_rows(self, framed: range) -> LateRows:
        rows = rows_by_shard(self._unsettled, framed, self.zone, self.product)
        last = max((some.day(some.days[-1]) for some in rows.values()), default=date.min)
        counted = CountedDays(
            self.view.store,
            self.product,
            self.view.head.plan,
            calendar.day_of(self.view.head.sealed, self.zone),
            self._strong(last + DAY),
        )
        by_shard = [(shard, self._pk(year, shard), some) for (year, shard), some in rows.items()]
        return LateRows(counted, by_shard)

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

"""Measures what every user has used in a period: two readings, and what is in neither.

`Measuring.reads` says what to read for a range of seconds, `frames` makes frames of the items.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import cached_property
from itertools import chain, compress, count, repeat
from operator import and_
from typing import Any, Final, NamedTuple

from odometer.domain.time import DAY, Period
from odometer.engine import calendar
from odometer.engine.format import keys, late
from odometer.engine.format.codec import Numbers
from odometer.engine.format.counted import CountedDays
from odometer.engine.format.frames import (
    DAYS,
    SHARD,
    Frame,
    active,
    flags,
    net,
    numbers_of,
    reaching,
    total,
)
from odometer.engine.format.late import Late, rows_by_shard
from odometer.engine.format.products import MeteredProduct
from odometer.engine.format.readings import Reading, frames_in, require_keyframes
from odometer.engine.format.segments import Segment
from odometer.engine.read.inside import InsideReader, Sums, sums_of_each
from odometer.engine.read.remembered import Known, Readings
from odometer.engine.read.views import View
from odometer.engine.rounds import Steps, in_rounds, side_by_side
from odometer.engine.store import Item, KeyRange

_A_ONE: Final = re.compile(b"\1")


@dataclass(frozen=True)
class Flagged(Sequence[int]):
    """The users whose flag is 1, in order; the list of them is made when somebody needs one."""

    flags: bytes

    def __len__(self) -> int:
        return self.flags.count(1)

    def __getitem__(self, at: Any) -> Any:
        return self._listed[at]

    def __iter__(self) -> Iterator[int]:
        return iter(self._listed)

    @cached_property
    def _listed(self) -> list[int]:
        return list(compress(count(), self.flags))


@dataclass(frozen=True)
class Used:
    """What every user has used of a product in a period; users are places in the arrays."""

    product: MeteredProduct
    frames: Sequence[Frame]
    """By shard."""
    _columns: dict[int, Numbers] = field(default_factory=dict, repr=False, compare=False)

    @property
    def columns(self) -> Mapping[str, Numbers]:
        """What every user has used, by measure."""
        return {name: self.column(name) for name in self.product.kind.measures}

    @property
    def days_active(self) -> Numbers:
        return self._column(DAYS)

    def column(self, measure: str) -> Numbers:
        """What every user has used of a measure."""
        return self._column(self._place(measure))

    @cached_property
    def users(self) -> Flagged:
        return Flagged(self._by_user(self._active))

    @property
    def lanes(self) -> range:
        """All who may be among the users."""
        return range(len(self.users.flags))

    def among(self, some: Collection[int] | None, but: Collection[int] = ()) -> Sequence[int]:
        """Those of some users who have any measure, but for others; None is everybody."""
        users = self.users if some is None else [user for user in self.users if user in some]
        return [user for user in users if user not in but] if but else users

    def values(self, column: Numbers, users: Sequence[int]) -> Iterable[int]:
        """The numbers of some users in a column; 0 of those beyond its end."""
        if users is self.users:
            return compress(column, self.users.flags)
        known = bisect_left(users, len(column))
        return chain(map(column.__getitem__, users[:known]), repeat(0, len(users) - known))

    def reaching(self, measure: str, least: int, *, a_day: bool = False) -> list[int] | None:
        """Everyone who has at least so much of a measure, or so much for each day active.

        None where numbers are too large to tell at once.
        """
        place = self._place(measure)
        each = [frame.columns[DAYS] for frame in self.frames] if a_day else self._active
        found = [
            reaching(frame, place, least, of) for frame, of in zip(self.frames, each, strict=True)
        ]
        if None in found:
            return None
        ones = map(and_, found, self._active)
        return [one.start() for one in _A_ONE.finditer(self._by_user(ones))]

    @property
    def totals(self) -> dict[str, int]:
        return {name: sum(column) for name, column in self.columns.items()}

    @cached_property
    def _active(self) -> list[int]:
        """By shard, a 1 in the lane of everyone with any of the measures."""
        return [active(frame.measures) for frame in self.frames]

    def _by_user(self, ones: Iterable[int]) -> bytes:
        """A byte for each user of what has a lane for each."""
        shards = list(map(flags, self.frames, ones))
        return b"".join(each.ljust(SHARD, b"\0") for each in shards[:-1]) + b"".join(shards[-1:])

    def _place(self, measure: str) -> int:
        return self.product.kind.measures.index(measure)

    def _column(self, place: int) -> Numbers:
        if place not in self._columns:
            self._columns[place] = numbers_of(self.frames, place)
        return self._columns[place]


def distinct_users(several: Iterable[Used]) -> list[int]:
    return sorted(set().union(*(used.users for used in several)))


def measure(view: View, product: MeteredProduct, period: Period) -> Used:
    return measure_each(view, product, [period])[0]


def measure_each(view: View, product: MeteredProduct, periods: Sequence[Period]) -> list[Used]:
    """What every user has used in each period; neighbours share a reading."""
    shards = range(view.head.shards(product))
    seconds = [period.seconds for period in periods]
    frames = in_rounds(view.store, Measuring(view, product).frames(seconds, shards))
    return [Used(product, each) for each in frames]


def measure_shard(view: View, product: MeteredProduct, period: Period, shard: int) -> Frame:
    steps = Measuring(view, product).frames([period.seconds], [shard])
    (frames,) = in_rounds(view.store, steps)
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

    def items(self) -> Steps[list[list[Item]]]:
        """What is read for each term; raises `MissingKeyframe` where one is missing."""
        answers = (yield [term.key_range for term in self.terms]) if self.terms else []
        pairs = zip(self.terms, answers, strict=True)
        yield from require_keyframes((term.reading, i) for term, i in pairs if term.reading)
        return list(answers)


@dataclass(frozen=True)
class Measuring:
    """One product, seen from a view."""

    view: View
    product: MeteredProduct

    @cached_property
    def zone(self) -> tzinfo:
        return calendar.zone_of(self.product.kind, self.view.head.zone)

    def frames(self, several: Sequence[range], shards: Sequence[int]) -> Steps[list[list[Frame]]]:
        """By shard, what was used in each of several ranges; neighbours share what is read.

        All is read in one round but for what nobody knows of before: in a second one that.
        """
        reads = [self.reads(seconds, shards) for seconds in several]
        unframed = [piece for each in reads for piece in each.unframed]
        parts: list[Steps[Any]] = [
            side_by_side([self._settled(each.terms) for each in reads]),
            side_by_side([self._late_frames(each.framed) for each in reads]),
            sums_of_each([(self.inside(shards), unframed)]),
        ]
        settled, late, (inside,) = yield from side_by_side(parts)
        sums = iter(inside)
        return [
            self._add_up(frames, rows, [next(sums) for _ in each.unframed])
            for each, frames, rows in zip(reads, settled, late, strict=True)
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
        settled: Iterable[tuple[Term, Frame]],
        late_frames: Iterable[tuple[int, Frame]],
        inside: Iterable[Sums],
    ) -> list[Frame]:
        by_shard: defaultdict[int, list[tuple[int, Frame]]] = defaultdict(list)
        for term, frame in settled:
            by_shard[term.shard].append((term.sign, frame))
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

    def _settled(self, terms: Sequence[Term]) -> Steps[list[tuple[Term, Frame]]]:
        """What each term comes to; a reading goes on from what is remembered of it."""
        known = [term.reading and self._readings.recall(term.reading) for term in terms]
        rests = [
            each.rest(self._strong) if each else term.key_range
            for term, each in zip(terms, known, strict=True)
        ]
        asked = [rest for rest in rests if rest]
        answers = iter((yield asked) if asked else ())
        items = [next(answers) if rest else [] for rest in rests]
        read = list(zip(terms, known, items, strict=True))
        yield from require_keyframes(
            (each.reading, found) for _, each, found in read if each and each.base is None
        )
        return [(each[0], self._frame(*each)) for each in read]

    def _frame(self, term: Term, known: Known | None, items: Sequence[Item]) -> Frame:
        if term.late:
            return Late.of(items, self.view.head.plan, self.product).frame(*term.late)
        return self._readings.frame(known, items) if known else self._sum(items)

    @cached_property
    def _readings(self) -> Readings:
        return Readings(self.view, self.product, self.zone)

    def _sum(self, items: Iterable[Item]) -> Frame:
        return total(frames_in(items, self.view.head.plan, self.product), self.product.measures)

    def _late_frames(self, framed: range) -> Steps[list[tuple[int, Frame]]]:
        """What unsettled events add to days that frames answer; no user's day counts twice."""
        rows = rows_by_shard(self._unsettled, framed, self.zone, self.product)
        added = {self._pk(*key): some for key, some in rows.items()}
        last = max((some.day(some.days[-1]) for some in rows.values()), default=date.min)
        counted = yield from CountedDays(
            self.product,
            self.view.head.plan,
            calendar.day_of(self.view.head.sealed, self.zone),
            self._strong(last + DAY),
        ).without_counted(added)
        return [(shard, counted[self._pk(year, shard)].frame()) for year, shard in rows]

    @cached_property
    def _unsettled(self) -> Segment:
        return self.view.unsettled_of(self.product)

    def _pk(self, year: int, shard: int) -> str:
        return self.view.partition(self.product, year, shard)

    def _strong(self, end: date) -> bool:
        """Whether to read frames of days before this one as they are now.

        A local day lies on two UTC dates, so it may have been touched a date later.
        """
        return self._fresh(end if self.product.kind.local_days else end - DAY)

    def _fresh(self, day: date) -> bool:
        return self.view.head.is_fresh(self.product.id, day, self.view.now)

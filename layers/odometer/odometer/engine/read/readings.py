"""Reading: what every user has used in a period, from two readings and what is not in them yet.

A view is what an organization had used at one moment. All it reads are items that never change, so
the same view gives the same figures however much arrives, is settled or is rebuilt meanwhile.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo
from functools import cached_property
from itertools import compress, count
from typing import Any, NamedTuple, Self
from zlib import crc32

from odometer.domain.events import utc_date
from odometer.domain.time import DAY, Period
from odometer.engine import calendar
from odometer.engine.format import keys, segments
from odometer.engine.format.decisions import ALL, Fold, MeteredProduct, UsageHead
from odometer.engine.format.frames import SHARD, Frame, active, lanes_of, reach, total
from odometer.engine.format.runs import Run, day_key_ranges, frames_in, without_days
from odometer.engine.format.segments import Segment, by_day, day_frames
from odometer.engine.read.key_ranges import read_each_once
from odometer.engine.state import Gap, is_settled_in, read_folds, read_head
from odometer.engine.store import Item, KeyRange, Store


@dataclass(frozen=True)
class Used:
    """What every user has used of a product in a period; users are places in the arrays."""

    product: MeteredProduct
    frames: Sequence[Frame]
    """By shard."""

    def measure(self, name: str) -> array[int]:
        """One measure of every user."""
        return self._column(self.product.kind.measures.index(name))

    @property
    def days_active(self) -> array[int]:
        """On how many days every user was active."""
        return self._column(-1)

    @cached_property
    def users(self) -> list[int]:
        """The users with any measure, by ordinal."""
        return list(compress(count(), self._joined([active(frame[:-1]) for frame in self.frames])))

    def among(self, some: Collection[int] | None) -> list[int]:
        """Those of some users who have any measure; None is everybody."""
        return self.users if some is None else [user for user in self.users if user in some]

    @property
    def totals(self) -> dict[str, int]:
        """Every measure of all users together."""
        return {name: sum(self.measure(name)) for name in self.product.kind.measures}

    def _column(self, place: int) -> array[int]:
        return self._joined([frame[place] for frame in self.frames])

    def _joined(self, shards: Sequence[int]) -> array[int]:
        sizes = [SHARD] * (len(shards) - 1) + [reach(frame) for frame in self.frames[-1:]]
        return array("Q", b"".join(map(lanes_of, shards, sizes)))


def distinct(several: Iterable[Used]) -> list[int]:
    """The users with any measure of any of these."""
    return sorted(set().union(*(used.users for used in several)))


@dataclass(frozen=True, slots=True)
class View:
    """What an organization had used at one moment."""

    organization: str
    store: Store
    head: UsageHead
    tail: Sequence[Fold]
    """What was decided by then and not settled."""
    now: int

    @classmethod
    def latest(cls, organization: str, store: Store, zone: str, now: int) -> Self:
        """Everything that has been decided by now."""
        head = read_head(organization, store) or UsageHead(zone, 0)
        return cls(organization, store, head, read_folds(organization, store, head.upto), now)

    @classmethod
    def pinned(cls, organization: str, store: Store, pin: Mapping[str, Any], now: int) -> Self:
        """The view that a cursor has kept; `Gap` when the tables are not those it was read from."""
        head = UsageHead.from_item(pin)
        tail = read_folds(organization, store, head.upto, pin["fold"])
        if pin["mark"] != mark_of(tail) or not is_settled_in(organization, store, head):
            raise Gap(organization)
        return cls(organization, store, head, tail, now)

    @property
    def pin(self) -> dict[str, Any]:
        """What brings this view back; it means nothing to another organization."""
        kept = replace(self.head, late_bytes={ALL: 1}).to_item(self.organization)
        last = self.head.upto + len(self.tail)
        return {**kept, "fold": last, "mark": mark_of(self.tail)}

    @property
    def through_ms(self) -> int:
        """Every batch accepted before this millisecond is in this view."""
        return self.tail[-1].through_ms if self.tail else self.head.through_ms

    def partition(self, product: MeteredProduct, year: int, shard: int) -> str:
        """Where the frames of a shard are, in the generation that this view sees."""
        generation = self.head.generation(product, year)
        return keys.frames(self.organization, product.id, year, generation, shard)

    def of_shard(self, product: MeteredProduct, period: Period, shard: int) -> Frame:
        """What the users of one shard have used of a product in a period."""
        zone = calendar.zone_of(product.kind, self.head.zone)
        frames = OneShard(self, product, zone, shard).frames(period.seconds)
        return frames[shard] if shard < len(frames) else total((), len(product.kind.measures))

    def usage(self, product: MeteredProduct, period: Period) -> Used:
        """What every user has used of a product in a period."""
        return self.usages(product, [period])[0]

    def usages(self, product: MeteredProduct, periods: Sequence[Period]) -> list[Used]:
        """The same of several periods, read together: neighbours share a reading."""
        measuring = Measuring(self, product, calendar.zone_of(product.kind, self.head.zone))
        asked = [measuring.asked(period.seconds) for period in periods]
        answers = iter(read_each_once(self.store, [s for each in asked for s in each.key_ranges]))
        read = [[next(answers) for _ in each.key_ranges] for each in asked]
        pairs = zip(asked, read, strict=True)
        return [Used(product, measuring.answered(*pair)) for pair in pairs]


def mark_of(folds: Iterable[Fold]) -> int:
    """What tells folds from others of the same numbers."""
    return crc32(b"".join(event.digest for fold in folds for event in fold.events))


class Term(NamedTuple):
    """One thing to read, and how it enters the sum."""

    sign: int
    shard: int
    key_range: KeyRange
    run: Run | None = None
    """Where the items are a reading, not only parts of one."""


class Asked(NamedTuple):
    """What is read for a range of seconds."""

    inner: range
    """The seconds of whole days that frames answer."""
    terms: Sequence[Term]
    ragged: Sequence[range]
    """The other seconds, which segments answer."""
    key_ranges: Sequence[KeyRange]
    """Of the terms, and then of the ragged pieces."""

    def parted(
        self, answers: Sequence[Sequence[Item]]
    ) -> tuple[list[tuple[Term, Sequence[Item]]], list[tuple[range, Sequence[Item]]]]:
        """The items of every term, and of every ragged piece."""
        cut = len(self.terms)
        frames = zip(self.terms, answers[:cut], strict=True)
        return list(frames), list(zip(self.ragged, answers[cut:], strict=True))


@dataclass(frozen=True, slots=True)
class Measuring:
    """One product, seen from a view."""

    view: View
    product: MeteredProduct
    zone: tzinfo

    def frames(self, seconds: range) -> list[Frame]:
        """What was used in these seconds, by shard."""
        asked = self.asked(seconds)
        return self.answered(asked, self.view.store.read(asked.key_ranges))

    def asked(self, seconds: range) -> Asked:
        """What is to be read for these seconds, all in one round."""
        first, end = self._whole_days(seconds)
        inner = range(*(calendar.start(day, self.zone) for day in (first, end)))
        outer = (range(seconds.start, inner.start), range(inner.stop, seconds.stop))
        ragged = [piece for piece in (outer if inner else (seconds,)) if piece]
        terms = list(self._terms(first, end))
        key_ranges = [term.key_range for term in terms] + [
            self._segment_key_range(piece) for piece in ragged
        ]
        return Asked(inner, terms, ragged, key_ranges)

    def answered(self, asked: Asked, answers: Sequence[Sequence[Item]]) -> list[Frame]:
        """What was used, by shard, once it is read."""
        found: defaultdict[int, list[Frame]] = defaultdict(list)
        for shard, frame in (*self._added(asked, answers), *self._late_tail(asked.inner)):
            found[shard].append(frame)
        shards = range(max(found, default=-1) + 1)
        return [total(found[shard], len(self.product.kind.measures)) for shard in shards]

    def _whole_days(self, seconds: range) -> tuple[date, date]:
        """The days that lie in these seconds whole and are sealed: what frames answer."""
        first = calendar.day_of(seconds.start - 1, self.zone) + DAY
        sealed = calendar.day_of(self.view.head.sealed, self.zone)
        end = min(sealed, calendar.day_of(seconds.stop, self.zone))
        return first, max(first, end)

    def _added(
        self, asked: Asked, answers: Sequence[Sequence[Item]]
    ) -> Iterator[tuple[int, Frame]]:
        """Everything that the answer is the sum of, but for the tail of sealed days."""
        frames, loose = asked.parted(answers)
        for term, items in frames:
            yield term.shard, self._frame(term, items)
        for piece, items in loose:
            yield from self._day_by_day(piece, items)

    def _terms(self, first: date, end: date) -> Iterator[Term]:
        """The readings whose difference is the usage of whole days, and what came late."""
        for shard in self._shards if first < end else ():
            for start, stop in calendar.years(first, end):
                pk = self._pk(start.year, shard)
                yield from self._difference(pk, shard, start, stop)
                if self.view.head.has_late(self.product.id, start.year):
                    key_range = self._key_range(
                        pk, keys.late_from(start), keys.late_from(stop), stop
                    )
                    yield Term(1, shard, key_range)

    @property
    def _shards(self) -> Sequence[int]:
        return range(self.view.head.shards(self.product.id))

    def _difference(self, pk: str, shard: int, start: date, stop: date) -> Iterator[Term]:
        if calendar.base(start) == calendar.base(stop):
            deltas = (keys.deltas_from(start), keys.frames_from(stop))
            yield Term(1, shard, self._key_range(pk, *deltas, stop))
            return
        edges = [(1, stop)] if start == calendar.new_year(start.year) else [(1, stop), (-1, start)]
        for sign, day in edges:
            run = Run.of(pk, start.year, day)
            yield Term(sign, shard, run.key_range(strong=self._strong(day)), run)

    def _frame(self, term: Term, items: Sequence[Item]) -> Frame:
        plan = self.view.head.plan
        if term.run:
            frame = term.run.frame(self.view.store, items, plan, self.product)
        else:
            frame = total(frames_in(items, plan, self.product), len(self.product.kind.measures))
        return tuple(term.sign * column for column in frame)

    def _segment_key_range(self, piece: range) -> KeyRange:
        strong = self._fresh(utc_date(piece[-1]))
        return segments.key_range(self.view.organization, self.product.id, piece, strong=strong)

    def _day_by_day(self, piece: range, items: Sequence[Item]) -> Iterator[tuple[int, Frame]]:
        """What segments and the tail say of seconds that no frame answers."""
        settled = segments.from_items(items, self.view.head.plan, self.product)
        for _, within in by_day([*settled, self._tail()], piece, self.zone):
            yield from day_frames(within, self.product).items()

    def _late_tail(self, inner: range) -> Iterator[tuple[int, Frame]]:
        """What the tail brings to days that frames answer; nobody's day counts twice."""
        frames = [
            (day, shard, frame)
            for day, within in by_day([self._tail()], inner, self.zone)
            for shard, frame in day_frames(within, self.product).items()
        ]
        key_ranges = [
            key_range
            for day, shard, _ in frames
            for key_range in day_key_ranges(
                self._pk(day.year, shard), day, strong=self._strong(day + DAY)
            )
        ]
        answers = iter(self.view.store.read(key_ranges)) if key_ranges else iter(())
        for _, shard, frame in frames:
            items = [*next(answers), *next(answers)]
            yield shard, without_days(frame, frames_in(items, self.view.head.plan, self.product))

    def _tail(self) -> Segment:
        events = (event for fold in self.view.tail for event in fold.events)
        return Segment.of(events, self.product)

    def _pk(self, year: int, shard: int) -> str:
        return self.view.partition(self.product, year, shard)

    def _key_range(self, pk: str, first: str, last: str, day: date) -> KeyRange:
        return KeyRange(pk, first, last, self._strong(day))

    def _strong(self, end: date) -> bool:
        """Whether to read frames of days before this one as they are now.

        A local day lies on two UTC dates, so it may have been touched a date later.
        """
        return self._fresh(end if self.product.kind.local_days else end - DAY)

    def _fresh(self, day: date) -> bool:
        return self.view.head.is_fresh(self.product.id, day, self.view.now)


@dataclass(frozen=True)
class OneShard(Measuring):
    """One shard of a product's users; of the others is only said what comes along."""

    shard: int

    @property
    def _shards(self) -> Sequence[int]:
        return range(self.shard, self.shard + 1)
